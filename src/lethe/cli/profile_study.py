"""``lethe profile`` audit, rehearse, compile and describe: what a profile does, before it runs anywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lethe.errors import Misconfigured
from lethe.files import write_bytes
from lethe.header import Anonymizer, Script, bundled_profile, bundled_script, load_lookup, load_script
from lethe.header.audit import AnyPatient, Audit, audit
from lethe.header.describe import describe
from lethe.header.deviations import load_deviations
from lethe.header.e1 import EDITION
from lethe.header.profile import Profile, compile_profile, load_profile
from lethe.header.rehearse import Rehearsal, rehearse
from lethe.header.script import read_script


def audit_script(
    script: Annotated[str, typer.Argument(help="Script, profile (.yaml), or the name of a packaged one.")],
    edition: Annotated[str, typer.Option(help="Edition of PS3.15 Table E.1-1.")] = EDITION,
    option: Annotated[
        list[str] | None, typer.Option(help="Method code of a chosen option; else those the script writes.")
    ] = None,
    output: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """Run a script on planted values and compare with PS3.15 Table E.1-1; exit 1 when a value survives.

    Example: lethe profile audit strict
    """
    result = audit(_script(script, as_ctp=True), edition=edition, options=option)
    if output == "json":
        sys.stdout.write(json.dumps(result.as_dict()) + "\n")
    else:
        _print_audit(result)
    if result.survivors:
        raise SystemExit(1)


def _print_audit(result: Audit) -> None:
    covered, total = result.coverage
    summary = result.as_dict()
    console = Console()
    console.print(f"Edition {result.edition}, options {', '.join(result.options) or 'none'}")
    console.print(f"Attributes of which nothing survives: {covered}/{total}")
    console.print(f"As the table says: {summary['verdicts'].get('met', 0)}; ", end="")
    console.print(f"gone in another way than it says: {summary['verdicts'].get('gone', 0)}")
    table = Table("tag", "attribute", "demanded", "done", "survives in")
    for finding in result.survivors:
        row = finding.as_dict()
        more = len(finding.survivors) - 1
        where = finding.survivors[0] + (f" and {more} more" if more else "")
        table.add_row(row["tag"], row["keyword"], row["demand"], ", ".join(row["acts"]), where)
    console.print(table if result.survivors else "No survivor.")


def _script(name: str, *, as_ctp: bool = False) -> Script:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return read_script(compile_profile(load_profile(path)))
    return load_script(path if path.suffix or "/" in name else bundled_script(name), as_ctp=as_ctp)


def rehearse_scripts(
    old: Annotated[str, typer.Argument(help="Script or profile in use.")],
    new: Annotated[str, typer.Argument(help="The changed one.")],
    folder: Annotated[Path, typer.Argument(help="Stored DICOM objects; only read.")],
    lookup: Annotated[
        Path | None, typer.Option(help="Lookup table; without it every patient is taken as known.")
    ] = None,
    output: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """Say which attributes of which stored series would change if the profile changed; never a value.

    Example: lethe profile rehearse stroke profiles/stroke-new.yaml /data/site-07
    """
    if not folder.is_dir():
        raise Misconfigured("no-source", "The source is no folder.", remedy="Name a folder of objects.")
    table = AnyPatient() if lookup is None else load_lookup(lookup)
    engines = [Anonymizer(_script(name), table) for name in (old, new)]
    result = _with_progress(lambda tick: rehearse(engines[0], engines[1], folder, progress=tick))
    if output == "json":
        sys.stdout.write(json.dumps(result.as_dict()) + "\n")
        return
    rows = Table("series", "modality", "attribute", "old", "new", "objects")
    for change in result.changes:
        rows.add_row(*(str(value) for value in change.as_dict().values()))
    console = Console()
    console.print(f"{result.objects} objects, {result.series} series")
    console.print(rows if result.changes else "Nothing would change.")


def _with_progress(work: Callable[[Callable[[int, int], None]], Rehearsal]) -> Rehearsal:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task("comparing", total=None)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def compile_yaml(
    profile: Annotated[Path, typer.Argument(help="Profile (YAML).")],
    target: Annotated[Path, typer.Argument(help="Script to write.")],
    deviation: Annotated[
        list[Path] | None, typer.Option(help="Approved deviations (YAML); expired or unsigned: refused.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say whether the script would change.")
    ] = False,
) -> None:
    """Compile a profile into a CTP anonymizer script.

    Example: lethe profile compile ctp-profiles/profiles/stroke.yaml ctp-profiles/client/stroke.script
    """
    approved = load_deviations(deviation or [], today=datetime.now(UTC).date())
    text = compile_profile(load_profile(profile, approved)).encode()
    same = target.is_file() and target.read_bytes() == text
    if not dry_run and not same:
        write_bytes(target, text)
    sys.stdout.write(json.dumps({"changed": not same, "written": not dry_run and not same}) + "\n")


def describe_profiles(
    profiles: Annotated[list[str], typer.Argument(help="Profiles (.yaml), or names of packaged ones.")],
) -> None:
    """Print what profiles do to each attribute, as a Markdown table.

    Example: lethe profile describe stroke strict pet-suv net
    """
    sys.stdout.write(describe([_profile(name) for name in profiles]))


def _profile(name: str) -> Profile:
    path = Path(name)
    return load_profile(path if path.suffix else bundled_profile(name))
