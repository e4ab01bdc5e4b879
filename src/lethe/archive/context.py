"""What every part of the archive is handed: the store, the settings, the clock, the log, the events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from starlette.routing import BaseRoute

from lethe.archive.settings import Settings
from lethe.archive.store import Clock, Store, utc_now


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an item.

    `kind` and `status` as XNAT's event service names them: ``ProjectEvent``, ``SubjectEvent``,
    ``SessionEvent`` (an image session), ``SubjectAssessorEvent``, ``ImageAssessorEvent``, ``ScanEvent``,
    ``ResourceEvent``; ``CREATED``, ``UPDATED``, ``MERGED``, ``DELETED``. `uri` is an archive URI
    (``/archive/experiments/XNAT_E00001``).
    """

    kind: str
    status: str
    project: str
    uri: str
    xsi_type: str
    login: str


@dataclass(slots=True)
class Bus:
    """Tell listeners of events, in the transaction that makes them true.

    A listener only writes a note into the database and returns: the change and the note are committed
    together or not at all, so that no crash loses an event.
    """

    _listeners: list[Callable[[Event], None]] = field(default_factory=list)

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for every later event."""
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Hand `event` to every listener."""
        for listener in self._listeners:
            listener(event)


@dataclass(slots=True)
class Context:
    """The archive as its parts see it.

    Attributes
    ----------
    root : Path
        Folder of the archive (``archive/``, ``prearchive/``, ``build/``, ``cache/`` below it).
    store : Store
        Database and files.
    settings : Settings
        Site configuration (``siteConfig``), persistent.
    clock : Clock
        Source of the present moment.
    logger : logging.Logger
        For operators; never a value of a patient.
    events : Bus
        What happened, for event subscriptions.
    http_url : str
        Address of this server as clients reach it; set when the server starts.
    dicom_port : int or None
        Port of the C-STORE receiver, None without one.
    backend : str
        ``auto``, ``docker`` or ``process``: how commands are run.
    parts : dict
        What a sub-package keeps between `start` and `stop` (its runner, its receiver), under its name.
    """

    root: Path
    store: Store
    settings: Settings
    clock: Clock = utc_now
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("lethe.archive"))
    events: Bus = field(default_factory=Bus)
    http_url: str = ""
    dicom_port: int | None = None
    backend: str = "auto"
    parts: dict[str, Any] = field(default_factory=dict)


class Part(Protocol):
    """A sub-package of the archive that brings routes; `start` and `stop` are optional module functions.

    ``start(ctx)`` runs when the server starts (threads, recovery of queued work), ``stop(ctx)`` when it
    ends. All three are plain functions of the module; `stop` must return within a few seconds.
    """

    def routes(self, ctx: Context) -> Sequence[BaseRoute]:
        """Return the Starlette routes, all spelled with the ``/data`` or ``/xapi`` prefix."""
        ...


def open_context(root: Path, *, clock: Clock = utc_now, exclusive: bool = True) -> Context:
    """Open (or make) the archive in `root`."""
    store = Store(root, clock=clock, exclusive=exclusive)
    return Context(root=root, store=store, settings=Settings(store), clock=clock)
