"""``lethe plugin``: the XNAT plugin, built and checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lethe import __version__
from lethe.cli._output import Output, Printed
from lethe.errors import Refused
from lethe.files import write_bytes, write_json
from lethe.plugin.build import Sources
from lethe.plugin.build import build as build_jar
from lethe.plugin.build import generate as generate_files
from lethe.plugin.check import JarReport, check_jar
from lethe.plugin.released import read_record

HELP = "The XNAT plugin: build, check, generate, release."
app = typer.Typer(help=HELP, no_args_is_help=True)


Project = Annotated[Path, typer.Option(help="Working copy of the project.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do everything except writing.")]
Released = Annotated[
    Path | None, typer.Option(help="Record of the last release; plugin/released.json where it is there.")
]
_RECORD = Path("plugin/released.json")


@app.command()
def build(
    to: Annotated[Path, typer.Option(help="Folder for the JAR.")] = Path("dist"),
    project: Project = Path("."),
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Build lethe-plugin-{version}.jar, check it, and print its SHA-256. Needs a Java compiler.

    Example: lethe plugin build --to dist
    """
    jar = build_jar(Sources.of(project), __version__)
    if dry_run:
        typer.echo(f"lethe-plugin-{__version__}.jar would have {len(jar)} bytes")
        return
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"lethe-plugin-{__version__}.jar"
    write_bytes(path, jar)
    _show(_checked(path, project / _RECORD), output)


@app.command()
def check(jar: Path, released: Released = None, output: Printed = Output.TABLE) -> None:
    """Check a JAR against what XNAT would pass over in silence or stumble on. Exit code 4 with a fault.

    Example: lethe plugin check dist/lethe-plugin-0.1.0.jar
    """
    _show(_checked(jar, released or _RECORD, asked=released is not None), output)


@app.command()
def generate(project: Project = Path("."), dry_run: DryRun = False) -> None:
    """Write the committed files that come from the dictionary: dashboard, Java classes, README tables.

    Example: lethe plugin generate --dry-run
    """
    for path in generate_files(Sources.of(project), dry_run=dry_run):
        typer.echo(f"{'stale' if dry_run else 'written'}: {path}")


@app.command()
def release(jar: Path, project: Project = Path("."), dry_run: DryRun = False) -> None:
    """Record the names and types of a checked JAR: from now on they can only be added to.

    Example: lethe plugin release dist/lethe-plugin-0.1.0.jar
    """
    report = _checked(jar, project / _RECORD)
    _refuse_faults(report)
    if not dry_run:
        write_json(project / _RECORD, dict(report.record))
    typer.echo(f"{'would record' if dry_run else 'recorded'}: version {report.version}")


def _checked(path: Path, record: Path, *, asked: bool = False) -> JarReport:
    return check_jar(path, read_record(record) if asked or record.exists() else None)


def _show(report: JarReport, output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        if report.faults:
            table = Table("rule", "where", "what is wrong", "what to do")
            for fault in report.faults:
                table.add_row(fault.code, escape(fault.place), escape(fault.sentence), escape(fault.remedy))
            Console().print(table)
        typer.echo(f"{report.name}: version {report.version}, {report.size} bytes, {report.files} files")
        typer.echo(f"SHA-256 {report.sha256}")
    _refuse_faults(report)


def _refuse_faults(report: JarReport) -> None:
    if report.faults:
        raise Refused("plugin-faults", f"The JAR has {len(report.faults)} faults.")
