"""Rows of the prearchive: sessions that were received and are not archived yet (contract section 4.4)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from lethe.archive.context import Context
from lethe.archive.intake.routing import UNASSIGNED, Route
from lethe.archive.names import check_label
from lethe.archive.problem import Problem

TABLES = """
CREATE TABLE IF NOT EXISTS prearchive (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL, timestamp TEXT NOT NULL, folder TEXT NOT NULL,
  label TEXT NOT NULL, subject TEXT NOT NULL, study TEXT NOT NULL,
  status TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
  login TEXT NOT NULL, private INTEGER NOT NULL DEFAULT 0, auto_archive TEXT NOT NULL DEFAULT '',
  source TEXT NOT NULL DEFAULT '', uploaded REAL NOT NULL, changed REAL NOT NULL,
  built TEXT NOT NULL DEFAULT '{}',
  UNIQUE (project, timestamp)
);
CREATE INDEX IF NOT EXISTS prearchive_study ON prearchive (study, project);
CREATE TABLE IF NOT EXISTS prearchive_words (session INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS intake_unacknowledged (experiment INTEGER PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intake_routing (
  study TEXT PRIMARY KEY, project TEXT NOT NULL, subject TEXT NOT NULL, session TEXT NOT NULL,
  login TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intake_receiver (
  id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, port INTEGER NOT NULL, data TEXT NOT NULL,
  UNIQUE (title, port)
);
"""

_COLUMNS = (
    "pk, project, timestamp, folder, label, subject, study, status, message, login, private, auto_archive, \
source, uploaded, changed, built"
)


class Status(StrEnum):
    """State of a prearchive session, as XNAT spells it."""

    RECEIVING = "RECEIVING"
    BUILDING = "BUILDING"
    READY = "READY"
    QUEUED_ARCHIVING = "QUEUED_ARCHIVING"
    CONFLICT = "CONFLICT"
    ERROR = "ERROR"
    ARCHIVING = "ARCHIVING"
    MOVING = "MOVING"
    DELETING = "DELETING"


OPEN = (Status.RECEIVING, Status.READY, Status.CONFLICT, Status.ERROR)
"""States in which nobody works on the session."""

SAID = ("SOURCE", "VISIT", "PROTOCOL", "TIMEZONE", "prevent_anon", "prevent_auto_commit")
"""Parameters of an import that the prearchive shows as they were said."""

JOINABLE = (*OPEN, Status.BUILDING, Status.QUEUED_ARCHIVING)
"""States in which an object of the study may be placed; building waits for it, or it for the building."""

BUSY = (Status.BUILDING, Status.ARCHIVING, Status.MOVING, Status.DELETING)
"""States in which somebody works on the session."""


@dataclass(frozen=True, slots=True)
class Row:
    """One session. `uploaded`, `changed`: seconds, UTC; `built`: its description, empty before; `words`: what
    the sender said beside the targets (see `SAID`).
    """

    pk: int
    project: str
    timestamp: str
    folder: str
    label: str
    subject: str
    study: str
    status: str
    message: str
    login: str
    private: bool
    auto_archive: str
    source: str
    uploaded: float
    changed: float
    built: dict[str, Any]
    words: dict[str, str]

    @classmethod
    def of(cls, row: sqlite3.Row) -> Row:
        """Make the picture of a database row."""
        values = {name: row[name] for name in cls.__slots__}
        read = {name: json.loads(row[name] or "{}") for name in ("built", "words")}
        return cls(**{**values, "private": bool(row["private"]), **read})

    @property
    def url(self) -> str:
        """The address of the session, without ``/data``."""
        return f"/prearchive/projects/{self.project}/{self.timestamp}/{self.folder}"

    def public(self) -> dict[str, str]:
        """Return the columns XNAT lists."""
        session = self.built.get("fields", {})
        return {
            "project": self.project,
            "timestamp": self.timestamp,
            "lastmod": _moment(self.changed),
            "uploaded": _moment(self.uploaded),
            "scan_date": session.get("date", ""),
            "scan_time": session.get("time", ""),
            "subject": self.subject,
            "folderName": self.folder,
            "name": self.label,
            "tag": self.study,
            "status": self.status,
            "url": self.url,
            "autoarchive": self.auto_archive,
            "prevent_anon": "false",
            "prevent_auto_commit": "false",
            "SOURCE": self.source,
            "VISIT": "",
            "PROTOCOL": "",
            "TIMEZONE": "",
            **self.words,
        }


def create(
    ctx: Context,
    route: Route,
    study: str,
    *,
    login: str,
    private: bool = False,
    timestamp: str = "",
    source: str = "",
) -> Row:
    """Make a RECEIVING session for `route`; `timestamp` (unique in its project) is chosen when empty."""
    check_label(route.session)
    if route.subject:
        check_label(route.subject)
    moment = ctx.clock()
    now = moment.timestamp()
    wish = {True: "true", False: "false", None: ""}[route.auto_archive]
    with ctx.store.write() as db:
        while not timestamp or _taken(db, route.project, timestamp):
            timestamp = _timestamp(moment)
            moment += timedelta(milliseconds=1)
        cursor = db.execute(
            "INSERT INTO prearchive (project, timestamp, folder, label, subject, study, status, login,"
            " private, auto_archive, source, uploaded, changed) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (route.project, timestamp, route.session, route.session, route.subject, study, Status.RECEIVING,
             login, private, wish, source, now, now),
        )  # fmt: skip
        return by_pk(ctx, cursor.lastrowid or 0)


def note(ctx: Context, pk: int, words: Mapping[str, str]) -> None:
    """Keep what a sender said of a session; later words win."""
    if words:
        row = by_pk(ctx, pk)
        with ctx.store.write() as db:
            db.execute(
                "INSERT INTO prearchive_words VALUES (?, ?)"
                " ON CONFLICT (session) DO UPDATE SET words = excluded.words",
                (pk, json.dumps({**row.words, **words}, sort_keys=True)),
            )


def by_pk(ctx: Context, pk: int) -> Row:
    """Return one session; 404 if it is gone."""
    found = _rows(ctx, "pk = ?", pk)
    if not found:
        raise Problem(404, "Unable to find the specified prearchive session.")
    return found[0]


def get(ctx: Context, pk: int) -> Row | None:
    """Return one session, or None if it is gone."""
    found = _rows(ctx, "pk = ?", pk)
    return found[0] if found else None


def find(ctx: Context, project: str, timestamp: str, folder: str) -> Row:
    """Return the session at ``/prearchive/projects/{project}/{timestamp}/{folder}``, else 404."""
    found = _rows(ctx, "project = ? AND timestamp = ? AND folder = ?", project, timestamp, folder)
    if not found:
        raise Problem(404, "Unable to find the specified prearchive session.")
    return found[0]


def find_open(ctx: Context, project: str, study: str, label: str) -> Row | None:
    """Return the session that further objects of a study join, or None."""
    marks = ",".join("?" * len(JOINABLE))
    found = _rows(
        ctx,
        f"project = ? AND study = ? AND label = ? AND NOT private AND status IN ({marks})",
        project, study, label, *JOINABLE,
    )  # fmt: skip
    return found[0] if found else None


def listing(ctx: Context, projects: Sequence[str] | None = None, tag: str = "") -> list[Row]:
    """Return the sessions of `projects` (all when None), with one study UID when `tag` is given."""
    rows = _rows(ctx, "(? = '' OR study = ?)", tag, tag)
    return [row for row in rows if projects is None or row.project in projects]


def with_status(ctx: Context, *statuses: str) -> list[Row]:
    """Return the sessions in any of the given states."""
    return _rows(ctx, f"status IN ({','.join('?' * len(statuses))})", *statuses)


def change(ctx: Context, pk: int, **values: str | float | dict[str, Any]) -> Row:
    """Set columns of a session and its time of change."""
    stored = {name: json.dumps(value) if name == "built" else value for name, value in values.items()}
    stored["changed"] = ctx.store.now()
    marks = ", ".join(f"{name} = ?" for name in stored)
    with ctx.store.write() as db:
        db.execute(f"UPDATE prearchive SET {marks} WHERE pk = ?", (*stored.values(), pk))  # noqa: S608
        return by_pk(ctx, pk)


def relocate(ctx: Context, row: Row, project: str, status: Status) -> Row:
    """Give a session another project, with a time stamp that is free there; its files are not moved."""
    timestamp, moment = row.timestamp, ctx.clock()
    with ctx.store.write() as db:
        while _taken(db, project, timestamp):
            timestamp = _timestamp(moment)
            moment += timedelta(milliseconds=1)
        return change(ctx, row.pk, project=project, timestamp=timestamp, status=status)


def remove(ctx: Context, row: Row) -> None:
    """Delete a session with its files, in the present transaction if there is one."""
    with ctx.store.write() as db:
        db.execute("DELETE FROM prearchive WHERE pk = ?", (row.pk,))
        db.execute("DELETE FROM prearchive_words WHERE session = ?", (row.pk,))
        ctx.store.drop(folder_of(ctx, row).parent)


def claim(ctx: Context, pk: int, status: Status) -> Row:
    """Set a working state unless somebody works on the session already (403 as XNAT answers)."""
    with ctx.store.write():
        row = by_pk(ctx, pk)
        if row.status in BUSY:
            raise Problem(403, "Operation already in progress on this prearchive entry.")
        return change(ctx, pk, status=status)


def folder_of(ctx: Context, row: Row) -> Path:
    """Return where the files of a session lie; ``SCANS/{id}/DICOM`` below it."""
    return ctx.store.root / "prearchive" / row.project / row.timestamp / row.folder


def is_unassigned(row: Row) -> bool:
    """Tell whether no project was found for the session."""
    return row.project == UNASSIGNED


def _rows(ctx: Context, where: str, *values: object) -> list[Row]:
    words = "(SELECT words FROM prearchive_words WHERE session = pk) AS words"
    sql = f"SELECT {_COLUMNS}, {words} FROM prearchive WHERE {where} ORDER BY pk"  # noqa: S608
    return [Row.of(row) for row in ctx.store.read().execute(sql, values)]


def _taken(db: sqlite3.Connection, project: str, timestamp: str) -> bool:
    sql = "SELECT 1 FROM prearchive WHERE project = ? AND timestamp = ?"
    return db.execute(sql, (project, timestamp)).fetchone() is not None


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y%m%d_%H%M%S}{moment.microsecond // 1000:03d}"


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


COLUMNS = tuple(Row(0, "", "", "", "", "", "", "", "", "", False, "", "", 0.0, 0.0, {}, {}).public())
"""Names of the listed columns, in order."""
