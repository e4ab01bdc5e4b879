"""Moving out: projects of an archive as one portable folder, which `lethe xnat import` brings into an XNAT.

::

    OUT/manifest.json          what must be there: every other file with its size and SHA-256
    OUT/people.json            login, name and mail of everybody with a role; never a password
    OUT/projects/P.json        fields, subjects, sessions, scans, assessors, resources, roles, configuration
    OUT/history/P.json         who did what and when, and what items and files were before
    OUT/files/P/...            bytes, in the archive's own layout

Nothing in it depends on when or where it was written: the same archive gives the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lethe.archive import content, items
from lethe.archive.context import Context, open_context
from lethe.archive.exported import PEOPLE_SQL, history_of, left_behind, project_settings
from lethe.archive.model import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT, Item, Resource
from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.files import sha256_of, sync_folder, write_json

Json = dict[str, Any]
Progress = Callable[[int, int], None]
FORMAT, VERSION = "lethe-archive-export", 1
_CHUNK = 1 << 20
_MOVE_TRIES = 20
_BELOW = {PROJECT: (SUBJECT,), SUBJECT: (EXPERIMENT,), EXPERIMENT: (SCAN, RECONSTRUCTION, ASSESSOR)}


@dataclass(frozen=True, slots=True)
class Source:
    """One file to take along: where it is, where it goes in the folder, what the database says of it."""

    path: Path
    target: str
    size: int
    md5: str
    document: Json = field(compare=False)


@dataclass(slots=True)
class Exported:
    """What an export holds (or would hold).

    `counts` by kind of item, of files and bytes; `left_behind` names with numbers what is not taken along;
    `seal` is the SHA-256 of the manifest, empty for a dry run.
    """

    counts: dict[str, int]
    left_behind: dict[str, dict[str, int]]
    seal: str = ""

    def as_dict(self) -> Json:
        """Return it for ``--output json``."""
        return {"counts": self.counts, "left_behind": self.left_behind, "seal": self.seal}


def export(
    root: Path,
    out: Path,
    *,
    projects: Sequence[str] = (),
    link: bool = False,
    leave_prearchive: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the projects of an archive, which may be running, into a new folder.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    out : Path
        The new folder. It appears whole or not at all; broken off, the next call goes on.
    projects : sequence of str
        Ids; all projects if empty.
    link : bool
        Hard-link the files instead of copying them: quick, but who edits the export edits the archive.
    leave_prearchive : bool
        Go on although sessions wait in the prearchive; they are not taken along.
    dry_run : bool
        Only count.
    progress : Callable, optional
        Told the number of files taken and of all files.

    Raises
    ------
    Misconfigured
        There is no archive, or no such project.
    Refused
        `out` exists, sessions wait in the prearchive, or a stored file differs from its digest.
    Unavailable
        The disk is full, or the archive changed too quickly; run it again.
    """
    if not (root / "archive.db").is_file():
        raise Misconfigured("no-archive", "The folder holds no embedded archive.", remedy="Check --root.")
    if out.exists():
        raise Refused("exists", "The folder of the export is there already.", remedy="Name a new --out.")
    ctx = open_context(root.resolve(), exclusive=False)
    try:
        with _one_moment(ctx):
            reader = _Reader(ctx, projects, leave_prearchive=leave_prearchive)
        if dry_run:
            return Exported(reader.counts(), reader.left)
        return _write(ctx, reader, out, link=link, progress=progress)
    finally:
        ctx.store.close()


@contextmanager
def _one_moment(ctx: Context) -> Iterator[sqlite3.Connection]:
    """Read everything as it was at one moment, whatever a running server writes meanwhile."""
    db = ctx.store.read()
    db.execute("BEGIN")
    try:
        yield db
    finally:
        db.execute("COMMIT")


class _Reader:
    """Reads the rows; `documents`, `histories`, `people` and `sources` are what it found."""

    def __init__(self, ctx: Context, wanted: Sequence[str], *, leave_prearchive: bool) -> None:
        self._ctx = ctx
        self.sources: list[Source] = []
        self._kinds: dict[str, int] = {}
        found = {p.id: p for p in items.many(ctx, "kind = 'project' ORDER BY id")}
        unknown = sorted(set(wanted) - set(found))
        if unknown:
            raise Misconfigured(
                "no-project", f"There is no project {', '.join(unknown)}.", remedy="Check --project."
            )
        chosen = [project for name, project in found.items() if not wanted or name in wanted]
        self.site = ctx.settings.site_id
        self.left = {project.id: left_behind(ctx, project.id) for project in chosen}
        waiting = sum(left.get("sessions in the prearchive", 0) for left in self.left.values())
        if waiting and not leave_prearchive:
            raise Refused(
                "prearchive-not-empty",
                f"{waiting} session(s) wait in the prearchive and would be left behind.",
                remedy="Archive or delete them first, or say --leave-prearchive.",
            )
        self.documents = {project.id: self._project(project) for project in chosen}
        self.histories = {project.id: history_of(ctx, project.id) for project in chosen}
        rows = ctx.store.read().execute(PEOPLE_SQL).fetchall()
        names = set(self.documents)
        self.people = {
            row["login"]: {k: row[k] for k in ("first_name", "last_name", "email")}
            for row in rows
            if row["project"] in names
        }

    def counts(self) -> dict[str, int]:
        """Return how many items of each kind, files and bytes there are."""
        files = {"files": len(self.sources), "bytes": sum(one.size for one in self.sources)}
        return {**dict(sorted(self._kinds.items())), **files}

    def _project(self, project: Item) -> Json:
        rows = self._ctx.store.read().execute(
            "SELECT xml FROM study_protocol WHERE project = ? ORDER BY id", (project.id,)
        )
        mark = f"{self.site}|{project.id}|{project.created!r}"
        return {
            **self._node(project),
            **project_settings(self._ctx, project.id),
            "protocols": [row["xml"] for row in rows],
            "origin": hashlib.sha256(mark.encode()).hexdigest()[:16],
        }

    def _node(self, item: Item) -> Json:
        self._kinds[item.kind] = self._kinds.get(item.kind, 0) + 1
        ctx = self._ctx
        custom = ctx.store.read().execute(
            "SELECT key, value FROM custom_field WHERE item = ? ORDER BY key", (item.pk,)
        )
        plain = {k: v for k, v in item.data.items() if not isinstance(v, Mapping)}
        return {
            "kind": item.kind,
            "id": item.id,
            "label": item.label,
            "xsi_type": item.xsi_type,
            "status": item.status,
            "fields": plain,
            "lists": {k: v for k, v in item.data.items() if isinstance(v, Mapping) and v},
            "custom": {row["key"]: json.loads(row["value"]) for row in custom},
            "shares": {row["project"]: row["label"] for row in items.shares(ctx, item)},
            "resources": [self._resource(one) for one in content.list_resources(ctx, [item])],
            "children": [
                self._node(child)
                for kind in _BELOW.get(item.kind, ())
                for child in items.children(ctx, item, kind)
            ],
        }

    def _resource(self, resource: Resource) -> Json:
        folder = content.resource_folder(self._ctx, resource)
        base = self._ctx.store.root / "archive"
        files = []
        for entry in content.list_files(self._ctx, resource):
            path = folder / entry.path
            target = f"files/{path.relative_to(base).as_posix()}"
            row: Json = {"path": entry.path, "file": target, "size": entry.size, "md5": entry.md5}
            row |= {k: getattr(entry, k) for k in ("format", "content", "tags", "description")}
            files.append(row)
            self.sources.append(Source(path, target, entry.size, entry.md5, row))
        described = {k: getattr(resource, k) for k in ("format", "content", "tags", "description")}
        return {"label": resource.label, "variant": resource.variant, **described, "files": files}


# ---- write ------------------------------------------------------------------------------------------------


def _write(ctx: Context, reader: _Reader, out: Path, *, link: bool, progress: Progress | None) -> Exported:
    draft = out.with_name(f".{out.name}.partial")
    draft.mkdir(parents=True, exist_ok=True, mode=0o700)
    held: dict[str, Json] = {}
    try:
        for number, source in enumerate(reader.sources, start=1):
            held[source.target] = _take(ctx, source, draft, link=link)
            if progress is not None:
                progress(number, len(reader.sources))
        documents: dict[str, Any] = {"people.json": reader.people}
        documents |= {f"projects/{name}.json": one for name, one in reader.documents.items()}
        documents |= {f"history/{name}.json": one for name, one in reader.histories.items()}
        for name, document in documents.items():
            path = draft / name
            path.parent.mkdir(exist_ok=True, mode=0o700)
            write_json(path, document, mode=0o600)
            held[name] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "site": reader.site,
            "projects": sorted(reader.documents),
            "counts": reader.counts(),
            "left_behind": reader.left,
            "files": held,
        }
        write_json(draft / "manifest.json", manifest, mode=0o600)
        _remove_strays(draft, {*held, "manifest.json"})
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Unavailable(
            "disk-full", "The disk of the export is full.", remedy="Free space, then run again: it goes on."
        ) from None
    seal = sha256_of(draft / "manifest.json")
    os.rename(draft, out)
    sync_folder(out.parent)
    return Exported(reader.counts(), reader.left, seal)


def _take(ctx: Context, source: Source, draft: Path, *, link: bool) -> Json:
    """Bring one file into the folder and look at every byte of it; what an earlier call brought stays."""
    target = draft / source.target
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    there = target.is_file()
    for fresh in (False, True) if there else (True,):
        if fresh:
            _copy(source, target, draft / ".taking", link=link)
        size, md5, sha256 = _digests(target)
        if size == source.size and md5 == (source.md5 or md5):
            source.document["md5"] = md5
            return {"size": size, "sha256": sha256}
    target.unlink()
    raise _changed_or_damaged(ctx, source)


def _copy(source: Source, target: Path, temporary: Path, *, link: bool) -> None:
    temporary.unlink(missing_ok=True)
    for _ in range(_MOVE_TRIES):  # a running archive moves a file right after the commit that names it
        try:
            if link:
                os.link(source.path, temporary)
            else:
                shutil.copyfile(source.path, temporary)
            os.replace(temporary, target)
            return
        except FileNotFoundError:
            time.sleep(0.1)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            link = False  # another file system: copied
    raise Unavailable(
        "changed-meanwhile", "A file was removed from the archive meanwhile.", remedy="Run it again."
    )


def _digests(path: Path) -> tuple[int, str, str]:
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return size, md5.hexdigest(), sha256.hexdigest()


def _changed_or_damaged(ctx: Context, source: Source) -> Unavailable | Refused:
    row = ctx.store.read().execute(
        "SELECT 1 FROM file WHERE size = ? AND md5 = ?", (source.size, source.md5)
    ).fetchone()  # fmt: skip
    if row is None:
        return Unavailable(
            "changed-meanwhile", "A file was replaced in the archive meanwhile.", remedy="Run it again."
        )
    return Refused(
        "damaged",
        "A stored file differs from the digest that the archive noted for it.",
        remedy="See lethe archive check; restore the file from a backup.",
    )


def _remove_strays(draft: Path, known: set[str]) -> None:
    """Remove what an earlier, broken-off call brought and the archive no longer holds."""
    for path in sorted(draft.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(draft).as_posix() not in known:
            path.unlink()
