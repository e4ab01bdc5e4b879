"""Run a command as a child process: for machines without a container engine.

The command line is the container's, with the mount paths replaced by folders of this machine. The child
is the leader of its own session; a watcher inside that session ends the whole group when the server
dies, however it dies. There is no isolation of network and files: only commands that an administrator
registered run, and what they could do to their input folder is checked by the caller.
"""

from __future__ import annotations

import math
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lethe.archive.containers.backends import LOG_BYTES, STDERR, STDOUT, Bind, Cause, Ending, RunSpec, Signals
from lethe.archive.containers.model import Limits
from lethe.errors import Unavailable

_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.25
_CLOSELY_SECONDS = 5.0
_GONE_SECONDS = 5.0
_PLAIN_PATH = re.compile(r"[\w./@+-]+", re.ASCII)
_SPARE_BYTES = 2 << 30
_PAGE = resource.getpagesize()
# $1 is the line; standard input is a pipe whose other end only the server holds open. The watcher ends
# the group when that pipe closes.
_SHELL = (
    "exec 3<&0 0</dev/null; { read line <&3; kill -KILL 0; } >/dev/null 2>&1 & "
    'exec 3<&-; exec /bin/sh -c "$1"'
)


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    leash: int
    alias: Path | None


class ProcessBackend:
    """Runs commands as children of the server; none of them outlives it."""

    name = "process"

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}
        self._lock = threading.Lock()

    def start(self, spec: RunSpec) -> str:
        """Start the command line in a session of its own; return ``process-{pid}-{name}``."""
        binds, alias = _plain_binds(spec)
        line = inner_to_host(spec.command_line, binds)
        environment = _environment(spec, binds)
        folder = inner_to_host(spec.working_directory, binds) or str(spec.scratch)
        read_end, leash = os.pipe()
        try:
            with (spec.logs / STDOUT).open("wb") as out, (spec.logs / STDERR).open("wb") as err:
                process = self._spawn(line, environment, folder, read_end, out.fileno(), err.fileno())
        except OSError as error:
            os.close(leash)
            raise Unavailable("process-start", "The command could not be started on this machine.") from error
        finally:
            os.close(read_end)
        _limit(process.pid, spec.limits)
        handle = f"process-{process.pid}-{spec.name}"
        with self._lock:
            self._children[handle] = _Child(process, leash, alias)
        return handle

    def _spawn(
        self, line: str, environment: Mapping[str, str], folder: str, leash: int, out: int, err: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", _SHELL, "sh", line],
            stdin=leash,
            stdout=out,
            stderr=err,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )

    def wait(self, handle: str, spec: RunSpec, signals: Signals) -> Ending:
        """Wait for the child, watching time, memory of the whole session and size of the logs.

        A child is no use without its server: detaching ends it, and the next server starts it anew.
        """
        with self._lock:
            child = self._children.get(handle)
        if child is None:
            return Ending(Cause.LOST)
        try:
            return self._end(handle, child, self._watch(child.process, spec, signals))
        except BaseException:
            self._end(handle, child, Cause.KILLED)
            raise

    def _watch(self, process: subprocess.Popen[bytes], spec: RunSpec, signals: Signals) -> Cause:
        started = time.monotonic()
        deadline, look = started + spec.timeout_seconds, 0.0
        while process.poll() is None:
            now = time.monotonic()
            if signals.kill.is_set():
                return Cause.KILLED
            if signals.detach.is_set():
                return Cause.DETACHED
            if now > deadline:
                return Cause.TIMEOUT
            if now >= look:
                # a short program would slip through between two looks
                look = now + (_WATCH_SECONDS if now > started + _CLOSELY_SECONDS else _POLL_SECONDS)
                cause = _over_limit(process.pid, spec)
                if cause is not None:
                    return cause
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        return Cause.EXITED

    def _end(self, handle: str, child: _Child, cause: Cause) -> Ending:
        """End what is left of the session, close the leash, forget the child."""
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        code = child.process.wait()
        _wait_until_gone(child.process.pid)
        os.close(child.leash)
        if child.alias is not None:
            child.alias.unlink(missing_ok=True)
            child.alias.parent.rmdir()
        with self._lock:
            self._children.pop(handle, None)
        return Ending(cause, 128 - code if code < 0 else code)

    def find(self, spec: RunSpec) -> str | None:
        """Return None: no child outlives the server that started it."""
        return None

    def remove(self, spec: RunSpec) -> None:
        """Do nothing: a child is gone when `wait` has returned."""


# ---- paths and environment --------------------------------------------------------------------------------


def inner_to_host(text: str, binds: tuple[Bind, ...]) -> str:
    """Replace the mount paths in a text by the folders of this machine, where they stand as whole paths.

    Examples
    --------
    >>> inner_to_host("cp /input/a /inputs/b", (Bind(Path("/x"), "/input"),))
    'cp /x/a /inputs/b'
    """
    by_path = {bind.inside.rstrip("/"): str(bind.host) for bind in binds}
    if not by_path:
        return text
    names = "|".join(re.escape(path) for path in sorted(by_path, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])(?:{names})(?![\w.-])", lambda hit: by_path[hit[0]], text)


def _plain_binds(spec: RunSpec) -> tuple[tuple[Bind, ...], Path | None]:
    """Give each mount a path that needs no quoting and names nothing of the archive: a link in scratch."""
    links = spec.scratch / "mounts"
    links.mkdir(parents=True, exist_ok=True)
    base, alias = links, None
    if not _PLAIN_PATH.fullmatch(str(links)):
        alias = Path(tempfile.mkdtemp(prefix="lethe-")) / "m"
        alias.symlink_to(links)
        base = alias
    binds = []
    for number, bind in enumerate(spec.binds):
        link = links / f"{number}"
        link.unlink(missing_ok=True)
        link.symlink_to(bind.host, target_is_directory=True)
        binds.append(Bind(base / link.name, bind.inside, bind.writable))
    return tuple(binds), alias


def _environment(spec: RunSpec, binds: tuple[Bind, ...]) -> dict[str, str]:
    """Return the whole environment of the child: nothing of the server's own is passed on."""
    scratch = str(spec.scratch)
    threads = str(max(1, math.ceil(spec.limits.cpus))) if spec.limits.cpus else str(os.cpu_count() or 1)
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        **{name: inner_to_host(value, binds) for name, value in spec.environment.items()},
    }


# ---- limits -----------------------------------------------------------------------------------------------


def _limit(pid: int, limits: Limits) -> None:
    """Set what the kernel enforces; the memory of all processes together is watched in `_over_limit`."""
    if not hasattr(resource, "prlimit"):
        return
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if limits.memory_mib:
            # a net below the watch, which is exact but looks only now and then
            most = (int(limits.memory_mib) << 20) + _SPARE_BYTES
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))
        if limits.cpus and hasattr(os, "sched_setaffinity"):
            allowed = sorted(os.sched_getaffinity(0))[: max(1, math.ceil(limits.cpus))]
            os.sched_setaffinity(pid, allowed)


def _over_limit(session: int, spec: RunSpec) -> Cause | None:
    if spec.limits.memory_mib and session_bytes(session) > spec.limits.memory_mib * (1 << 20):
        return Cause.OUT_OF_MEMORY
    for name in (STDOUT, STDERR):
        if (spec.logs / name).stat().st_size > LOG_BYTES:
            return Cause.LOG_FULL
    return None


def session_bytes(session: int) -> int:
    """Return the resident memory of all processes of a session, in bytes (0 where /proc is missing)."""
    return sum(pages for _, pages in _living(session)) * _PAGE


def _wait_until_gone(session: int) -> None:
    """Wait until no process of a session that was ended lives: only then is its output complete."""
    deadline = time.monotonic() + _GONE_SECONDS
    while any(True for _ in _living(session)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS / 10)


def _living(session: int) -> Iterator[tuple[int, int]]:
    """Yield process id and resident pages of the processes of a session; none where /proc is missing."""
    with suppress(FileNotFoundError):
        for entry in os.listdir("/proc"):
            if not entry.isdecimal():
                continue
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                # the name in brackets may hold blanks; behind it: state ppid pgrp session ... rss is field 24
                fields = Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()
                if len(fields) > 21 and int(fields[3]) == session and fields[0] not in (b"Z", b"X"):
                    yield int(entry), int(fields[21])
