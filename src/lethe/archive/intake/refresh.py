"""Bring the catalogue of a resource in line with its folder (``services/refresh/catalog``)."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from pathlib import Path

from lethe.archive import content, items
from lethe.archive.context import Context
from lethe.archive.model import FileEntry, Item, Resource
from lethe.archive.names import check_file_path

_CHUNK = 1 << 20
_BELOW = {
    "project": ("subject",),
    "subject": ("experiment",),
    "experiment": ("scan", "assessor", "reconstruction"),
}


def resources_below(ctx: Context, item: Item) -> list[Resource]:
    """Return the resources of an item and of everything below it."""
    found = content.list_resources(ctx, [item])
    for kind in _BELOW.get(item.kind, ()):
        for child in items.children(ctx, item, kind):
            found += resources_below(ctx, child)
    return found


def refresh(ctx: Context, resource: Resource, options: Set[str], *, login: str) -> None:
    """Refresh one resource.

    Parameters
    ----------
    options : set of str
        ``append`` notes files that lie in the folder unnoted, ``delete`` forgets files that are gone,
        ``checksum`` computes digests that are missing.
    """
    folder = content.resource_folder(ctx, resource)
    ctx.store.wait()
    known = {entry.path: entry for entry in content.list_files(ctx, resource)}
    if "append" in options:
        _append(ctx, resource, folder, set(known), login)
    if "delete" in options:
        gone = [entry for path, entry in known.items() if not (folder / path).is_file()]
        content.delete_files(ctx, resource, gone)
    if "checksum" in options:
        _digest(ctx, folder, [entry for entry in known.values() if not entry.md5])


def _append(ctx: Context, resource: Resource, folder: Path, known: Set[str], login: str) -> None:
    rows = []
    now = ctx.store.now()
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        path = file.relative_to(folder).as_posix()
        if file.is_symlink() or not file.is_file() or path in known or file.name.endswith("_catalog.xml"):
            continue
        rows.append((resource.pk, check_file_path(path), file.stat().st_size, _md5(file), now, login))
    with ctx.store.write() as db:
        db.executemany(
            "INSERT OR IGNORE INTO file (resource, path, size, md5, created, created_by)"
            " VALUES (?,?,?,?,?,?)",
            rows,
        )


def _digest(ctx: Context, folder: Path, entries: list[FileEntry]) -> None:
    digests = [(_md5(folder / one.path), one.pk) for one in entries if (folder / one.path).is_file()]
    with ctx.store.write() as db:
        db.executemany("UPDATE file SET md5 = ? WHERE pk = ?", digests)


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
