"""``lethe collection``: a collection as a file, planned, applied and shown on any XNAT."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from lethe.cli import _collections as shown
from lethe.cli import _connection as connection
from lethe.cli._files import collection_file
from lethe.cli._output import Output, Printed
from lethe.cli._release import show_release
from lethe.errors import Refused
from lethe.governance.collection import Collection
from lethe.governance.definition import as_yaml
from lethe.governance.state import PLACES, Entry
from lethe.governance.trail import reason
from lethe.xnat.client import connect
from lethe.xnat.collections import apply_plan, make_plan
from lethe.xnat.found import read_state
from lethe.xnat.funnel import facts_of, funnel
from lethe.xnat.records import caller
from lethe.xnat.release import carry_out, make_release

DIFFERS = 6
"""Exit code of ``plan --exit-code`` when the archive is not what the file says."""

app = typer.Typer(
    no_args_is_help=True,
    help="Collections as code: plan, apply, show, progress, publish, example.",
    pretty_exceptions_enable=False,
)


File = Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The collection file.")]
Prune = Annotated[bool, typer.Option("--prune", help="Also remove what the file does not name.")]


def _chosen(text: str) -> Collection:
    if text.endswith((".yaml", ".yml")):
        return collection_file(Path(text))[0].collection
    return Collection(text)


@app.command(epilog="Example: lethe collection plan stroke.yaml --exit-code")
def plan(
    file: File,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    prune: Prune = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"End with {DIFFERS} when the archive differs from the file.")
    ] = False,
    output: Printed = Output.TABLE,
) -> None:
    """Print what apply would do; nothing is written."""
    definition, _ = collection_file(file)
    with connect(url, user, connection.password(password_file)) as archive:
        planned = make_plan(archive, definition, caller(archive), prune=prune)
    shown.show_plan(planned, as_json=output is Output.JSON)
    if exit_code and planned.plan.differs:
        raise typer.Exit(DIFFERS)


@app.command(epilog="Example: lethe collection apply stroke.yaml --why 'renewal of the Zurich agreement'")
def apply(
    file: File,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    prune: Prune = False,
    why: Annotated[
        str, typer.Option("--why", help="Reason for the audit trail; else the digest of the file.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    output: Printed = Output.TABLE,
) -> None:
    """Make the archive what the file says. A second time changes nothing; a cut run can be repeated."""
    definition, digest = collection_file(file)
    because = reason(why or f"collection file with SHA-256 {digest[:16]}")
    with connect(url, user, connection.password(password_file)) as archive:
        who = caller(archive)
        planned = make_plan(archive, definition, who, prune=prune)
        if not dry_run:
            with shown.bar("applying") as progress:
                apply_plan(archive, planned, who, why=because, progress=progress)
    shown.show_plan(planned, as_json=output is Output.JSON, done=not dry_run)


@app.command(epilog="Example: lethe collection show STROKE > stroke.yaml")
def show(
    collection: Annotated[str, typer.Argument(help="Name of the collection, or its file.")],
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
) -> None:
    """Print what the archive holds as a file that plan accepts without any difference."""
    chosen = _chosen(collection)
    with connect(url, user, connection.password(password_file)) as archive:
        state = read_state(archive, chosen)
    if not all(Entry("project", place) in state for place in PLACES):
        raise Refused(
            "no-collection",
            f"{chosen.name} and {chosen.intake} are not both there, or you may not see them.",
            remedy="Check the name and your roles.",
        )
    typer.echo(as_yaml(chosen, state), nl=False)


@app.command(epilog="Example: lethe collection progress STROKE")
def progress(
    collection: Annotated[str, typer.Argument(help="Name of the collection.")],
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Printed = Output.TABLE,
) -> None:
    """Count the subjects at each stage, from received to published, as the dashboard does."""
    with connect(url, user, connection.password(password_file)) as archive:
        found = funnel(facts_of(archive, Collection(collection)))
    shown.show_progress(
        {stage: len(labels) for stage, labels in found.items()}, as_json=output is Output.JSON
    )


@app.command(epilog="Example: lethe collection publish STROKE --why 'release 2, committee of 2026-05-04'")
def publish(
    collection: Annotated[str, typer.Argument(help="Name of the collection, or its file.")],
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    session: Annotated[
        list[str] | None,
        typer.Option("--session", help="Only this session (label; may be repeated), without the table."),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="The reason, one line; goes into the audit trail.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be published and what is held; write nothing.")
    ] = False,
    output: Printed = Output.TABLE,
) -> None:
    """Publish what passed every gate; say what is held, why, and what helps.

    What is held is no error. A second time changes nothing; a run that was cut can be repeated.
    """
    because = "" if dry_run else reason(why)
    chosen = _chosen(collection)
    with connect(url, user, connection.password(password_file)) as archive:
        with shown.bar("asking the gates") as progress:
            release = make_release(archive, chosen, sessions=session or (), progress=progress)
        if not dry_run:
            with shown.bar("publishing") as progress:
                carry_out(archive, release, caller(archive), why=because, progress=progress)
    show_release(release, as_json=output is Output.JSON, done=not dry_run)


@app.command(epilog="Example: lethe collection example > stroke.yaml")
def example() -> None:
    """Print a collection file with explanations, to start from."""
    typer.echo(resources.files("lethe.governance").joinpath("example.yaml").read_text("utf-8"), nl=False)
