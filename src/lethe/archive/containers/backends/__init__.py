"""How a resolved command is run: one interface, two backends (Docker engine, child process)."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lethe.archive.containers.model import Limits

STDOUT, STDERR = "stdout.log", "stderr.log"
ENGINES = ("docker", "swarm")
"""Names of the backends whose runs outlive the server."""
RUN_LABEL = "lethe.run"
"""Label of a container with the name of its run."""
LOG_BYTES = 64 << 20
"""A run that writes more than this to one of its streams is ended."""


_ARBITRARY_UID = 61234


def default_user() -> str:
    """Return ``uid:gid`` for containers: never root.

    As an ordinary user the archive runs containers as itself, so that it can read what they write. As
    root it takes an arbitrary uid with the archive's own group: folders of the archive are 0750, so the
    group may read what is mounted, and no permission of the archive is widened.
    """
    return f"{os.getuid() or _ARBITRARY_UID}:{os.getgid()}"


class Cause(StrEnum):
    """Why a run is over."""

    EXITED = "exited"
    OUT_OF_MEMORY = "out of memory"
    TIMEOUT = "timeout"
    KILLED = "killed"
    LOG_FULL = "log full"
    LOST = "lost"
    """The backend no longer knows the run."""
    REJECTED = "rejected"
    """No machine would run it; `Ending.why` says what the swarm said."""
    DETACHED = "detached"
    """The server stops; the run itself may go on."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended; `code` is its exit code where it has one."""

    cause: Cause
    code: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder of this machine at a path of the container."""

    host: Path
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a backend needs to know of a run.

    Attributes
    ----------
    name : str
        Unique on this machine; the same after a restart of the server.
    logs : Path
        Folder that receives ``stdout.log`` and ``stderr.log``.
    scratch : Path
        Private empty folder (home and temporary files of a child process).
    user : str
        ``uid:gid`` of a container; empty for the backend's choice.
    timeout_seconds : float
        The run is ended after this long.
    """

    name: str
    image: str
    command_line: str
    environment: Mapping[str, str]
    binds: tuple[Bind, ...]
    logs: Path
    scratch: Path
    working_directory: str = ""
    override_entrypoint: bool = False
    limits: Limits = field(default_factory=Limits)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    timeout_seconds: float = 86400.0


@dataclass(slots=True)
class Signals:
    """What the scheduler tells a waiting backend."""

    kill: threading.Event = field(default_factory=threading.Event)
    detach: threading.Event = field(default_factory=threading.Event)


class Backend(Protocol):
    """Start, wait for and remove runs. Methods block; they are called from a thread of each run."""

    name: str

    def start(self, spec: RunSpec) -> str:
        """Start a run; return the id by which the backend knows it.

        Raises
        ------
        Unavailable
            The engine does not answer, or the image is not on this machine.
        """
        ...

    def wait(self, handle: str, spec: RunSpec, signals: Signals) -> Ending:
        """Wait until the run is over or must be ended; nothing of it runs when this returns.

        With ``signals.detach`` set it returns at once and leaves the run to itself.
        """
        ...

    def find(self, spec: RunSpec) -> str | None:
        """Return the handle of a run of this name that a former server started, if it is still known."""
        ...

    def remove(self, spec: RunSpec) -> None:
        """Forget a run and whatever is left of it; a run that is not known is no error."""
        ...
