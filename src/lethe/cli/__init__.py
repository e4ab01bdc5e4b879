"""``lethe NOUN VERB``: one module per noun, no logic of its own.

A noun is a module of this package that holds ``app`` (a `typer.Typer`) and ``HELP`` (one line). It is
imported only when it is called, so that a container with one extra installed can run its own nouns.
"""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from lethe import __version__
from lethe.errors import Outcome

NOUNS = {
    "access": "Access to a collection: list, grant, revoke, requests, approve, decline, audit, roles.",
    "archive": "The embedded archive: serve, check, stats, export.",
    "clinical": "Clinical tables: dictionary, check, link, upload, scramble, risk.",
    "collection": "Collections as code: plan, apply, show, progress, publish, example.",
    "command": "Commands of the Container Service: register, enable, launch, place, status, logs, kill.",
    "image": "Images: lane, convert, de-face, back to DICOM, check.",
    "intake": "Intake session: PRIDs, shifts, lookup table, sealing, search for leftovers.",
    "plugin": "The XNAT plugin: build, check, generate, release.",
    "profile": "Header profiles: apply, lint, audit, rehearse, compile, describe.",
    "send": "Clean a folder with a site kit and send it to the centre over HTTPS.",
    "site": "Sites: kit for a hospital, check of a kit or an installed CTP.",
    "xnat": "Moving in: import of an exported archive into an XNAT.",
}


class _Nouns(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return sorted(NOUNS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Return what the list of nouns shows: name and help, without the noun's own imports."""
        return TyperCommand(cmd_name, help=NOUNS[cmd_name]) if cmd_name in NOUNS else None

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Return the noun that is called, imported now."""
        name, _, rest = super().resolve_command(ctx, args)  # an unknown noun ends here
        command = typer.main.get_command(importlib.import_module(f"lethe.cli.{name}").app)
        command.name, command.help = name, NOUNS[str(name)]
        return name, command, rest


app = typer.Typer(cls=_Nouns, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _lethe(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Lethe: a de-identified imaging archive on XNAT."""


def main() -> None:
    """Run the command line; an `Outcome` becomes one clear line and its exit code."""
    try:
        app(prog_name="lethe")
    except Outcome as outcome:
        from rich.console import Console
        from rich.markup import escape

        text = escape(str(outcome))  # the code in brackets is not markup
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]lethe:[/] {text}", markup=True, soft_wrap=True)
        sys.exit(outcome.exit_code)
