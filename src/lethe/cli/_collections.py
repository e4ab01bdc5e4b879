"""How plans and trails are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from lethe.governance.changes import Change
from lethe.xnat.collections import Planned

_SIGNS = {"add": "[green]+[/]", "change": "[yellow]~[/]", "remove": "[red]-[/]"}


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows on a terminal how many are done of how many."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def plan_document(planned: Planned) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "collection": planned.collection.name,
        "differs": planned.plan.differs,
        "changes": [change.as_dict(planned.collection) for change in planned.plan.changes],
        "kept": [change.as_dict(planned.collection) for change in planned.plan.kept],
        "warnings": list(planned.plan.warnings),
    }


def show_plan(planned: Planned, *, as_json: bool, done: bool = False) -> None:
    """Print a plan, or what was done of it."""
    if as_json:
        typer.echo(json.dumps({**plan_document(planned), "applied": done}, indent=2, sort_keys=True))
        return
    console = Console(highlight=False)
    plan = planned.plan
    if plan.changes:
        console.print(_table("done" if done else "to do", planned, plan.changes))
    if plan.kept:
        console.print(_table("not in the file, kept (--prune removes)", planned, plan.kept))
    for warning in plan.warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    count = len(plan.changes)
    if done:
        console.print(f"{count} change{'' if count == 1 else 's'} made.")
    elif plan.changes:
        console.print(
            f"{count} change{'' if count == 1 else 's'} to make; lethe collection apply makes them."
        )
    else:
        console.print("Nothing to change.")


def show_progress(counts: Mapping[str, int], *, as_json: bool) -> None:
    """Print how many subjects reached each stage."""
    if as_json:
        typer.echo(json.dumps(counts, indent=2))
        return
    table = Table("stage", "subjects", "share")
    for stage, count in counts.items():
        share = f"{count / counts['received']:.0%}" if counts["received"] else ""
        table.add_row(stage, str(count), share)
    Console(highlight=False).print(table)


def _table(title: str, planned: Planned, changes: tuple[Change, ...]) -> Table:
    table = Table("", title, show_header=True)
    for change in changes:
        table.add_row(_SIGNS[change.verb], escape(change.sentence(planned.collection)))
    return table
