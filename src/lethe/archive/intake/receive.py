"""Objects into the prearchive, one at a time and from many senders at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pydicom.dataset import Dataset

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.intake import prearchive
from lethe.archive.intake.filters import SeriesFilter, filters_of
from lethe.archive.intake.folders import Placed, SessionFolder
from lethe.archive.intake.images import check_transfer
from lethe.archive.intake.net import Net
from lethe.archive.intake.objects import is_media_directory, read_header
from lethe.archive.intake.prearchive import Row, Status
from lethe.archive.intake.routing import UNASSIGNED, Route, Router, Rules, Targets
from lethe.archive.model import User
from lethe.archive.problem import Problem


class Told(StrEnum):
    """What became of an object that arrived."""

    STORED = "stored"
    IDENTICAL = "identical"
    REPLACED = "replaced"
    CONFLICT = "conflict"
    FILTERED = "filtered"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an object; `pk` is its prearchive session, `code` the reason of a quarantine."""

    told: Told
    pk: int | None = None
    code: str = ""


@dataclass(slots=True)
class Batch:
    """Sessions of one upload that nobody else may touch before its answer is decided."""

    sessions: dict[tuple[str, str, str], int] = field(default_factory=dict)
    timestamp: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an object came.

    Parameters
    ----------
    user : User
        In whose name it is stored.
    explicit : Targets
        Targets given with the request.
    rules : Rules
        Routing expressions of the receiver, tried before the site's.
    source : str
        ``dicom`` or ``uploader``, shown in the prearchive.
    replace : bool
        Whether other bytes under the same UID replace what is there.
    durable : bool
        Whether the object must be on disk for good when `Intake.accept` returns.
    batch : Batch or None
        The upload it belongs to; None lets it join the open session of its study.
    """

    user: User
    explicit: Targets = field(default_factory=Targets)
    rules: Rules = field(default_factory=Rules)
    source: str = ""
    replace: bool = False
    durable: bool = True
    batch: Batch | None = None


class Intake:
    """The prearchive of one archive, shared by the receivers, the import service and the rebuilder."""

    def __init__(self, ctx: Context, net: Net | None = None) -> None:
        self.ctx = ctx
        self.net = net
        self._lock = threading.Lock()
        self._open: dict[int, SessionFolder] = {}
        self._arrived: dict[int, float] = {}
        ctx.store.add_tables(prearchive.TABLES)

    # ---- one object -----------------------------------------------------------------------------

    def accept(self, path: Path, arrival: Arrival, *, md5: str = "", expected_uid: str = "") -> Receipt:
        """Take over one spooled object; `path` is gone afterwards, except after a conflict.

        Raises
        ------
        Refused
            ``unparsable`` if it is no DICOM object, or its UID is not `expected_uid`.
        """
        router = Router(self._writable(arrival.user), arrival.rules + site_rules(self.ctx))
        header = read_header(path, _tags(router.rules))
        if is_media_directory(header):
            path.unlink()
            return Receipt(Told.SKIPPED)
        if expected_uid and str(header.SOPInstanceUID) != expected_uid:
            raise Problem(400, "The object carries another UID than it was announced with.")
        route = router.route(header, arrival.explicit, stored_targets(self.ctx, str(header.StudyInstanceUID)))
        refusal = self._refusal(path, header, route)
        if refusal is not None:
            return refusal
        return self._place(path, header, route, arrival, md5)

    def _refusal(self, path: Path, header: Dataset, route: Route) -> Receipt | None:
        project = "" if route.project == UNASSIGNED else route.project
        filters = filters_of(self.ctx, project)
        if not all(one.accepts(_with_tags(path, header, one)) for one in filters):
            path.unlink()
            return Receipt(Told.FILTERED)
        if self.net is not None and self.net.applies(route.project):
            code = self.net.reason(path)
            if code is not None:
                self.net.keep_aside(path, route.project, code)
                return Receipt(Told.QUARANTINED, code=code)
        return None

    def _place(self, path: Path, header: Dataset, route: Route, arrival: Arrival, md5: str) -> Receipt:
        study = str(header.StudyInstanceUID)
        while True:
            pk = self._session_for(route, study, arrival)
            with self._folder(pk) as session:
                row = prearchive.get(self.ctx, pk)
                if session is None or row is None or row.status not in prearchive.JOINABLE:
                    continue
                placed = session.place(path, header, replace=arrival.replace, md5=md5)
                if placed is not Placed.CONFLICT and arrival.durable:
                    session.sync_object(header)
                if placed is not Placed.IDENTICAL and row.status not in {Status.RECEIVING, Status.BUILDING}:
                    prearchive.change(self.ctx, pk, status=Status.RECEIVING)
                self._arrived[pk] = self.ctx.store.now()
                return Receipt(Told(placed.value), pk)

    def _session_for(self, route: Route, study: str, arrival: Arrival) -> int:
        key = (route.project, study, route.session)
        batch = arrival.batch
        with self._lock:
            if batch is not None and key in batch.sessions:
                return batch.sessions[key]
            row = None if batch is not None else prearchive.find_open(self.ctx, *key)
            if row is None:
                row = prearchive.create(
                    self.ctx,
                    route,
                    study,
                    login=arrival.user.login,
                    private=batch is not None,
                    source=arrival.source,
                    timestamp=batch.timestamp if batch is not None else "",
                )
            if batch is not None:
                batch.sessions[key] = row.pk
            return row.pk

    # ---- whole sessions -------------------------------------------------------------------------

    def build(self, pk: int, state: Status = Status.READY) -> Row:
        """Describe a session from its headers: READY (or another `state`), or ERROR if it holds nothing."""
        prearchive.claim(self.ctx, pk, Status.BUILDING)
        with self.held(pk) as session:
            if not session.count:
                return prearchive.change(
                    self.ctx, pk, status=Status.ERROR, message="No DICOM object was found."
                )
            return prearchive.change(self.ctx, pk, status=state, message="", built=session.built())

    def delete(self, pk: int) -> None:
        """Remove a session and its files."""
        prearchive.claim(self.ctx, pk, Status.DELETING)
        with self.held(pk, forget=True):
            prearchive.remove(self.ctx, prearchive.by_pk(self.ctx, pk))

    def move(self, pk: int, project: str) -> Row:
        """Move a session to the prearchive of another project."""
        before = prearchive.claim(self.ctx, pk, Status.MOVING)
        try:
            with self.held(pk) as session:
                check_transfer(self.net, project, session.all_files())
        except BaseException:
            prearchive.change(self.ctx, pk, status=Status.READY if before.built else Status.RECEIVING)
            raise
        with self.held(pk, forget=True), self.ctx.store.write():
            state = Status.READY if before.built else Status.RECEIVING
            after = prearchive.relocate(self.ctx, before, project, state)
            old = prearchive.folder_of(self.ctx, before).parent
            self.ctx.store.move(old, prearchive.folder_of(self.ctx, after).parent)
        return after

    def publish(self, pk: int) -> None:
        """Let a session of a finished upload be seen and joined by others."""
        prearchive.change(self.ctx, pk, private=0)

    @contextmanager
    def held(self, pk: int, *, forget: bool = False) -> Iterator[SessionFolder]:
        """Hold the files of a session; with `forget` nobody places into this picture of it afterwards."""
        while True:
            prearchive.by_pk(self.ctx, pk)
            with self._folder(pk) as session:
                if session is None:
                    continue
                try:
                    yield session
                finally:
                    if forget:
                        session.closed = True
                        with self._lock:
                            self._open.pop(pk, None)
                            self._arrived.pop(pk, None)
                return

    def forget(self, pk: int) -> None:
        """Drop the picture of a session that is gone."""
        with self._lock:
            session = self._open.pop(pk, None)
            self._arrived.pop(pk, None)
        if session is not None:
            session.closed = True

    def quiet_since(self, row: Row) -> float:
        """Return when the last object of a session arrived (seconds, UTC)."""
        return max(self._arrived.get(row.pk, 0.0), row.changed)

    @contextmanager
    def _folder(self, pk: int) -> Iterator[SessionFolder | None]:
        """Hold the lock of a session's folder; None if it was closed while this waited for it."""
        with self._lock:
            session = self._open.get(pk)
            row = prearchive.get(self.ctx, pk) if session is None else None
            if row is not None:
                session = self._open[pk] = SessionFolder(prearchive.folder_of(self.ctx, row))
        if session is None:
            yield None
            return
        with session.lock:
            yield None if session.closed else session

    def _writable(self, user: User) -> Callable[[str], str | None]:
        def writable(name: str) -> str | None:
            project = items.find_project(self.ctx, name)
            if project is None or not access.right(self.ctx, user, project.id, "create"):
                return None
            return project.id

        return writable


def site_rules(ctx: Context) -> Rules:
    """Return the routing rules of the site (config tool ``dicom``)."""
    return Rules.parse(*(_config(ctx, path) for path in ("projectRules", "subjectRules", "sessionRules")))


def stored_targets(ctx: Context, study: str) -> Targets:
    """Return the stored routing of a study, empty if there is none."""
    row = ctx.store.read().execute(
        "SELECT project, subject, session FROM intake_routing WHERE study = ?", (study,)
    ).fetchone()  # fmt: skip
    return Targets() if row is None else Targets(row["project"], row["subject"], row["session"])


def _config(ctx: Context, path: str) -> str:
    row = ctx.store.read().execute(
        "SELECT contents, status FROM config WHERE tool = 'dicom' AND path = ? AND project = ''"
        " ORDER BY version DESC LIMIT 1",
        (path,),
    ).fetchone()  # fmt: skip
    return row["contents"] if row is not None and row["status"] == "enabled" else ""


def _tags(rules: Rules) -> Sequence[int]:
    return tuple(rule.tag for rule in (*rules.project, *rules.subject, *rules.session))


def _with_tags(path: Path, header: Dataset, one: SeriesFilter) -> Dataset:
    """Return the header with the attributes of a filter, reading again only for unusual ones."""
    return header if set(one.tags) <= {0x0008103E} else read_header(path, one.tags)
