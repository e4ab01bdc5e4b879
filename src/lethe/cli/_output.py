"""How a verb prints: a table for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table


class Output(StrEnum):
    """What ``--output`` takes."""

    TABLE = "table"
    JSON = "json"


Printed = Annotated[Output, typer.Option("--output", help="How to print.")]


def show_facts(facts: Mapping[str, object], output: Output) -> None:
    """Print names with their values; what lies within a value is indented under its name."""
    if output is Output.JSON:
        typer.echo(json.dumps(facts, indent=2, sort_keys=True, default=str))
        return
    table = Table(show_header=False, box=None)
    for name, value in _rows(facts, 0):
        table.add_row(name, value)
    Console().print(table)


def _rows(facts: Mapping[str, object], depth: int) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        words = str(name).replace("_", " ") if str(name).isidentifier() else str(name)  # else a file's name
        label = "  " * depth + escape(words)
        if isinstance(value, Mapping) and value:
            yield label, ""
            yield from _rows(value, depth + 1)
        elif isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
            yield label, ""
            for number, one in enumerate(value, 1):
                yield from _rows({str(number): one}, depth + 1)
        elif isinstance(value, list | tuple):
            yield label, escape(", ".join(map(str, value))) or "none"
        else:
            yield label, escape("unknown" if value is None else str(value))
