"""Resources and their files: rows in the database, bytes in the archive tree."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lethe.archive import items
from lethe.archive.context import Context
from lethe.archive.model import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, FileEntry, Item, Resource
from lethe.archive.names import check_file_path, check_resource_label
from lethe.archive.problem import Problem

_CHUNK = 1 << 20
LARGE = 16 << 20
"""From this size on the digest of an upload may be put off, in bytes."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A finished file below ``tmp`` that shall become `path` of a resource."""

    path: str
    temporary: Path
    size: int
    md5: str
    format: str = ""
    content: str = ""
    tags: str = ""
    description: str = ""


class Receiver:
    """Write a stream of pieces to a temporary file, with its size and md5.

    Use as a context manager: the temporary file is removed unless `finish` was called.

    Parameters
    ----------
    put_off : bool
        Leave the digest of a large file empty; `lethe.archive.digests` computes it behind the upload.
    """

    def __init__(self, ctx: Context, *, put_off: bool = False) -> None:
        self._left = LARGE if put_off else None
        self.path = ctx.store.temporary()
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._stream: BinaryIO | None = None
        self._kept = False

    def __enter__(self) -> Receiver:
        self._stream = self.path.open("xb", buffering=0)
        return self

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        if self._stream is None:
            raise Problem(500)
        if self._left is not None:
            self._left -= len(piece)
        if self._left is None or self._left >= 0:
            self._digest.update(piece)
        rest = memoryview(piece)
        while rest:
            written = self._stream.write(rest) or 0
            self.size += written
            rest = rest[written:]

    def finish(self) -> tuple[Path, int, str]:
        """Make the file durable; return its path, size in bytes and md5 in lower hex (empty if put off)."""
        if self._stream is None:
            raise Problem(500)
        os.fsync(self._stream.fileno())
        self._kept = True
        put_off = self._left is not None and self._left < 0
        return self.path, self.size, "" if put_off else self._digest.hexdigest()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the temporary file, and remove it unless `finish` was called."""
        if self._stream is not None:
            self._stream.close()
        if not self._kept:
            self.path.unlink(missing_ok=True)


def receive(ctx: Context, source: BinaryIO | Path) -> tuple[Path, int, str]:
    """Copy a stream or file into ``tmp``; return temporary path, size and md5."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return receive(ctx, stream)
    with Receiver(ctx) as receiver:
        while piece := source.read(_CHUNK):
            receiver.write(piece)
        return receiver.finish()


# ---- resources ----------------------------------------------------------------------------------


def find_resource(ctx: Context, owner: Item, ref: str, variant: str = "") -> Resource | None:
    """Find a resource of `owner` by label or by number."""
    column = "pk" if ref.isdecimal() else "label"
    row = ctx.store.read().execute(
        f"SELECT * FROM resource WHERE owner = ? AND variant = ? AND {column} = ?",  # noqa: S608
        (owner.pk, variant, ref if column == "label" else int(ref[:18])),
    ).fetchone()  # fmt: skip
    return None if row is None else Resource.of(row)


def list_resources(ctx: Context, owners: Iterable[Item]) -> list[Resource]:
    """Return the resources of items, in the order of the items."""
    found: list[Resource] = []
    for owner in owners:
        rows = ctx.store.read().execute("SELECT * FROM resource WHERE owner = ? ORDER BY pk", (owner.pk,))
        found.extend(Resource.of(row) for row in rows)
    return found


def ensure_resource(
    ctx: Context, owner: Item, label: str, *, login: str, variant: str = "", format: str = "",
    content: str = "", tags: str = "", description: str = "",
) -> tuple[Resource, bool]:  # fmt: skip
    """Return the resource `label` of `owner` and whether it was made now (safe when many do so at once)."""
    with ctx.store.write() as db:
        found = find_resource(ctx, owner, label, variant)
        if found is not None:
            return found, False
        check_resource_label(label)
        cursor = db.execute(
            "INSERT INTO resource (owner, variant, label, format, content, tags, description, created,"
            " created_by) VALUES (?,?,?,?,?,?,?,?,?)",
            (owner.pk, variant, label, format, content, tags, description, ctx.store.now(), login),
        )
        row = db.execute("SELECT * FROM resource WHERE pk = ?", (cursor.lastrowid,)).fetchone()
        return Resource.of(row), True


def resource_by_pk(ctx: Context, pk: int) -> Resource | None:
    """Return a resource by its number."""
    row = ctx.store.read().execute("SELECT * FROM resource WHERE pk = ?", (pk,)).fetchone()
    return None if row is None else Resource.of(row)


def resource_folder(ctx: Context, resource: Resource) -> Path:
    """Return the folder that holds exactly the files of a resource (it need not exist while empty)."""
    owner = items.by_pk(ctx, resource.owner)
    base = items.folder_of(ctx, owner)
    if owner.kind == PROJECT:
        base = base / "resources"
    elif owner.kind == EXPERIMENT:
        base = base / "RESOURCES"
    elif owner.kind in {ASSESSOR, RECONSTRUCTION}:
        base = base / (resource.variant.upper() or "RESOURCES")
    return base / resource.label


def delete_resource(ctx: Context, resource: Resource) -> None:
    """Remove a resource with its files."""
    with ctx.store.write() as db:
        ctx.store.drop(resource_folder(ctx, resource))
        db.execute("DELETE FROM resource WHERE pk = ?", (resource.pk,))


def statistics(ctx: Context, resource: Resource) -> tuple[int, int]:
    """Return the number of files of a resource and their bytes."""
    row = ctx.store.read().execute(
        "SELECT COUNT(*) AS n, COALESCE(SUM(size), 0) AS bytes FROM file WHERE resource = ?", (resource.pk,)
    ).fetchone()  # fmt: skip
    return int(row["n"]), int(row["bytes"])


# ---- files --------------------------------------------------------------------------------------


def list_files(ctx: Context, resource: Resource) -> list[FileEntry]:
    """Return the files of a resource, by path."""
    rows = ctx.store.read().execute("SELECT * FROM file WHERE resource = ? ORDER BY path", (resource.pk,))
    return [FileEntry.of(row) for row in rows]


def find_file(ctx: Context, resource: Resource, path: str) -> FileEntry | None:
    """Return one file of a resource."""
    row = ctx.store.read().execute(
        "SELECT * FROM file WHERE resource = ? AND path = ?", (resource.pk, path)
    ).fetchone()  # fmt: skip
    return None if row is None else FileEntry.of(row)


def file_path(ctx: Context, resource: Resource, entry: FileEntry) -> Path:
    """Return where the bytes of a file lie; they are there when this returns."""
    path = resource_folder(ctx, resource) / entry.path
    if not path.exists():
        ctx.store.wait()
    return path


def add_files(
    ctx: Context, resource: Resource, incoming: Sequence[Incoming], *, login: str, overwrite: bool = False
) -> list[str]:
    """Add finished temporary files to a resource in one transaction.

    Returns
    -------
    list of str
        Paths that existed already and were left alone because `overwrite` is false. If there is one,
        nothing at all is added.

    Raises
    ------
    Problem
        400 for a path that is not safe or that is both a file and a folder.
    """
    try:
        with ctx.store.write() as db:
            if resource_by_pk(ctx, resource.pk) is None:
                raise Problem(404, "Unable to find the specified catalog.")
            duplicates = [] if overwrite else _existing(db, resource, incoming)
            if not duplicates:
                folder = resource_folder(ctx, resource)
                for one in incoming:
                    _insert_file(ctx, db, resource, folder, one, login)
    except BaseException:
        discard(incoming)
        raise
    if duplicates:
        discard(incoming)
    return duplicates


def _existing(db: sqlite3.Connection, resource: Resource, incoming: Sequence[Incoming]) -> list[str]:
    sql = "SELECT 1 FROM file WHERE resource = ? AND path = ?"
    return [one.path for one in incoming if db.execute(sql, (resource.pk, one.path)).fetchone()]


def _insert_file(
    ctx: Context, db: sqlite3.Connection, resource: Resource, folder: Path, one: Incoming, login: str
) -> None:
    path = check_file_path(one.path)
    parts = path.split("/")
    parents = ["/".join(parts[:n]) for n in range(1, len(parts))]
    clash = db.execute(
        f"SELECT 1 FROM file WHERE resource = ? AND (path IN ({','.join('?' * len(parents))})"  # noqa: S608
        " OR (path > ? AND path < ?)) LIMIT 1",
        (resource.pk, *parents, path + "/", path + "0"),  # "0" follows "/" in ASCII
    ).fetchone()
    if clash is not None:
        raise Problem(400, "A file and a folder cannot have the same name.")
    db.execute(
        "INSERT INTO file (resource, path, size, md5, format, content, tags, description, created,"
        " created_by) VALUES (?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (resource, path) DO UPDATE SET size = excluded.size,"
        " md5 = excluded.md5, format = excluded.format, content = excluded.content, tags = excluded.tags,"
        " description = excluded.description, created = excluded.created, created_by = excluded.created_by",
        (resource.pk, path, one.size, one.md5, one.format, one.content, one.tags, one.description,
         ctx.store.now(), login),
    )  # fmt: skip
    ctx.store.put(one.temporary, folder / path)


def discard(incoming: Sequence[Incoming]) -> None:
    """Remove the temporary copies of files that were not taken over."""
    for one in incoming:
        one.temporary.unlink(missing_ok=True)


def add_file(
    ctx: Context, resource: Resource, path: str, source: BinaryIO | Path, *, login: str,
    overwrite: bool = False, format: str = "", content: str = "", tags: str = "", description: str = "",
) -> bool:  # fmt: skip
    """Copy one stream or file into a resource; false if it existed and `overwrite` is false."""
    check_file_path(path)
    temporary, size, md5 = receive(ctx, source)
    one = Incoming(path, temporary, size, md5, format, content, tags, description)
    return not add_files(ctx, resource, [one], login=login, overwrite=overwrite)


def delete_files(ctx: Context, resource: Resource, entries: Sequence[FileEntry]) -> None:
    """Remove files of a resource."""
    with ctx.store.write() as db:
        folder = resource_folder(ctx, resource)
        for entry in entries:
            db.execute("DELETE FROM file WHERE pk = ?", (entry.pk,))
            ctx.store.drop(folder / entry.path)
