"""``lethe site``: kits for hospitals, and their check."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lethe.cli._files import collection_file
from lethe.cli._output import Output, Printed
from lethe.errors import Refused
from lethe.site.checking import Finding, check_folder
from lethe.site.kit import Request, write_kit

HELP = "Sites: kit for a hospital, check of a kit or an installed CTP."
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Sites: kit for a hospital, check of a kit or an installed CTP."""


@app.command()
def kit(
    collection: Annotated[Path, typer.Argument(metavar="COLLECTION.yaml", help="The collection file.")],
    site: Annotated[str, typer.Argument(help="Code of the centre in that file.")],
    out: Annotated[Path, typer.Option(help="New folder for the kit.")],
    archive: Annotated[str, typer.Option(help="Address of the archive, https://...")],
    user: Annotated[str, typer.Option(help="Login of the site at the centre.")],
    ctp: Annotated[
        str, typer.Option(help="Host of the central CTP; without it the kit is for lethe send.")
    ] = "",
    trust: Annotated[Path | None, typer.Option(help="PEM file with certificates to trust.")] = None,
) -> None:
    """Write one folder that a hospital can use: profile, configuration, instructions, self-test.

    Example: lethe site kit stroke.yaml ZRH --out kit --archive https://archive.example.org --user zrh
    """
    request = Request(site, archive, user, ctp, trust)
    written = write_kit(collection_file(collection)[0], request, out, today=dt.datetime.now(dt.UTC).date())
    Console(highlight=False).print(f"kit of {written.name} for {written.collection}: {out}", markup=False)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A kit, or CTP's folder after the installation.")],
    output: Printed = Output.TABLE,
) -> None:
    """Check files, scripts, certificates and configuration, and clean the canaries; sends nothing.

    Example: lethe site check kit-ZRH
    """
    found = check_folder(folder, now=dt.datetime.now(dt.UTC))
    if output is Output.JSON:
        typer.echo(json.dumps([one.as_dict() for one in found], indent=2))
    else:
        _show(found)
    errors = sum(one.severity == "error" for one in found)
    if errors:
        raise Refused("site-check", f"{errors} thing(s) must be put right before anything is sent.")


def _show(found: list[Finding]) -> None:
    console = Console(highlight=False)
    if not found:
        console.print("all in order: files, scripts, certificates, configuration; the canaries were caught")
        return
    table = Table("", "where", "what", "what to do")
    for one in found:
        table.add_row(one.severity, one.where, f"{one.sentence} [{one.code}]".replace("[", "\\["), one.remedy)
    console.print(table)
