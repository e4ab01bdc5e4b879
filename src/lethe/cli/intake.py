"""``lethe intake``: the session that gives patients their PRID and forgets them at its end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lethe.cli._output import Output, Printed, show_facts
from lethe.errors import Misconfigured, Refused
from lethe.identity import DestructionRecord, IntakeSession, Mode, Settings
from lethe.identity.leftovers import survey
from lethe.identity.originals import read_originals
from lethe.identity.promotion import check_promotion
from lethe.identity.promotion import promote as give_new

HELP = "Intake session: PRIDs, shifts, lookup table, sealing, search for leftovers."
app = typer.Typer(help=HELP, no_args_is_help=True)


Folder = Annotated[Path, typer.Argument(help="Folder of the session.")]
Key = Annotated[
    Path, typer.Option("--key", help="Key file of the session (mode 0600), apart from the folder.")
]
Column = Annotated[str, typer.Option(help="Column of a table with the original PatientID.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]


@app.command("open")
def open_session(
    folder: Folder,
    key: Key,
    width_bits: Annotated[int, typer.Option(help="Bits of a PRID, 16 to 128.")] = 16,
    mode: Annotated[
        Mode, typer.Option(help="anonymous: sealed at its end; pseudonymous: the site keeps the link.")
    ] = Mode.ANONYMOUS,
    after: Annotated[
        list[Path] | None,
        typer.Option(help="destruction-record.json of an earlier session of the collection; repeatable."),
    ] = None,
    output: Printed = Output.TABLE,
) -> None:
    """Open a session, or look whether the one there can be resumed.

    Example: lethe intake open /srv/stroke/session --key /media/dpo/stroke.key
    """
    taken = [prid for record in after or [] for prid in _record(record).prids]
    settings = Settings(width_bits=width_bits, mode=mode)
    session = IntakeSession.open(folder, key_file=key, settings=settings, taken=taken)
    show_facts(session.status(), output)


@app.command()
def add(
    folder: Folder,
    key: Key,
    source: Annotated[
        Path,
        typer.Option("--from", help="Folder of DICOM, table (.csv), or list with one identifier a line."),
    ],
    column: Column = "patient_id",
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Give every patient of a table, list or DICOM folder a PRID and a date shift.

    Example: lethe intake add session --key stroke.key --from registry.csv --column patient_id
    """
    originals = read_originals(source, column)
    session = IntakeSession.resume(folder, key_file=key)
    before = session.assignments
    new = sum(original not in before for original in originals)
    if not dry_run:
        session.assign(originals)
    show_facts({"read": len(originals), "new": new, "patients": len(session.assignments)}, output)


@app.command("lookup-table")
def lookup_table(
    folder: Folder,
    key: Key,
    to: Annotated[Path, typer.Option("--to", help="File to write, mode 0600; sealing destroys it.")],
    output: Printed = Output.TABLE,
) -> None:
    """Write the CTP lookup table (PRID and shift per patient); sealing destroys it.

    Example: lethe intake lookup-table session --key stroke.key --to /opt/CTP/scripts/stroke.properties
    """
    session = IntakeSession.resume(folder, key_file=key)
    session.write_lookup_table(to)
    show_facts({"patients": len(session.assignments)}, output)


@app.command()
def status(folder: Folder, key: Key, output: Printed = Output.TABLE) -> None:
    """Print state and counts of a session.

    Example: lethe intake status session --key stroke.key --output json
    """
    show_facts(IntakeSession.resume(folder, key_file=key).status(), output)


@app.command()
def seal(
    folder: Folder,
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for programs.")] = False,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Destroy lookup tables, key and link for ever; a signed record stays.

    Example: lethe intake seal session --key stroke.key --yes
    """
    session = IntakeSession.resume(folder, key_file=key)
    if dry_run:
        show_facts({**session.status(), "would_destroy": "link, key, lookup tables"}, output)
        return
    if not yes and not session.sealed:
        if not sys.stdin.isatty():
            raise Misconfigured("seal", "Sealing cannot be undone.", remedy="Confirm it with --yes.")
        typer.confirm("Nothing can be added to these patients afterwards. Seal?", abort=True)
    record = session.seal()
    show_facts(
        {name: record.as_dict()[name] for name in ("session", "sealed", "patients", "lookup_tables")}, output
    )


@app.command()
def promote(
    folder: Folder,
    key: Key,
    to: Annotated[Path, typer.Option("--to", help="Folder of the anonymous session; opened before.")],
    to_key: Annotated[Path, typer.Option(help="Key file of the anonymous session.")],
    cases: Annotated[
        Path, typer.Option("--cases", help="Pseudonyms of the complete cases: list, or table (.csv).")
    ],
    column: Annotated[str, typer.Option(help="Column of a table with the pseudonym.")] = "prid",
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Give complete cases of a pseudonymous session new identifiers and shifts in an anonymous one.

    The anonymous session knows only pseudonyms; `lethe intake lookup-table` and `lethe clinical link
    --patient-column prid` then work with these, and sealing forgets them.

    Example: lethe intake promote site --key site.key --to archive --to-key archive.key --cases complete.csv
    """
    wanted = read_originals(cases, column)
    source = IntakeSession.resume(folder, key_file=key)
    target = IntakeSession.resume(to, key_file=to_key)
    before = len(target.assignments)
    if dry_run:
        check_promotion(source, wanted, target)
    else:
        give_new(source, wanted, target)
    show_facts({"cases": len(wanted), "new": len(target.assignments) - before}, output)


@app.command()
def verify(
    roots: Annotated[list[Path], typer.Argument(help="Files and folders to search.")],
    originals: Annotated[
        Path, typer.Option(help="List, table or DICOM folder with the identifiers that must not be found.")
    ],
    column: Column = "patient_id",
    record: Annotated[
        Path | None, typer.Option(help="destruction-record.json whose signature is checked as well.")
    ] = None,
    output: Printed = Output.TABLE,
) -> None:
    """Search databases, files, logs and backups for original identifiers; exit code 4 when one is found.

    Example: lethe intake verify /srv/archive /var/log --originals registry.csv
    """
    if record is not None:
        _record(record).verify()
    result = survey(roots, read_originals(originals, column))
    if output is Output.JSON:
        typer.echo(json.dumps(result.as_dict(), indent=2, sort_keys=True))
    else:
        _show_survey(result.as_dict())
    if result.findings:
        raise Refused("leftovers", f"{len(result.findings)} places still hold an original identifier.")
    if result.unread:
        raise Refused("leftovers-unread", f"{len(result.unread)} places could not be read.")


def _record(path: Path) -> DestructionRecord:
    if not path.is_file():
        raise Misconfigured("no-record", "The destruction record does not exist.")
    return DestructionRecord.load(path)


def _show_survey(result: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    for finding in result["findings"]:
        place = f"{finding['path']} ({finding['kind']}, byte {finding['offset']})"
        console.print(f"entry {finding['which_index'] + 1} found: {place}", markup=False, highlight=False)
    for unread in result["unread"]:
        console.print(f"not read: {unread['path']} ({unread['reason']})", markup=False, highlight=False)
    console.print(f"{result['files']} files, {result['bytes'] / 1e6:.1f} MB, {len(result['findings'])} found")
