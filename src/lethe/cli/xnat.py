"""``lethe xnat``: an exported archive moves into an XNAT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lethe.cli._connection import PasswordFile, Url, User, password
from lethe.errors import Quarantined, Refused
from lethe.files import write_json
from lethe.xnat import moving_folder
from lethe.xnat.client import connect
from lethe.xnat.moving import Move
from lethe.xnat.moving_report import Receipt
from lethe.xnat.moving_target import Target

HELP = "Moving in: import of an exported archive into an XNAT."
app = typer.Typer(help=HELP, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Moving in: import of an exported archive into an XNAT."""


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder of lethe archive export; only read.")],
    url: Url,
    user: User,
    password_file: PasswordFile = None,
    seal: Annotated[str, typer.Option(help="The seal that the export printed, to be sure of it.")] = "",
    create_users: Annotated[
        bool,
        typer.Option("--create-users", help="Make missing accounts: disabled, with a password nobody knows."),
    ] = False,
    into_existing: Annotated[
        bool, typer.Option("--into-existing", help="Add to projects of that id that came from elsewhere.")
    ] = False,
    receipt: Annotated[
        Path | None, typer.Option(help="File of the receipt; else beside the folder, FOLDER-receipt.json.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be changed.")] = False,
    output: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Move an exported archive into an XNAT; broken off, it goes on where it was when called again.

    Nothing at the target is overwritten. A project stays private until everything of it has arrived.

    Example: lethe xnat import ./moving --url https://xnat.example.org --user admin --create-users
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {name: bars.add_task(name, total=None) for name in ("looking at the export", "moving")}
        looking, moving = tasks.values()
        export = moving_folder.read(
            folder, seal=seal, progress=lambda done, total: bars.update(looking, completed=done, total=total)
        )
        with connect(url, user, password(password_file)) as archive:
            move = Move(
                export, Target(archive, dry_run=dry_run), create_users=create_users,
                into_existing=into_existing,
                progress=lambda done, total: bars.update(moving, completed=done, total=total),
            )  # fmt: skip
            found = move.run()
    if not dry_run:
        file = receipt or folder.with_name(f"{folder.resolve().name}-receipt.json")
        write_json(file, found.as_dict(), mode=0o600)
    if output == "json":
        typer.echo(json.dumps(found.as_dict(), indent=2, sort_keys=True))
    else:
        _show(found, dry_run=dry_run)
    if found.refused:
        raise Quarantined(
            "not-taken",
            f"The target did not take {len(found.refused)} file(s); the receipt names them with the reason.",
            remedy="Clean or remove them at the source, export again, run again; the project stays private.",
        )
    if found.differs:
        raise Refused(
            "target-differs",
            f"{len(found.differs)} value(s) are others at the target and were left; the receipt names them.",
            remedy="Decide which are right; nothing is overwritten.",
        )


def _show(found: Receipt, *, dry_run: bool) -> None:
    console = Console(highlight=False)
    table = Table("what", "number")
    for name, number in found.counts.items():
        table.add_row(name, str(number))
    table.add_row("changes that would be made" if dry_run else "changes made", str(found.changes))
    table.add_row("files that would be sent" if dry_run else "files sent", str(found.sent))
    table.add_row("files compared at the target", str(found.compared))
    console.print(table)
    people = (
        ("without an account, role not given", found.people_missing),
        ("account with another mail, role not given", found.people_other_mail),
        ("account would be made, disabled" if dry_run else "account made, disabled", found.people_made),
    )
    for what, logins in people:
        if logins:
            console.print(f"{what}: {', '.join(logins)}", markup=False, soft_wrap=True)
    for line in found.not_kept:
        console.print(f"not kept: {line}", markup=False, soft_wrap=True)
