"""``lethe access``: who may do what in a collection, each change with a reason on the audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lethe.cli import _connection as connection
from lethe.cli._output import Output, Printed
from lethe.errors import Refused
from lethe.governance.collection import Collection
from lethe.governance.roles import markdown
from lethe.governance.state import COLLECTION, INTAKE
from lethe.governance.trail import Record, reason
from lethe.xnat.access import Access
from lethe.xnat.client import connect
from lethe.xnat.records import caller

app = typer.Typer(
    no_args_is_help=True,
    help="Access to a collection: list, grant, revoke, requests, approve, decline, audit, roles.",
    pretty_exceptions_enable=False,
)


Name = Annotated[str, typer.Argument(metavar="COLLECTION", help="Name of the collection.")]
Login = Annotated[str, typer.Argument(metavar="LOGIN", help="Login of the person.")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Number of the request.")]
Why = Annotated[str, typer.Option("--why", help="The reason, one line; goes into the audit trail.")]
Centre = Annotated[str, typer.Option("--centre", help="Code of the person's centre, to be recorded.")]
Intake = Annotated[bool, typer.Option("--intake", help="In the intake project, not in the collection.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]


@contextmanager
def _access(name: str, url: str, user: str, password: str) -> Iterator[Access]:
    collection = Collection(name)
    with connect(url, user, password) as archive:
        yield Access(archive, collection, caller(archive))


def _show(rows: Sequence[dict[str, Any]], output: Output, empty: str) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(list(rows), indent=2))
    elif not rows:
        typer.echo(empty)
    else:
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row.values()))
        Console(highlight=False).print(table)


def _say(record: Record | None, output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(None if record is None else _document(record), indent=2))
    elif record is None:
        typer.echo("Nothing to change.")
    else:
        typer.echo(f"Done; record {record.number} of the trail, digest {record.digest}")


def _document(record: Record) -> dict[str, Any]:
    return {**json.loads(record.data), "digest": record.digest}


@app.command("list", epilog="Example: lethe access list STROKE")
def list_holders(
    collection: Name,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Printed = Output.TABLE,
) -> None:
    """List who has which role, and the agreement that covers it today."""
    with _access(collection, url, user, connection.password(password_file)) as access:
        _show([asdict(one) for one in access.holders()], output, "Nobody has a role.")


@app.command(epilog="Example: lethe access grant STROKE reader collaborator --centre LIS --why 'project 12'")
def grant(
    collection: Name,
    login: Login,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="owner, member or collaborator.")],
    why: Why,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    centre: Centre = "",
    intake: Intake = False,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Give somebody a role; a former role is replaced."""
    because, place = reason(why), INTAKE if intake else COLLECTION
    with _access(collection, url, user, connection.password(password_file)) as access:
        if dry_run:
            access.check(login, role, centre=centre)
            typer.echo(f"{login} would get the role {role}.")
        else:
            _say(access.grant(login, role, why=because, place=place, centre=centre), output)


@app.command(epilog="Example: lethe access revoke STROKE reader --why 'project 12 has ended'")
def revoke(
    collection: Name,
    login: Login,
    why: Why,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    intake: Intake = False,
    dry_run: DryRun = False,
    output: Printed = Output.TABLE,
) -> None:
    """Take somebody's role away."""
    because, place = reason(why), INTAKE if intake else COLLECTION
    with _access(collection, url, user, connection.password(password_file)) as access:
        if dry_run:
            typer.echo(f"{login} would lose the role {access.role(login, place=place)}.")
        else:
            _say(access.revoke(login, why=because, place=place), output)


@app.command(epilog="Example: lethe access requests STROKE")
def requests(
    collection: Name,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Printed = Output.TABLE,
) -> None:
    """List the open requests for access."""
    with _access(collection, url, user, connection.password(password_file)) as access:
        _show([asdict(one) for one in access.requests()], output, "No open request.")


@app.command(epilog="Example: lethe access approve STROKE 3 --centre LIS --why 'project 12 was approved'")
def approve(
    collection: Name,
    number: Number,
    why: Why,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    centre: Centre = "",
    role: Annotated[str, typer.Option("--role", help="Grant this role instead of the one asked for.")] = "",
    output: Printed = Output.TABLE,
) -> None:
    """Grant what somebody asked for."""
    because = reason(why)
    with _access(collection, url, user, connection.password(password_file)) as access:
        _say(access.approve(number, why=because, centre=centre, role=role), output)


@app.command(epilog="Example: lethe access decline STROKE 3 --why 'no approved project'")
def decline(
    collection: Name,
    number: Number,
    why: Why,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Printed = Output.TABLE,
) -> None:
    """Close a request without granting anything."""
    because = reason(why)
    with _access(collection, url, user, connection.password(password_file)) as access:
        _say(access.decline(number, why=because), output)


@app.command(epilog="Example: lethe access audit STROKE --noted 9f86d081884c7d65...")
def audit(
    collection: Name,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    noted: Annotated[
        str, typer.Option("--noted", help="A digest you noted earlier; it must still be in the chain.")
    ] = "",
    output: Printed = Output.TABLE,
) -> None:
    """Print the audit trail and check it: chain, heads, authors, roles in force; exit code 4 on a fault."""
    with _access(collection, url, user, connection.password(password_file)) as access:
        found = access.audit(noted=noted)
    rows = [_document(record) for record in found.records]
    if output is Output.JSON:
        document = {"records": rows, "faults": found.faults, "outside": found.outside}
        typer.echo(json.dumps(document, indent=2))
    else:
        columns = [
            {"number": row["number"], "when": row["when"], "who": row["who"], "what": _words(row["what"]),
             "why": row["why"]}
            for row in rows
        ]  # fmt: skip
        _show(columns, output, "The trail is empty.")
        for fault in found.faults:
            typer.echo(f"FAULT: {fault}")
        for line in found.outside:
            typer.echo(f"outside of the trail: {line}")
    if found.faults:
        raise Refused(
            "trail-broken",
            f"The audit trail has {len(found.faults)} fault(s).",
            remedy="Ask the administrator of the archive for the last good backup and compare.",
        )
    if found.outside:
        raise Refused(
            "outside-trail",
            f"{len(found.outside)} role(s) in force are not what the trail tells.",
            remedy="Grant or revoke them with lethe access, and a reason.",
        )
    if output is Output.TABLE and found.records:
        typer.echo(f"{len(rows)} records, unbroken. Note outside of the archive: {rows[-1]['digest']}")


def _words(what: dict[str, Any]) -> str:
    if what.get("deed") == "role":
        if what.get("role") is None:
            return f"revoke {what['login']} in {what['project']}"
        return f"grant {what['login']} {what['role']} in {what['project']}"
    return str(what.get("sentence") or " ".join(f"{key} {value}" for key, value in what.items()))


@app.command(epilog="Example: lethe access roles")
def roles() -> None:
    """Print the table of roles, visibilities and rights (Markdown)."""
    typer.echo(markdown(), nl=False)
