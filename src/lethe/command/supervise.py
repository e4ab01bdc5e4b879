"""A small parent process that outlives the work: it cleans up and says why the work was killed.

Inside a container the memory limit kills the process that uses most, which is the child. The parent
stays, removes the partial output and writes a sentence that a researcher understands.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from lethe.command.harness import KILLED, STOPPED, Stopped
from lethe.command.limits import memory_limit_hit

GRACE_SECONDS = 5.0
"""Less than the ten seconds that an engine waits between SIGTERM and SIGKILL."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05
_CHILD_SCORE = 500


def supervise(work: Callable[[TextIO, TextIO], int], clean: Callable[[], None]) -> int:
    """Run `work` in a child process and return its exit code.

    Parameters
    ----------
    work : callable
        Gets the streams for progress and errors; returns an exit code. Whatever libraries print by
        themselves goes nowhere, because it could name a patient.
    clean : callable
        Removes what a killed child may have left.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # what the work started and left behind becomes ours, to be ended below
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        _child(work)
    stop = _Stop(child)
    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        status = _wait(child, stop)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    _end_orphans()
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    clean()
    return _explain(-code, stopped=stop.asked)


class _Stop:
    """Pass a signal on to the child, and remember when."""

    def __init__(self, child: int) -> None:
        self._child = child
        self.asked: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.asked is None:
            self.asked = time.monotonic()
        _signal_child(self._child, signal.SIGTERM)


def _wait(child: int, stop: _Stop) -> int:
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        if stop.asked is not None and time.monotonic() - stop.asked > GRACE_SECONDS:
            _signal_child(child, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _signal_child(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        return


def _end_orphans() -> None:
    while found := _children():
        for number in found:
            _signal_child(number, signal.SIGKILL)
            os.waitpid(number, 0)


def _children() -> list[int]:
    own = os.getpid()
    try:
        return [int(word) for word in Path(f"/proc/{own}/task/{own}/children").read_text().split()]
    except OSError:  # a kernel without this list; in a container everything ends with this process anyway
        return []


def _child(work: Callable[[TextIO, TextIO], int]) -> NoReturn:
    code = 1
    try:
        die_with_parent()
        offer_to_the_memory_limit(_CHILD_SCORE)
        signal.signal(signal.SIGTERM, _raise_stopped)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        out, err = _streams()
        code = work(out, err)
    finally:
        os._exit(code)


def _raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def offer_to_the_memory_limit(score: int) -> None:
    """Let the kernel choose this process, and those it starts, before its parent, who can say what happened.

    Parameters
    ----------
    score : int
        Up to 1000; the highest is ended first. A process may raise its own score without any right.
    """
    try:
        Path("/proc/self/oom_score_adj").write_text(str(score))
    except OSError:  # without it the kernel takes the largest, which is nearly always the right one
        return


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, however it ends."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _streams() -> tuple[TextIO, TextIO]:
    """Keep the real output for ourselves; give libraries and their children the null device."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    err = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    return out, err


def _explain(number: int, *, stopped: float | None) -> int:
    if stopped is not None:
        line, code = "stopped: asked to end; nothing was written. [stopped]", STOPPED
    elif number == signal.SIGKILL and memory_limit_hit():
        line = "failed: The memory limit was reached. Raise limit-memory of the command. [out-of-memory]"
        code = KILLED
    else:
        line = f"failed: The work was killed by signal {number}. Launch it again. [killed]"
        code = 128 + number
    for stream in (sys.stdout, sys.stderr):
        stream.write(f"{line} (exit {code})\n")
        stream.flush()
    return code
