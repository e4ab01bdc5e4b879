"""Kill -9 at random moments: the next run finishes; nothing is lost and nothing doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lethe.identity.leftovers import search
from lethe.xnat.trail import RESOURCE as TRAIL
from system.conftest import Walked, demo_command, demo_environment, run_demo
from system.test_demo import resource_of

pytestmark = pytest.mark.system

KILLS = 5


def stable(summary: dict) -> list[tuple[str, ...]]:
    """What must not depend on the random PRIDs: every series with its fate, sorted."""
    keys = ("lane", "nifti", "verdict", "clinical_row", "published")
    return sorted((row["series"], *(row[key] for key in keys)) for row in summary["rows"])


@pytest.mark.requirement("M-85")
@pytest.mark.timeout(1500)
def test_five_kills_and_the_walk_still_ends_as_an_undisturbed_one(walked: Walked, tmp_path: Path, capsys):
    rng = random.Random(20261122)
    folder = tmp_path / "demo"
    killed_at = []
    for _ in range(KILLS):
        seconds = rng.uniform(1, 8)
        process = subprocess.Popen(
            demo_command(folder),
            env=demo_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed_at.append(round(seconds, 1))
        time.sleep(rng.uniform(0, 1))
    assert len(killed_at) == KILLS, "the walk ended before it could be killed"
    last = run_demo(folder)
    assert last.returncode == 0, last.stdout[-3000:] + last.stderr[-3000:]
    summary = json.loads((folder / "summary.json").read_text())
    assert stable(summary) == stable(walked.summary)
    # which study goes which way follows from random UIDs; how much arrives does not
    assert {k: v for k, v in summary["counts"].items() if not k.startswith("by_")} == {
        k: v for k, v in walked.summary["counts"].items() if not k.startswith("by_")
    }
    planted = [text for person in walked.people for text in person.planted()]
    assert search([path for path in folder.iterdir() if path.name != "hospital"], planted) == []
    for project in ("DEMO_INTAKE", "DEMO"):
        after, usual = counted(folder, project), counted(walked.folder, project)
        # a deed is in the trail before it is done: one that was cut in between is there twice
        assert 0 <= after.pop(TRAIL, 0) - usual.pop(TRAIL, 0) <= KILLS
        assert after == usual
    with capsys.disabled():
        print(f"\nkilled after {killed_at} s")


def counted(folder: Path, project: str) -> dict[str, int]:
    """Number of stored files by resource label."""
    counts: dict[str, int] = {}
    for path in (folder / "archive" / "archive" / project).rglob("*"):
        if path.is_file():
            label = resource_of(path)
            counts[label] = counts.get(label, 0) + 1
    return counts
