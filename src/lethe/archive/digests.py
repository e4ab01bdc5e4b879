"""Digests of large files: computed behind their upload, right for everybody who asks.

Hashing 512 MB takes longer than receiving and writing it. So a large file is stored with an empty digest,
which the database keeps; a thread of the server computes what is empty, at once and after a restart. Who
reads a digest before that waits for it (`settled`): nobody sees an empty or a stale one.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lethe.archive import content
from lethe.archive.context import Context
from lethe.archive.model import FileEntry

_PART = "digests"
_CHUNK = 4 << 20


def md5_of(path: Path) -> str:
    """Return the md5 of a file in lower hex."""
    with path.open("rb") as stream:
        return _md5(stream.fileno(), threading.Event()) or ""


def settled(ctx: Context, entries: Sequence[FileEntry]) -> list[FileEntry]:
    """Return the entries with their digests; those not computed yet are computed now."""
    return [entry if entry.md5 else _of(ctx).settle(entry) for entry in entries]


def start(ctx: Context) -> None:
    """Compute digests in a thread of its own from now on, first those of the last run."""
    _of(ctx).start()


def stop(ctx: Context) -> None:
    """End the thread; what it has not computed is computed after the next start."""
    _of(ctx).stop()


def wake(ctx: Context) -> None:
    """Say that files without a digest came."""
    _of(ctx).woken.set()


def _of(ctx: Context) -> _Digests:
    found: _Digests = ctx.parts.setdefault(_PART, _Digests(ctx))
    return found


class _Digests:
    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._one_at_a_time = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.woken = threading.Event()

    def start(self) -> None:
        self._ended.clear()
        self.woken.set()
        self._thread = threading.Thread(target=self._run, name="digests", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self.woken.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _run(self) -> None:
        while not self._ended.is_set():
            self.woken.wait()
            self.woken.clear()
            rows = self._ctx.store.read().execute("SELECT * FROM file WHERE md5 = '' ORDER BY pk").fetchall()
            for row in rows:
                if self._ended.is_set():
                    return
                try:
                    self.settle(FileEntry.of(row), give_up=self._ended)
                except OSError as error:
                    self._ctx.logger.warning("digest of file %d: %s", row["pk"], error.strerror)

    def settle(self, entry: FileEntry, *, give_up: threading.Event | None = None) -> FileEntry:
        """Return a file with its digest; as it was given where the file is gone or `give_up` is set.

        Never inside of a transaction: the thread that computes may wait for it.
        """
        stopping = give_up or threading.Event()
        db = self._ctx.store.read()
        with self._one_at_a_time:
            while not stopping.is_set():
                row = db.execute("SELECT * FROM file WHERE pk = ?", (entry.pk,)).fetchone()
                resource = content.resource_by_pk(self._ctx, entry.resource)
                if row is None or resource is None:
                    break
                if row["md5"]:
                    return replace(entry, md5=row["md5"])
                try:
                    self._compute(content.file_path(self._ctx, resource, entry), row, stopping)
                except FileNotFoundError:
                    break
        return entry

    def _compute(self, path: Path, row: sqlite3.Row, stopping: threading.Event) -> None:
        """Hash a file and note the digest, unless other bytes took its place meanwhile."""
        with path.open("rb") as stream:
            digest = _md5(stream.fileno(), stopping)
            if digest is None:
                return
            with self._ctx.store.write() as db:
                if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                    db.execute(
                        "UPDATE file SET md5 = ? WHERE pk = ? AND md5 = '' AND size = ? AND created = ?",
                        (digest, row["pk"], row["size"], row["created"]),
                    )


def _md5(descriptor: int, stopping: threading.Event) -> str | None:
    """Return the md5 of an open file; None when told to stop."""
    digest, buffer = hashlib.md5(usedforsecurity=False), bytearray(_CHUNK)
    view, at = memoryview(buffer), 0
    while count := os.preadv(descriptor, [buffer], at):
        if stopping.is_set():
            return None
        digest.update(view[:count])
        at += count
    return digest.hexdigest()
