"""Compare the database with the files, and count what there is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lethe.archive import content
from lethe.archive.context import Context
from lethe.archive.digests import md5_of
from lethe.archive.model import FileEntry, Resource


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between rows and files.

    `kind` is ``missing`` (a row without its file), ``size`` or ``digest`` (another content), ``stray`` (a
    file no row speaks of), ``unfinished`` (a move that a crash left to the next start) or ``database``.
    `where` names the file by numbers (resource and row), so that no label of a patient is printed.
    """

    kind: str
    where: str

    def as_dict(self) -> dict[str, str]:
        """Return the difference for ``--output json``."""
        return asdict(self)


def check(
    ctx: Context, *, digests: bool = True, progress: Callable[[int, int], None] | None = None
) -> list[Difference]:
    """Find every difference between the database and the files of an archive.

    Parameters
    ----------
    digests : bool
        Read every file and compare its md5, too (where it is computed already).
    progress : Callable, optional
        Told the number of files looked at and of all files.
    """
    db = ctx.store.read()
    found = [
        Difference("database", str(row[0])) for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"
    ]
    found += [
        Difference("unfinished", f"journal {row['pk']}") for row in db.execute("SELECT pk FROM journal")
    ]
    total = db.execute("SELECT COUNT(*) AS n FROM file").fetchone()["n"]
    known: set[Path] = set()
    done = 0
    for resource, folder in _resources(ctx):
        for entry in content.list_files(ctx, resource):
            path = folder / entry.path
            known.add(path)
            found += _look(path, resource, entry, digests)
            done += 1
            if progress is not None:
                progress(done, total)
    return found + _strays(ctx.store.root / "archive", known)


def _resources(ctx: Context) -> Iterator[tuple[Resource, Path]]:
    for row in ctx.store.read().execute("SELECT * FROM resource ORDER BY pk").fetchall():
        resource = Resource.of(row)
        yield resource, content.resource_folder(ctx, resource)


def _look(path: Path, resource: Resource, entry: FileEntry, digests: bool) -> list[Difference]:
    where = f"resource {resource.pk}, file {entry.pk}"
    if not path.is_file():
        return [Difference("missing", where)]
    if path.stat().st_size != entry.size:
        return [Difference("size", where)]
    if digests and entry.md5 and md5_of(path) != entry.md5:
        return [Difference("digest", where)]
    return []


def _strays(root: Path, known: set[Path]) -> list[Difference]:
    found = []
    for folder, _, names in os.walk(root):
        strays = sum(Path(folder, name) not in known for name in names)
        if strays:
            project = Path(folder).relative_to(root).parts[0] if Path(folder) != root else "."
            found.append(Difference("stray", f"{strays} file(s) in a folder of project {project}"))
    return found


def statistics(ctx: Context) -> dict[str, int]:
    """Return how many items, files and bytes the archive holds."""
    db = ctx.store.read()
    counts = {f"{row['kind']}s": int(row["n"]) for row in db.execute(
        "SELECT kind, COUNT(*) AS n FROM item GROUP BY kind ORDER BY kind")}  # fmt: skip
    files = db.execute("SELECT COUNT(*) AS n, COALESCE(SUM(size), 0) AS bytes FROM file").fetchone()
    users = db.execute("SELECT COUNT(*) AS n FROM user").fetchone()["n"]
    return {**counts, "files": int(files["n"]), "bytes": int(files["bytes"]), "users": int(users)}
