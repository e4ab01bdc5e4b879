"""``lethe send``: what CTP does at a site, in Python: clean, then upload over HTTPS."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lethe.cli._connection import PasswordFile, password
from lethe.cli._output import Output, Printed
from lethe.errors import Refused
from lethe.site import sending
from lethe.site.checking import check_folder
from lethe.site.model import TRUST, read
from lethe.xnat.client import connect
from lethe.xnat.records import utc_now

HELP = "Clean a folder with a site kit and send it to the centre over HTTPS."
app = typer.Typer(help=HELP)


@app.command()
def send(
    folder: Annotated[Path, typer.Argument(help="DICOM objects of the hospital; only read.")],
    kit: Annotated[Path, typer.Option(help="The site's kit, with its lookup table filled in.")],
    work: Annotated[Path, typer.Option(help="Folder for cleaned objects, quarantine and receipt.")],
    password_file: PasswordFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would pass; nothing is written or sent.")
    ] = False,
    output: Printed = Output.TABLE,
) -> None:
    """Clean and send; broken off, it goes on where it was when called again.

    Example: lethe send /data/export --kit kit-ZRH --work /data/lethe --password-file site.password
    """
    wrong = [one for one in check_folder(kit, now=utc_now()) if one.severity == "error"]
    if wrong:
        raise Refused(wrong[0].code, wrong[0].sentence, remedy="See all of it with: lethe site check.")
    described = read(kit)
    with _bars() as progress:
        receipt = sending.clean(described, kit, folder, work, progress, dry_run=dry_run)
        if not dry_run:
            secret = password(password_file)
            with _trusting(kit / TRUST), connect(described.archive, described.user, secret) as archive:
                receipt = sending.upload(archive, described, work, receipt, progress)
    if output is Output.JSON:
        typer.echo(json.dumps(receipt.as_dict(), indent=2, sort_keys=True))
    else:
        _show(receipt, work, dry_run)


def _show(receipt: sending.Receipt, work: Path, dry_run: bool) -> None:
    console = Console(highlight=False)
    held = sum(receipt.held.values())
    table = Table("what", "objects")
    table.add_row("found", str(receipt.objects))
    table.add_row("would be sent" if dry_run else "acknowledged by the archive", str(receipt.objects - held))
    for code, count in sorted(receipt.held.items()):
        table.add_row(f"held here: {code}", str(count))
    console.print(table)
    if not dry_run:
        console.print(f"receipt: {work / sending.RECEIPT}", markup=False, soft_wrap=True)
    if held:
        console.print(
            f"what is held stays at the site, with its reason: {work / sending.QUARANTINE}",
            markup=False, soft_wrap=True,
        )  # fmt: skip


@contextmanager
def _bars() -> Iterator[sending.Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield progress


@contextmanager
def _trusting(certificates: Path) -> Iterator[None]:
    """Trust the kit's certificates and no others; without any, those of this machine."""
    if not certificates.read_bytes().strip():
        yield
        return
    # requests looks here first; nothing else of this process makes connections
    before = os.environ.get("REQUESTS_CA_BUNDLE")
    os.environ["REQUESTS_CA_BUNDLE"] = str(certificates.resolve())
    try:
        yield
    finally:
        if before is None:
            del os.environ["REQUESTS_CA_BUNDLE"]
        else:
            os.environ["REQUESTS_CA_BUNDLE"] = before
