"""Several pieces of work at once, in processes of their own."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from lethe.command import parallel
from lethe.command.parallel import Failed, each
from lethe.errors import Refused, Unavailable


def test_results_come_in_the_order_of_the_tasks_and_never_more_run_than_allowed(tmp_path: Path) -> None:
    def work(number: int) -> dict[str, Any]:
        mine = tmp_path / f"{number}"
        mine.touch()
        deadline = time.monotonic() + 30
        while number == 0 and len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.03)  # a third one would show
        at_once = len(list(tmp_path.iterdir()))
        mine.unlink()
        return {"number": number, "at_once": at_once, "pid": os.getpid()}

    found = [result for result in each(range(5), work, 2) if isinstance(result, dict)]
    assert [one["number"] for one in found] == list(range(5))
    assert max(one["at_once"] for one in found) == 2
    assert os.getpid() not in {one["pid"] for one in found}


@pytest.mark.requirement("L-13")
def test_one_that_fails_errs_or_is_killed_stops_no_other() -> None:
    def work(kind: str) -> dict[str, Any]:
        if kind == "refused":
            raise Refused("cut-short", "It is cut short.", remedy="Send it again.")
        if kind == "error":
            raise ValueError("MUSTERMANN^ERIKA")
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"kind": kind}

    good, refused, error, killed, last = each(["good", "refused", "error", "killed", "last"], work, 2)
    assert (good, last) == ({"kind": "good"}, {"kind": "last"})
    assert refused == Failed("cut-short", "It is cut short.", "Send it again.")
    assert isinstance(error, Failed)
    assert error.code == "program-error"
    assert "ValueError at parallel.py" in error.sentence
    assert "MUSTERMANN" not in error.sentence
    assert isinstance(killed, Failed)
    assert (killed.code, killed.sentence) == ("killed", "The work was killed by signal 9.")


def test_what_needed_too_much_memory_beside_another_is_tried_again_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parallel, "memory_limit_hit", lambda: True)

    def work(number: int) -> dict[str, Any]:
        mine = tmp_path / f"{number}"
        again = mine.exists()
        mine.touch()
        if number == 1 and not again:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 2:
            raise MemoryError
        return {"again": again}

    one, two, three = each([0, 1, 2], work, 3)
    assert (one, two) == ({"again": False}, {"again": True})
    assert isinstance(three, Failed)
    assert three.code == "out-of-memory"


def test_a_full_disk_ends_all_and_leaves_no_process(tmp_path: Path) -> None:
    def work(number: int) -> dict[str, Any]:
        if number == 0:
            raise OSError(errno.ENOSPC, "no space", "/secret/name")
        (tmp_path / f"{os.getpid()}").touch()
        time.sleep(30)
        return {}

    with pytest.raises(Unavailable, match="disk of the output folder is full"):
        each([0, 1], work, 2)
    assert all(not Path(f"/proc/{path.name}").exists() for path in tmp_path.iterdir())


def test_the_kernel_takes_a_worker_before_the_one_that_can_tell_about_it() -> None:
    def work(number: int) -> dict[str, Any]:
        return {"score": int(Path("/proc/self/oom_score_adj").read_text())}

    (found,) = each([0], work, 1)
    assert found == {"score": 1000}
    assert int(Path("/proc/self/oom_score_adj").read_text()) < 1000
