"""How bulk launches are shown: a live table while they run, failures by reason at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from lethe.xnat.bulk import Ended, Group, Tally
from lethe.xnat.plan import Plan

_SHOWN = 5
_LINE_S = 10.0


def minutes(seconds: float | None) -> str:
    """Return a time as ``1:05:09`` or ``2:09``; ``-`` for None.

    >>> minutes(129.2), minutes(3909), minutes(None)
    ('2:09', '1:05:09', '-')
    """
    if seconds is None:
        return "-"
    whole, second = divmod(round(seconds), 60)
    hour, minute = divmod(whole, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def tally_table(name: str, tally: Tally) -> Table:
    """Return one line that says where a bulk launch stands."""
    table = Table("command", "done", "running", "queued", "not launched", "failed", "of", "time left")
    left = "archive does not answer" if tally.away else minutes(tally.left_s)
    counts = (tally.done, tally.running, tally.queued, tally.waiting, tally.failed, tally.total)
    table.add_row(name, *(str(count) for count in counts), left)
    return table


def tally_line(name: str, tally: Tally) -> str:
    """Return the same as one line of text, for logs."""
    text = f"{name}: {tally.done} of {tally.total} done, {tally.running} running, {tally.queued} queued"
    text += f", {tally.waiting} not launched, {tally.failed} failed"
    return text + (", archive does not answer" if tally.away else f", {minutes(tally.left_s)} left")


class Board:
    """Shows what a bulk launch reports: a live table on a terminal, else a line every ten seconds.

    Parameters
    ----------
    name : str
        What is launched.
    live : Live or None
        The table on a terminal.
    out : callable
        Takes a line where there is no terminal.
    clock : callable
        Seconds.
    """

    def __init__(
        self, name: str, live: Live | None, out: Callable[[str], object], clock: Callable[[], float]
    ) -> None:
        self._name = name
        self._live = live
        self._out = out
        self._clock = clock
        self._next = clock()
        self.last = Tally(0, 0, 0, 0, 0)

    def update(self, tally: Tally) -> None:
        """Show where things stand."""
        self.last = tally
        if self._live is not None:
            self._live.update(tally_table(self._name, tally))
        elif self._clock() >= self._next:
            self._next = self._clock() + _LINE_S
            self._out(tally_line(self._name, tally))


@contextmanager
def board(name: str) -> Iterator[Board]:
    """Give a board that shows on the error stream."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Board(name, None, lambda line: typer.echo(line, err=True), time.monotonic)
        return
    with Live(console=console, refresh_per_second=4) as live:
        yield Board(name, live, lambda _: None, time.monotonic)


def failure_tables(groups: Sequence[Group], names: dict[str, str]) -> Iterable[Table]:
    """Return a table of failures by reason; a reason never holds a value from a patient."""
    table = Table("failed", "reason", "where", show_lines=True)
    for group in groups:
        places = [f"{_name(run, names)} (run {run.container or '-'})" for run in group.ended[:_SHOWN]]
        more = len(group.ended) - _SHOWN
        where = "\n".join([*places, *([f"and {more} more"] if more > 0 else [])])
        table.add_row(str(len(group.ended)), escape(group.reason or group.ended[0].status), escape(where))
    return [table] if groups else []


def _name(run: Ended, names: dict[str, str]) -> str:
    return names.get(run.job.root_uri) or run.job.root_uri.removeprefix("/archive/")


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "wrapper": plan.wrapper.name,
        "project": plan.project,
        "launch": [target.uri for target in plan.waiting],
        "running": sorted(plan.running),
        "done": [target.uri for target in plan.done],
        "left-out-failed": [target.uri for target in plan.failed],
    }


def result_document(plan: Plan, ended: Sequence[Ended], groups: Sequence[Group]) -> dict[str, Any]:
    """Return the end of a bulk launch as JSON."""
    return {
        "wrapper": plan.wrapper.name,
        "project": plan.project,
        "already-done": len(plan.done),
        "complete": sum(run.complete for run in ended),
        "failed": sum(not run.complete for run in ended),
        "failures": [
            {
                "reason": group.reason,
                "count": len(group.ended),
                "objects": [run.job.root_uri for run in group.ended],
            }
            for group in groups
        ],
        "runs": [
            {
                "object": run.job.root_uri,
                "status": run.status,
                "reason": run.reason,
                "run": run.container,
            }
            for run in ended
        ],
    }
