"""Bring the catalogue of a resource in line with its folder (``services/refresh/catalog``)."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from lethe.archive import content, items
from lethe.archive.context import Context
from lethe.archive.digests import md5_of
from lethe.archive.intake.images import check_transfer
from lethe.archive.intake.net import Net
from lethe.archive.model import FileEntry, Resource
from lethe.archive.names import check_file_path


def refresh(ctx: Context, resource: Resource, options: Set[str], *, net: Net | None, login: str) -> None:
    """Refresh one resource.

    Parameters
    ----------
    options : set of str
        ``append`` notes files that lie in the folder unnoted, ``delete`` forgets files that are gone,
        ``checksum`` computes digests that are missing.
    net : Net or None
        Looks at files that are noted now.

    Raises
    ------
    Problem
        422 if one of them may not stay in this project.
    """
    folder = content.resource_folder(ctx, resource)
    ctx.store.wait()
    known = {entry.path: entry for entry in content.list_files(ctx, resource)}
    if "append" in options:
        _append(ctx, resource, folder, set(known), net, login)
    if "delete" in options:
        gone = [entry for path, entry in known.items() if not (folder / path).is_file()]
        content.delete_files(ctx, resource, gone)
    if "checksum" in options:
        _digest(ctx, folder, [entry for entry in known.values() if not entry.md5])


def _append(
    ctx: Context, resource: Resource, folder: Path, known: Set[str], net: Net | None, login: str
) -> None:
    rows, files = [], []
    now = ctx.store.now()
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        path = file.relative_to(folder).as_posix()
        if file.is_symlink() or not file.is_file() or path in known or file.name.endswith("_catalog.xml"):
            continue
        files.append(file)
        rows.append((resource.pk, check_file_path(path), file.stat().st_size, md5_of(file), now, login))
    check_transfer(net, items.by_pk(ctx, resource.owner).project, files)
    with ctx.store.write() as db:
        db.executemany(
            "INSERT OR IGNORE INTO file (resource, path, size, md5, created, created_by)"
            " VALUES (?,?,?,?,?,?)",
            rows,
        )


def _digest(ctx: Context, folder: Path, entries: list[FileEntry]) -> None:
    digests = [(md5_of(folder / one.path), one.pk) for one in entries if (folder / one.path).is_file()]
    with ctx.store.write() as db:
        db.executemany("UPDATE file SET md5 = ? WHERE pk = ?", digests)
