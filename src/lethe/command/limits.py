"""How many processors the container may use; numeric libraries otherwise start one thread for each."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
_BEYOND_ALL_MEMORY = 1 << 60
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def processors(cgroup: Path = CGROUP) -> int:
    """Return the CPU limit in whole processors, at least one.

    Parameters
    ----------
    cgroup : Path
        Where the kernel shows the limits, version 2 or 1.
    """
    usable = len(os.sched_getaffinity(0))
    quota, period = _quota(cgroup)
    return max(1, min(usable, quota // period)) if quota > 0 else usable


def _quota(cgroup: Path) -> tuple[int, int]:
    """Return microseconds of work allowed in each period; (-1, 1) where there is no limit."""
    try:
        return _numbers((cgroup / "cpu.max").read_text().split())
    except (OSError, ValueError):
        pass
    try:
        files = (cgroup / "cpu" / "cpu.cfs_quota_us", cgroup / "cpu" / "cpu.cfs_period_us")
        return _numbers([file.read_text() for file in files])
    except (OSError, ValueError):
        return (-1, 1)


def _numbers(words: list[str]) -> tuple[int, int]:
    quota, period = words
    return int(quota), int(period)


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """Return the memory limit of this container in bytes, None where there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            found = int((cgroup / name).read_text())
        except (OSError, ValueError):
            continue
        # version 1 writes a number beyond all memory for none
        return found if found < _BEYOND_ALL_MEMORY else None
    return None


def workers(most: int, bytes_each: int, cgroup: Path = CGROUP) -> int:
    """Return how many of `most` pieces of work may run at once within the limits, at least one.

    Parameters
    ----------
    most : int
        Pieces of work.
    bytes_each : int
        Memory that one of them may need.
    """
    limit = memory_limit(cgroup)
    fitting = most if limit is None else limit // bytes_each
    return max(1, min(most, processors(cgroup), fitting))


def memory_limit_hit(cgroup: Path = CGROUP) -> bool:
    """Tell whether the kernel killed a process of this container for its memory."""
    for name in ("memory.events", "memory/memory.oom_control"):
        try:
            words = (cgroup / name).read_text().split()
        except OSError:
            continue
        counters = dict(zip(words[::2], words[1::2], strict=False))
        return int(counters.get("oom_kill", "0")) > 0
    return False


def limit_threads(environment: MutableMapping[str, str], count: int) -> None:
    """Tell numeric libraries that are imported later to use `count` threads; what is set stays."""
    for name in _THREAD_VARIABLES:
        environment.setdefault(name, str(count))


def share_threads(environment: MutableMapping[str, str], workers: int) -> None:
    """Divide the threads of `limit_threads` among `workers` processes."""
    for name in _THREAD_VARIABLES:
        environment[name] = str(max(1, int(environment[name]) // workers))
