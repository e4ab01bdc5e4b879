"""``lethe NOUN VERB``: one module per noun, no logic of its own.

A noun is a module of this package that holds ``app`` (a `typer.Typer`) and ``HELP`` (one line). It is
imported only when it is called, so that a container with one extra installed can run its own nouns.
"""

from __future__ import annotations

import importlib
import sys

import click
import typer
from rich.console import Console
from rich.markup import escape

from lethe.errors import Outcome

NOUNS = {
    "archive": "The embedded archive: serve, check, stats.",
    "clinical": "Clinical tables: dictionary, link, scramble.",
    "command": "Commands of the Container Service: register, enable, launch, status.",
    "image": "Images: lane, convert, de-face.",
    "intake": "Intake session: PRIDs, shifts, lookup table, sealing, search for leftovers.",
    "profile": "Header profiles: run a CTP anonymizer script.",
}


class _Nouns(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        app = importlib.import_module(f"lethe.cli.{cmd_name}").app
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command


def main() -> None:
    """Run the command line; an `Outcome` becomes one clear line and its exit code."""
    group = _Nouns("lethe", help="Lethe: a de-identified imaging archive on XNAT.", no_args_is_help=True)
    try:
        group.main(args=sys.argv[1:], prog_name="lethe", standalone_mode=True)
    except Outcome as outcome:
        text = escape(str(outcome))  # the code in brackets is not markup
        Console(stderr=True).print(f"[bold red]lethe:[/] {text}", highlight=False, markup=True)
        sys.exit(outcome.exit_code)
