"""How the scripts of the stack end: an outcome is one sentence and its exit code."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from lethe.errors import Outcome


def run(app: typer.Typer) -> None:
    """Run `app`; an expected ending is said in one line on standard error."""
    try:
        app()
    except Outcome as outcome:
        Console(stderr=True).print(str(outcome), markup=False, highlight=False, soft_wrap=True)
        sys.exit(outcome.exit_code)
