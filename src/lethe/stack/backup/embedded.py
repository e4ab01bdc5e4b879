"""The embedded archive as something to back up: SQLite and its file tree."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from lethe.archive import content
from lethe.archive.check import check
from lethe.archive.context import open_context
from lethe.archive.model import Resource
from lethe.errors import Misconfigured
from lethe.files import sha256_of
from lethe.stack.backup.manifest import Expected, Manifest

DATABASE = "archive.db"
FOLDERS = ("archive", "prearchive", "cache")


class Embedded:
    """An embedded archive, running or not.

    Parameters
    ----------
    root : Path
        Folder of the archive, as given to ``lethe archive serve``.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    @property
    def folders(self) -> Sequence[Path]:
        """Folders with files of the archive."""
        if not (self._root / DATABASE).is_file():
            raise Misconfigured("no-archive", "The folder holds no embedded archive.")
        return [self._root / name for name in FOLDERS]

    def dump(self, staging: Path) -> Manifest:
        """Copy the database page by page (SQLite's online backup); list the files its rows speak of."""
        moment = time.time()
        with (
            closing(sqlite3.connect(f"file:{self._root / DATABASE}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(staging / DATABASE)) as copy,
        ):
            live.backup(copy)
        digest = sha256_of(staging / DATABASE)
        with closing(sqlite3.connect(f"file:{staging / DATABASE}?mode=ro&immutable=1", uri=True)) as copy:
            rows = copy.execute("SELECT COUNT(*) FROM file").fetchone()[0]
        return Manifest(
            "embedded",
            moment,
            tuple(str(folder) for folder in self.folders),
            tuple(self._files(staging)),
            {"file": (int(rows), digest)},
        )

    def _files(self, staging: Path) -> list[Expected]:
        # on a copy of the copy: opening an archive writes to its database
        scratch = staging / "scratch"
        scratch.mkdir()
        shutil.copyfile(staging / DATABASE, scratch / DATABASE)
        ctx = open_context(scratch, exclusive=False)
        try:
            rows = ctx.store.read().execute("SELECT * FROM resource ORDER BY pk").fetchall()
            return [
                Expected(
                    str(
                        self._root
                        / (content.resource_folder(ctx, resource) / entry.path).relative_to(scratch)
                    ),
                    entry.size,
                    entry.md5,
                )
                for resource in (Resource.of(row) for row in rows)
                for entry in content.list_files(ctx, resource)
            ]
        finally:
            ctx.store.close()
            shutil.rmtree(scratch)

    def compare(self, restored: Path, staging: Path, manifest: Manifest) -> list[str]:
        """Open the restored archive as a server would, and check rows against files."""
        if sha256_of(staging / DATABASE) != manifest.tables["file"][1]:
            return ["database: other bytes than were backed up"]
        root = restored / Path(manifest.folders[0]).parent.relative_to("/")
        shutil.copyfile(staging / DATABASE, root / DATABASE)
        ctx = open_context(root)
        try:
            return sorted(f"{one.kind}: {one.where}" for one in check(ctx) if one.kind != "stray")
        finally:
            ctx.store.close()
