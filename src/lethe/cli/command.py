"""``lethe command``: the commands of the Container Service on any XNAT."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lethe.cli import _connection as connection
from lethe.errors import Misconfigured, Refused
from lethe.xnat import commands
from lethe.xnat.client import connect

app = typer.Typer(
    no_args_is_help=True,
    help="Commands of the Container Service: register, enable, launch, status.",
    pretty_exceptions_enable=False,
)
console = Console()


class Output(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"


Format = Annotated[Output, typer.Option("--output", help="How to print the result.")]
Project = Annotated[str, typer.Option("--project", help="Project id.")]


def _show(rows: list[dict[str, str]], output: Output) -> None:
    if output is Output.json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(*(rows[0] if rows else ("nothing",)))
    for row in rows:
        table.add_row(*row.values())
    console.print(table)


@app.command(
    epilog="Example: lethe command register xnat-containers/deface/command.json"
)
def register(
    files: Annotated[list[Path], typer.Argument(help="command.json files.")],
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Format = Output.table,
) -> None:
    """Register commands; one that is there in the same version is found, not doubled."""
    definitions = []
    for file in files:
        try:
            definitions.append(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            raise Misconfigured(
                "command-file", f"{file.name} is no readable command.json.", remedy="Check it."
            ) from None
    with connect(url, user, connection.password(password_file)) as archive:
        rows = [
            {"command": definition["name"], "wrapper": wrapper.name, "wrapper-id": str(wrapper.wrapper_id)}
            for definition in definitions
            for wrapper in commands.register(archive, definition)
        ]
    _show(rows, output)


@app.command(
    epilog="Example: lethe command enable deface-scan --project STROKE_INTAKE"
)
def enable(
    wrapper: Annotated[str, typer.Argument(help="Name of the wrapper.")],
    project: Project,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
) -> None:
    """Enable a wrapper for the site and for one project."""
    with connect(url, user, connection.password(password_file)) as archive:
        commands.enable(archive, project, commands.registered(archive, wrapper))
    console.print(f"{wrapper} is enabled in {project}.")


@app.command(
    epilog="Example: lethe command launch deface-scan /archive/experiments/XNAT_E00001/scans/2 --project C"
)
def launch(
    wrapper: Annotated[str, typer.Argument(help="Name of the wrapper.")],
    objects: Annotated[list[str], typer.Argument(help="Archive URIs of the objects to run on.")],
    project: Project,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Format = Output.table,
) -> None:
    """Launch a command on objects, wait, and say how each run ended; exit 4 when one failed."""
    with (
        connect(url, user, connection.password(password_file)) as archive,
        Progress(console=Console(stderr=True)) as bar,
    ):
        jobs = [commands.Job(commands.registered(archive, wrapper), uri) for uri in objects]
        task = bar.add_task(wrapper, total=len(jobs))
        ended = commands.run_all(
            archive, project, jobs, progress=lambda done, _total: bar.update(task, completed=done)
        )
    _show([{"object": run.job.root_uri, "status": run.status, "reason": run.reason} for run in ended], output)
    failed = sum(not run.complete for run in ended)
    if failed:
        raise Refused(
            "runs-failed", f"{failed} of {len(ended)} runs failed.", remedy="The reasons stand above."
        )


@app.command(
    epilog="Example: lethe command status --project STROKE_INTAKE"
)
def status(
    project: Project,
    url: connection.Url,
    user: connection.User,
    password_file: connection.PasswordFile = None,
    output: Format = Output.table,
) -> None:
    """List the runs of a project."""
    with connect(url, user, connection.password(password_file)) as archive:
        rows = commands.containers(archive, project)
    _show(
        [
            {"run": str(row["id"]), "image": str(row["docker-image"]), "status": str(row["status"])}
            for row in rows
        ],
        output,
    )
