"""The parent process, in a process of its own as in a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, subprocess, sys, time
from pathlib import Path
from lethe.command.harness import report
from lethe.command.outputs import clear, workplace
from lethe.command.progress import Progress
from lethe.command.supervise import supervise

output = Path(sys.argv[1])

def work(out, err):
    say = Progress(out, time.monotonic)
    def task():
        with workplace(output) as work:
            (work / "half").write_bytes(b"partial")
            print("NAME^OF^PATIENT", flush=True)
            sys.stderr.write("NAME^OF^PATIENT")
            subprocess.run(["echo", "NAME^OF^PATIENT"])
            say("working")
            {action}
    return report(task, say, err)

sys.exit(supervise(work, lambda: clear(output)))
"""


def _start(output: Path, action: str) -> subprocess.Popen[str]:
    program = textwrap.dedent(PROGRAM).replace("{action}", action)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def _wait_for_work(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert "working" in process.stdout.readline()


def test_what_libraries_and_their_children_print_reaches_no_log(tmp_path: Path) -> None:
    code, out, err = _finish(_start(tmp_path, "pass"))
    assert (code, err) == (0, "")
    assert out.splitlines() == ["    0.0 s  working"]


@pytest.mark.requirement("T-13")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_cleans_up_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    process = _start(tmp_path, "time.sleep(30)")
    _wait_for_work(process)
    process.send_signal(number)
    code, _, err = _finish(process)
    assert code == 143
    assert "asked to end; nothing was written" in err
    assert list(tmp_path.iterdir()) == []


def test_when_the_work_is_killed_the_parent_cleans_up_and_gives_the_reason(tmp_path: Path) -> None:
    code, _, err = _finish(_start(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)"))
    assert code == 137
    assert "killed by signal 9" in err
    assert list(tmp_path.iterdir()) == []


def test_when_the_parent_is_killed_the_work_ends_too(tmp_path: Path) -> None:
    process = _start(tmp_path, "say(str(os.getpid())); time.sleep(30)")
    _wait_for_work(process)
    assert process.stdout is not None
    worker = int(process.stdout.readline().split()[-1])
    process.kill()
    _finish(process)
    for _ in range(600):
        if not Path(f"/proc/{worker}/cmdline").exists() or not Path(f"/proc/{worker}/cmdline").read_bytes():
            return
        time.sleep(0.05)
    pytest.fail("the work went on without its parent")


def test_children_of_the_work_do_not_outlive_it(tmp_path: Path) -> None:
    action = "child = subprocess.Popen(['sleep', '60']); say(str(child.pid)); os.kill(os.getpid(), 9)"
    process = _start(tmp_path, action)
    _wait_for_work(process)
    assert process.stdout is not None
    child = int(process.stdout.readline().split()[-1])
    assert _finish(process)[0] == 137
    status = Path(f"/proc/{child}/stat")
    for _ in range(600):
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("a child of the work goes on")


def test_folders_may_be_named_relative_to_where_one_stands(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in/scan_catalog.xml").write_text("<x/>")
    program = [sys.executable, "-c", "import lethe.command; lethe.command.main()"]
    words = ["deface", "--input", "in", "--output", "out"]
    done = subprocess.run(program + words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "no NIfTI image" in done.stderr
