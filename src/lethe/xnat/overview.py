"""What ran in a project: counts by command and state, failures by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lethe.xnat import runs
from lethe.xnat.bulk import Ended, Group, by_reason
from lethe.xnat.client import Archive
from lethe.xnat.runs import Job
from lethe.xnat.wrappers import Wrapper

_STATES = ("complete", "running", "queued", "failed")
_MOST_LOGS = 100
Row = Mapping[str, Any]


def state_of(status: str) -> str:
    """Return one of complete, running, queued, failed."""
    if status == "Complete":
        return "complete"
    if runs.is_terminal(status):
        return "failed"
    return "queued" if status in ("Queued", "_Queued") else "running"


def _newest(rows: Iterable[Row]) -> list[Row]:
    """Return the newest run of each command on each object."""
    return list({runs.key_of(row): row for row in sorted(rows, key=lambda row: int(row["id"]))}.values())


def count(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return a row of counts per image; of several runs on an object the newest counts."""
    counted: dict[str, Counter[str]] = {}
    for row in _newest(rows):
        counted.setdefault(str(row["docker-image"]), Counter())[state_of(str(row["status"]))] += 1
    return [
        {"image": image, **{state: str(states[state]) for state in _STATES}}
        for image, states in sorted(counted.items())
    ]


def each_run(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return a row per run, the newest first."""
    return [
        {
            "run": str(row["id"]),
            "image": str(row["docker-image"]),
            "object": runs.root_value(row).removeprefix("/archive/"),
            "status": str(row["status"]),
        }
        for row in sorted(rows, key=lambda row: -int(row["id"]))
    ]


def failures(archive: Archive, rows: Sequence[Row]) -> list[Group]:
    """Return the objects whose newest run failed, by reason.

    The logs of the newest hundred are read; older ones are grouped by their state.
    """
    failed = [row for row in _newest(rows) if state_of(str(row["status"])) == "failed"]
    failed.sort(key=lambda row: -int(row["id"]))
    ended = []
    for place, row in enumerate(failed):
        number, status = str(row["id"]), str(row["status"])
        why = runs.reason(archive, number, status) if place < _MOST_LOGS else status
        wrapper = Wrapper(int(row["command-id"]), int(row["wrapper-id"]), "", "")
        ended.append(Ended(Job(wrapper, runs.root_value(row)), status, why or status, number))
    return by_reason(ended)
