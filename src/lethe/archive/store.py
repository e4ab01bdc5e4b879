"""Database and files of one archive: short transactions, and file moves that survive kill -9.

The database says what exists. New bytes are first written and fsynced below ``tmp``; the transaction
that makes them exist also writes a journal row "move this file there"; the move happens right after the
commit, still under the writer lock. A process killed in between finds the journal row at the next start
and finishes the move. So what was acknowledged is always there, and what was not leaves no trace.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lethe.archive.tables import CORE
from lethe.errors import Misconfigured, Unavailable
from lethe.files import sync_folder

Clock = Callable[[], datetime]
"""Return the present moment, with a time zone."""


def utc_now() -> datetime:
    """Return the present moment in UTC (the default clock)."""
    return datetime.now(UTC)


class Store:
    """One archive root: its database and its file tree.

    Parameters
    ----------
    root : Path
        Folder of the archive; made when missing. Holds ``archive.db``, ``archive/``, ``prearchive/``,
        ``build/``, ``cache/`` and ``tmp/``.
    clock : Clock
        Source of the time stamps.
    exclusive : bool
        Take the root for this process alone (a server does); false for read-only tools.

    Raises
    ------
    Unavailable
        Another server holds the root.
    """

    def __init__(self, root: Path, *, clock: Clock = utc_now, exclusive: bool = True) -> None:
        self.root = root
        self.clock = clock
        self._lock = threading.RLock()
        self._depth = 0
        self._owner: int | None = None
        self._local = threading.local()
        self._after: list[Callable[[], None]] = []
        for name in ("archive", "prearchive", "build", "cache", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        self._guard = self._take(root) if exclusive else None
        self._writer = self._connect()
        self.add_tables(CORE)
        if exclusive:
            self._recover()

    # ---- connections and transactions -----------------------------------------------------------

    def _take(self, root: Path) -> int:
        descriptor = os.open(root / "lock", os.O_CREAT | os.O_RDWR, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise Unavailable(
                "archive-in-use",
                "Another server works on this archive folder.",
                remedy="Stop it first, or name another --root.",
            ) from None
        return descriptor

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.root / "archive.db", isolation_level=None, check_same_thread=False, timeout=30
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    def add_tables(self, script: str) -> None:
        """Run ``CREATE TABLE IF NOT EXISTS ...`` statements of a part of the archive."""
        with self._lock:
            self._writer.executescript(script)

    def read(self) -> sqlite3.Connection:
        """Return a connection for reading; inside `write` it is the writing one, which sees its own rows."""
        if self._owner == threading.get_ident():
            return self._writer
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the one writer lock for a short transaction; nested calls join the outer one.

        Yields
        ------
        sqlite3.Connection
            Commits at the end of the outermost block, rolls back on any exception.
        """
        with self._lock:
            if self._depth:
                self._depth += 1
                try:
                    yield self._writer
                finally:
                    self._depth -= 1
                return
            self._writer.execute("BEGIN IMMEDIATE")
            self._depth, self._owner = 1, threading.get_ident()
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                self._after.clear()
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            finally:
                self._depth, self._owner = 0, None
            later = self._settle()
        for action in later:
            action()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the present transaction is committed; at once when there is none."""
        if self._owner == threading.get_ident():
            self._after.append(action)
        else:
            action()

    def close(self) -> None:
        """Close what this thread may close and give the root free."""
        # Another thread's connection is left to that thread's end: SQLite's module crashes the process when a
        # connection is closed while it is in use.
        with self._lock:
            self._writer.close()
            mine: sqlite3.Connection | None = getattr(self._local, "connection", None)
            if mine is not None:
                mine.close()
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None

    # ---- files ----------------------------------------------------------------------------------

    def temporary(self, suffix: str = "") -> Path:
        """Return a fresh name below ``tmp`` (same file system as the archive); nothing is made."""
        return self.root / "tmp" / f"{secrets.token_hex(12)}{suffix}"

    def put(self, source: Path, target: Path) -> None:
        """Inside `write`: after the commit, move the finished file or folder `source` to `target`."""
        self._journal("put", source, target)

    def move(self, source: Path, target: Path) -> None:
        """Inside `write`: after the commit, rename `source` to `target`; nothing if `source` is absent."""
        self._journal("move", source, target)

    def drop(self, target: Path) -> None:
        """Inside `write`: after the commit, remove the file or folder `target` from the tree."""
        self._journal("drop", self.temporary(".trash"), target)

    def wait(self) -> None:
        """Wait until the writer of this moment has moved its files; then what the rows say is on disk."""
        with self._lock:
            pass

    def _journal(self, action: str, source: Path, target: Path) -> None:
        if self._owner != threading.get_ident():
            raise Misconfigured("no-transaction", "Files are moved inside a transaction only.")
        for path in (source, target):
            if not path.is_relative_to(self.root) or ".." in path.parts:
                raise Misconfigured("outside-root", "A file outside of the archive was named.")
        self._writer.execute(
            "INSERT INTO journal (action, source, target) VALUES (?, ?, ?)",
            (action, str(source.relative_to(self.root)), str(target.relative_to(self.root))),
        )

    def _settle(self) -> list[Callable[[], None]]:
        """Carry out the journal under the lock; return what may be done without it."""
        rows = self._writer.execute("SELECT pk, action, source, target FROM journal ORDER BY pk").fetchall()
        later, self._after = self._after, []
        folders: set[Path] = set()
        for row in rows:
            source, target = self.root / row["source"], self.root / row["target"]
            if row["action"] == "drop":
                if _rename(target, source):
                    later.append(lambda trash=source: _remove(trash))  # type: ignore[misc]
                    _prune(target.parent, self.root / "archive")
            else:
                if not source.exists():
                    continue
                self._clear_way(source, target)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
                if _rename(source, target):
                    folders.add(target.parent)
        for folder in folders:
            if folder.is_dir():
                sync_folder(folder)
        if rows:
            # Losing this row in a power cut only repeats a finished move, so it needs no fsync of its own.
            self._writer.execute("PRAGMA synchronous = NORMAL")
            self._writer.execute("DELETE FROM journal WHERE pk <= ?", (rows[-1]["pk"],))
            self._writer.execute("PRAGMA synchronous = FULL")
        return later

    def _clear_way(self, source: Path, target: Path) -> None:
        """Put aside what no row speaks of and what is in the way: a file for a folder or the reverse."""
        for parent in reversed(target.parents):
            if parent.is_relative_to(self.root) and parent.exists() and not parent.is_dir():
                os.replace(parent, self.temporary(".stray"))
        if (target.is_dir() and not target.is_symlink()) or (source.is_dir() and target.exists()):
            os.replace(target, self.temporary(".stray"))

    def _recover(self) -> None:
        with self._lock:
            for action in self._settle():
                action()
        for leftover in (self.root / "tmp").iterdir():
            _remove(leftover)

    # ---- small things every part needs ----------------------------------------------------------

    def now(self) -> float:
        """Return the clock as seconds since 1970 (UTC)."""
        return self.clock().timestamp()

    def next_number(self, name: str) -> int:
        """Return the next value of a counter; a value is never given twice."""
        with self.write() as db:
            row = db.execute(
                "INSERT INTO counter (name, value) VALUES (?, 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (name,),
            ).fetchone()
        return int(row["value"])

    def setting(self, key: str, default: Any = None) -> Any:
        """Return a stored setting (JSON value) or `default`."""
        row = self.read().execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def set_setting(self, key: str, value: Any) -> None:
        """Store a setting (any JSON value)."""
        with self.write() as db:
            db.execute(
                "INSERT INTO setting (key, value) VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, json.dumps(value, sort_keys=True)),
            )


def _rename(source: Path, target: Path) -> bool:
    """Rename, replacing a file; false when `source` is not there (the move was done before)."""
    try:
        os.replace(source, target)
    except FileNotFoundError:
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _prune(folder: Path, stop: Path) -> None:
    """Remove `folder` and its parents while they are empty, up to `stop`."""
    while folder != stop and folder.is_relative_to(stop):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
