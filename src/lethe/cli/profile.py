"""``lethe profile``: run, check and compile header profiles."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from lethe.cli import profile_study
from lethe.errors import Misconfigured
from lethe.files import write_json
from lethe.header import (
    Anonymizer,
    FilterStage,
    HeaderOutcome,
    PixelStage,
    Stage,
    UnloadableScript,
    apply_file,
    apply_tree,
    bundled_script,
    load_filter,
    load_lookup,
    load_pixel_script,
    load_script,
)
from lethe.header.findings import Severity
from lethe.header.lint import lint
from lethe.header.pipelinelint import lint_pipeline
from lethe.header.script import read_script

HELP = "Header profiles: run, check, audit, rehearse and compile CTP anonymizer scripts."
app = typer.Typer(help=HELP, no_args_is_help=True)
_EXITS = {"OK": 0, "QUARANTINE": 3, "SKIP": 4, "ABORT": 5}


class _FilesPerSecond(ProgressColumn):
    """How many files are done in a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.0f} files/s")


def _script_path(name: str) -> Path:
    return Path(name) if Path(name).suffix or "/" in name else bundled_script(name)


def _parameters(texts: list[str]) -> dict[str, str]:
    out = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Misconfigured(
                "parameter", "A parameter is not NAME=VALUE.", remedy="Write --param NAME=VALUE."
            )
        out[name] = value
    return out


@app.command()
def apply(
    source: Annotated[Path, typer.Argument(help="A DICOM file or a folder of them; only read.")],
    target: Annotated[Path, typer.Argument(help="The cleaned file, or the folder for the cleaned tree.")],
    script: Annotated[
        list[str], typer.Option(help="Script file, or stroke, strict, routing, net. Several run in order.")
    ],
    lookup: Annotated[Path | None, typer.Option(help="Lookup table (Java properties).")] = None,
    filter_file: Annotated[
        Path | None, typer.Option("--filter", help="Filter; what does not fulfil it is quarantined.")
    ] = None,
    pixels: Annotated[Path | None, typer.Option(help="Pixel script; runs last.")] = None,
    quarantine: Annotated[Path | None, typer.Option(help="Folder for what cannot be cleaned.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write the report (JSON).")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for every script that has the parameter.")
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Quarantine objects whose pixels show text (extra ocr).")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")] = False,
    as_ctp: Annotated[
        bool, typer.Option("--as-ctp", help="Reproduce CTP, also where it fails open.")
    ] = False,
) -> None:
    """Clean a DICOM file or a tree.

    For one file: one JSON line; exit 0 OK, 3 QUARANTINE, 4 SKIP, 5 ABORT. For a tree: a progress bar and a
    summary; exit 0, or 3 when something was quarantined. A second run does only what is missing.

    Example: lethe profile apply --script stroke --lookup lookup.properties --quarantine held incoming cleaned
    """
    try:
        stages: list[Stage] = []
        if filter_file is not None:
            stages.append(FilterStage(load_filter(filter_file, as_ctp=as_ctp)))
        stages.extend(_engines(script, lookup, _parameters(param or []), as_ctp=as_ctp))
        if pixels is not None:
            stages.append(PixelStage(load_pixel_script(pixels, as_ctp=as_ctp)))
        if text:
            from lethe.header.burnedin import TextStage, packaged_ocr

            stages.append(TextStage(packaged_ocr()))
    except UnloadableScript as error:
        if not as_ctp:
            raise
        _end_one(HeaderOutcome("ABORT", error.code, str(error)), report)
    if not source.exists():
        raise Misconfigured("no-source", "The source does not exist.", remedy="Name a file or a folder.")
    if source.is_dir():
        _tree(stages, source, target, quarantine, report, dry_run=dry_run)
    else:
        _one(stages, source, target, report, dry_run=dry_run)


def _engines(
    scripts: list[str], lookup: Path | None, parameters: dict[str, str], *, as_ctp: bool
) -> list[Anonymizer]:
    table = None if lookup is None else load_lookup(lookup, as_ctp=as_ctp)
    engines = []
    unused = set(parameters)
    for name in scripts:
        path = _script_path(name)
        plain = load_script(path, as_ctp=as_ctp)
        own = {key: value for key, value in parameters.items() if key in plain.parameters}
        unused -= set(own)
        loaded = load_script(path, as_ctp=as_ctp, parameters=own) if own else plain
        engines.append(Anonymizer(loaded, table, as_ctp=as_ctp))
    if unused:
        raise Misconfigured(
            "parameter", f"No script has a parameter {sorted(unused)[0]!r}.", remedy="Correct its name."
        )
    return engines


def _one(stages: list[Stage], source: Path, target: Path, report: Path | None, *, dry_run: bool) -> None:
    if target.is_dir():
        raise Misconfigured("target-folder", "The target is a folder.", remedy="Name the file to write.")
    _end_one(apply_file(stages, source, target, dry_run=dry_run), report)


def _end_one(outcome: HeaderOutcome, report: Path | None) -> None:
    line = {"status": outcome.status, "code": outcome.code, "reason": outcome.reason}
    sys.stdout.write(json.dumps(line) + "\n")
    if report is not None:
        write_json(report, line)
    raise SystemExit(_EXITS[outcome.status])


def _tree(
    stages: list[Stage],
    source: Path,
    target: Path,
    quarantine: Path | None,
    report: Path | None,
    *,
    dry_run: bool,
) -> None:
    console = Console(stderr=True)
    columns = (
        TextColumn("cleaning"),
        BarColumn(),
        MofNCompleteColumn(),
        _FilesPerSecond(),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as bar:
        task: Any = None

        def progress(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bar.add_task("", total=total)
            bar.update(task, completed=done)

        result = apply_tree(stages, source, target, quarantine=quarantine, progress=progress, dry_run=dry_run)
    summary = result.as_dict()
    sys.stdout.write(json.dumps({"counts": summary["counts"], "reasons": summary["reasons"]}) + "\n")
    if report is not None:
        write_json(report, summary)
    if result.quarantined:
        raise SystemExit(3)


@app.command("lint")
def lint_script(
    script: Annotated[
        str, typer.Argument(help="Script, config.xml of CTP, or stroke, strict, pet-suv, net.")
    ],
    lookup: Annotated[Path | None, typer.Option(help="The lookup table it will run with.")] = None,
    output: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """Say what a script does wrong; exit 1 on a fatal or phi finding.

    Example: lethe profile lint site.script --lookup lookup.properties
    """
    path = _script_path(script)
    if not path.is_file():
        raise Misconfigured("script-missing", "The script cannot be read.", remedy="Name an existing file.")
    table = None if lookup is None else load_lookup(lookup)
    text = path.read_text(encoding="utf-8-sig")
    findings = lint_pipeline(path) if "<Configuration" in text else lint(read_script(text), table)
    if output == "json":
        sys.stdout.write(json.dumps([finding.as_dict() for finding in findings]) + "\n")
    else:
        _print_findings([[str(f.line), f.severity, f.rule, f.sentence, f.remedy] for f in findings])
    if any(finding.severity is not Severity.INFO for finding in findings):
        raise SystemExit(1)


def _print_findings(rows: list[list[str]]) -> None:
    table = Table("line", "severity", "rule", "what", "remedy")
    for row in rows:
        table.add_row(*row)
    Console().print(table if rows else "No findings.")


app.command("audit")(profile_study.audit_script)
app.command("rehearse")(profile_study.rehearse_scripts)
app.command("compile")(profile_study.compile_yaml)
app.command("describe")(profile_study.describe_profiles)
