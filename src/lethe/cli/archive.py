"""``lethe archive``: serve, check, count and export an embedded archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lethe.archive import serve as serving
from lethe.archive.check import check as check_archive
from lethe.archive.check import statistics
from lethe.archive.context import open_context
from lethe.archive.export import export as export_archive
from lethe.cli._output import Output, Printed
from lethe.errors import Refused

HELP = "The embedded archive: serve, check, stats, export."
app = typer.Typer(help=HELP, no_args_is_help=True)


Root = Annotated[Path, typer.Option(help="Folder of the archive.")]


@app.callback()
def _group() -> None:
    """The embedded archive: serve, check, stats, export."""


@app.command()
def serve(
    root: Root,
    http: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one.")] = 8080,
    dicom: Annotated[int | None, typer.Option(help="Port of the C-STORE receiver; none without it.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    users: Annotated[Path | None, typer.Option(help="JSON or YAML: login: {password, email, admin}.")] = None,
    backend: Annotated[str, typer.Option(help="How commands run: auto, docker or process.")] = "auto",
    admin_password_file: Annotated[
        Path | None, typer.Option(help="File (mode 600) with the first administrator's password.")
    ] = None,
    site_url: Annotated[str, typer.Option(help="Address clients use, behind a proxy.")] = "",
) -> None:
    """Serve an archive until interrupted.

    Example: lethe archive serve --root ./archive --http 8080 --dicom 8104
    """
    console = Console(stderr=True, highlight=False)
    options = serving.Options(
        root=root, host=host, http_port=http, dicom_port=dicom, users=users,
        admin_password_file=admin_password_file, backend=backend, site_url=site_url,
    )  # fmt: skip
    serving.serve(options, say=lambda line: console.print(line, markup=False, soft_wrap=True))


@app.command()
def check(
    root: Root,
    digests: Annotated[bool, typer.Option(help="Read every file and compare its md5.")] = True,
    output: Printed = Output.TABLE,
) -> None:
    """Name every difference between the database and the files; the archive may be running.

    Example: lethe archive check --root ./archive
    """
    found = check_archive(open_context(root.resolve(), exclusive=False), digests=digests)
    if output is Output.JSON:
        typer.echo(json.dumps([one.as_dict() for one in found], indent=2))
    else:
        table = Table("difference", "where")
        for one in found:
            table.add_row(one.kind, one.where)
        Console().print(table if found else "no difference")
    if found:
        raise Refused("archive-differs", f"{len(found)} difference(s) between database and files.")


@app.command()
def stats(root: Root, output: Printed = Output.TABLE) -> None:
    """Count projects, subjects, sessions, scans, files and bytes.

    Example: lethe archive stats --root ./archive
    """
    found = statistics(open_context(root.resolve(), exclusive=False))
    if output is Output.JSON:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("what", "how many")
    for name, count in found.items():
        table.add_row(name, str(count))
    Console().print(table)


@app.command()
def export(
    root: Root,
    out: Annotated[Path, typer.Option(help="New folder; it appears whole or not at all.")],
    project: Annotated[
        list[str] | None, typer.Option(help="Project to take along, may be repeated; else all of them.")
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Hard-link the files: quick, but the export is then not edited.")
    ] = False,
    leave_prearchive: Annotated[
        bool, typer.Option("--leave-prearchive", help="Go on although sessions wait in the prearchive.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; nothing is written.")] = False,
    output: Printed = Output.TABLE,
) -> None:
    """Write projects as one folder that lethe xnat import moves into an XNAT; the archive may be running.

    Broken off, it goes on where it was when called again.

    Example: lethe archive export --root ./archive --out ./moving --project STROKE --project STROKE_INTAKE
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("files", total=None)
        found = export_archive(
            root, out, projects=project or (), link=link, leave_prearchive=leave_prearchive, dry_run=dry_run,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )  # fmt: skip
    if output is Output.JSON:
        typer.echo(json.dumps(found.as_dict(), indent=2, sort_keys=True))
        return
    table = Table("what", "would be taken" if dry_run else "taken", "left behind")
    for name, count in found.counts.items():
        table.add_row(name, str(count), "")
    for name, left in found.left_behind.items():
        for what, count in left.items():
            table.add_row(f"{name}: {what}", "", str(count))
    Console().print(table)
    if found.seal:
        Console().print(f"seal (SHA-256 of the manifest): {found.seal}", markup=False, soft_wrap=True)
