"""Projects, subjects, experiments, scans and assessors: find, make, change.

Every function takes the `Context`; those that write may be called inside ``ctx.store.write()`` to join a
larger transaction. None of them checks rights: that is `lethe.archive.access`, at the door.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lethe.archive.context import Context
from lethe.archive.model import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT, Data, Item
from lethe.archive.names import check_label, check_project_id, folder_names
from lethe.archive.problem import Problem

_COLUMNS = (
    "kind, id, label, xsi_type, project, parent, folder, data, created, created_by, modified, modified_by"
)


# ---- find ---------------------------------------------------------------------------------------


def one(ctx: Context, sql: str, *values: object) -> Item | None:
    """Return the item of ``SELECT * FROM item WHERE {sql}``, or None."""
    row = ctx.store.read().execute(f"SELECT * FROM item WHERE {sql}", values).fetchone()  # noqa: S608
    return None if row is None else Item.of(row)


def many(ctx: Context, sql: str, *values: object) -> list[Item]:
    """Return the items of ``SELECT * FROM item WHERE {sql}``."""
    rows = ctx.store.read().execute(f"SELECT * FROM item WHERE {sql}", values)  # noqa: S608
    return [Item.of(row) for row in rows]


def by_pk(ctx: Context, pk: int) -> Item:
    """Return the item of a row number that is known to exist."""
    item = one(ctx, "pk = ?", pk)
    if item is None:
        raise Problem(404, "Unable to find the specified item.")
    return item


def find_project(ctx: Context, ref: str) -> Item | None:
    """Find a project by id, else by alias."""
    # the first comparison is the one that the index serves
    found = one(ctx, "kind = 'project' AND id = ? COLLATE NOCASE AND id = ? COLLATE BINARY", ref, ref)
    if found is None:
        found = next((p for p in many(ctx, "kind = 'project'") if ref in aliases(p)), None)
    return found


def aliases(project: Item) -> list[str]:
    """Return the aliases of a project."""
    entries: Mapping[str, Mapping[str, str]] = project.data.get("aliases/alias", {})
    return [entry.get("alias", "") for entry in entries.values()]


def find_subject(ctx: Context, ref: str, project: str | None = None) -> Item | None:
    """Find a subject by accession id, or within `project` by label, share label or accession id."""
    if project is None:
        return one(ctx, "kind = 'subject' AND id = ?", ref)
    return _within(ctx, _IS_SUBJECT, ref, project)


def find_experiment(ctx: Context, ref: str, project: str | None = None) -> Item | None:
    """Find an experiment or assessor by accession id, or within `project` as `find_subject` does."""
    if project is None:
        return one(ctx, "kind IN ('experiment', 'assessor') AND id = ?", ref)
    return _within(ctx, _IS_EXPERIMENT, ref, project)


_IS_SUBJECT = "kind = 'subject'"
_IS_EXPERIMENT = "kind IN ('experiment', 'assessor')"
"""Conditions spelled as in the partial indexes, which SQLite uses for these very words only."""


def _within(ctx: Context, kinds: str, ref: str, project: str) -> Item | None:
    found = one(ctx, f"{kinds} AND project = ? AND label = ?", project, ref)
    shared = "SELECT item FROM share WHERE project = ?"
    if found is None:
        found = one(ctx, f"{kinds} AND pk IN ({shared} AND label = ?)", project, ref)
    if found is None:
        found = one(ctx, f"{kinds} AND id = ? AND (project = ? OR pk IN ({shared}))", ref, project, project)
    return found


def find_scan(ctx: Context, session: Item, scan_id: str) -> Item | None:
    """Find a scan of a session by its id."""
    return one(ctx, "kind = 'scan' AND parent = ? AND id = ?", session.pk, scan_id)


def find_assessor(ctx: Context, session: Item, ref: str) -> Item | None:
    """Find an assessor of a session by accession id or label."""
    return one(ctx, "kind = 'assessor' AND parent = ? AND (label = ? OR id = ?)", session.pk, ref, ref)


def find_reconstruction(ctx: Context, session: Item, ref: str) -> Item | None:
    """Find a reconstruction of a session by its id."""
    return one(ctx, "kind = 'reconstruction' AND parent = ? AND id = ?", session.pk, ref)


def children(ctx: Context, item: Item, kind: str) -> list[Item]:
    """Return the items of one kind below `item` (subjects of a project, scans of a session, ...)."""
    if item.kind == PROJECT:
        return many(ctx, "kind = ? AND project = ? ORDER BY pk", kind, item.id)
    return many(ctx, "kind = ? AND parent = ? ORDER BY pk", kind, item.pk)


def shares(ctx: Context, item: Item) -> list[sqlite3.Row]:
    """Return the shares of an item (rows with ``project`` and ``label``)."""
    return ctx.store.read().execute(
        "SELECT project, label, created, created_by FROM share WHERE item = ? ORDER BY created", (item.pk,)
    ).fetchall()  # fmt: skip


def projects_of(ctx: Context, item: Item) -> list[str]:
    """Return the owning project of an item, then those it is shared into (a scan's are its session's)."""
    if item.kind in {SCAN, RECONSTRUCTION}:
        item = by_pk(ctx, item.parent or 0)
    return [item.project, *(row["project"] for row in shares(ctx, item))]


def label_in(ctx: Context, item: Item, project: str | None) -> str:
    """Return the label of an item as `project` sees it (the share's label there)."""
    if project is not None and project != item.project:
        for row in shares(ctx, item):
            if row["project"] == project:
                return str(row["label"])
    return item.label


def check_free(ctx: Context, kind: str, project: str, label: str, *, but: int = 0) -> None:
    """Refuse (409) a label that an item or a share of this kind has in `project`."""
    kinds = "kind = 'subject'" if kind == SUBJECT else "kind IN ('experiment', 'assessor')"
    own = f"{kinds} AND pk != ? AND project = ? AND label = ?"
    shared = f"{kinds} AND pk != ? AND pk IN (SELECT item FROM share WHERE project = ? AND label = ?)"  # noqa: S608
    taken = one(ctx, own, but, project, label) or one(ctx, shared, but, project, label)
    if taken is not None:
        raise Problem(409, f"Label already in use:{label}")


# ---- make ---------------------------------------------------------------------------------------


def _insert(
    ctx: Context, kind: str, id_: str, label: str, xsi_type: str, project: str, parent: int | None,
    login: str, data: Data | None,
) -> Item:  # fmt: skip
    moment = ctx.store.now()
    with ctx.store.write() as db:
        folder = free_folder(ctx, kind, project, parent, id_ if kind in {SCAN, RECONSTRUCTION} else label)
        cursor = db.execute(
            f"INSERT INTO item ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
            (
                kind,
                id_,
                label,
                xsi_type,
                project,
                parent,
                folder,
                json.dumps(data or {}),
                moment,
                login,
                moment,
                login,
            ),
        )
        return by_pk(ctx, cursor.lastrowid or 0)


def free_folder(ctx: Context, kind: str, project: str, parent: int | None, name: str) -> str:
    """Return a folder name that no sibling has (names that differ only in letter case count as equal)."""
    where, owner = (
        ("parent = ?", parent) if kind in {SCAN, RECONSTRUCTION, ASSESSOR} else ("project = ?", project)
    )
    for folder in folder_names(name):
        if one(ctx, f"kind = ? AND {where} AND folder = ? COLLATE NOCASE", kind, owner, folder) is None:
            return folder
    raise Problem(500)


def create_project(ctx: Context, project_id: str, *, login: str, data: Data | None = None) -> Item:
    """Make a private project owned by `login`.

    Raises
    ------
    Problem
        417 for a bad id, 403 for the id of a deleted project, 409 if the id is taken.
    """
    check_project_id(project_id)
    with ctx.store.write() as db:
        row = db.execute("SELECT 1 FROM retired WHERE kind = 'project' AND id = ?", (project_id,)).fetchone()
        if row is not None:
            raise Problem(403, "The ID of a deleted project is not given again.")
        if one(ctx, "kind = 'project' AND id = ? COLLATE NOCASE", project_id) is not None:
            raise Problem(409, "Project ID is already in use.")
        fields = {"name": project_id, "secondary_ID": project_id, **(data or {})}
        item = _insert(
            ctx, PROJECT, project_id, project_id, "xnat:projectData", project_id, None, login, fields
        )
        if db.execute("SELECT 1 FROM user WHERE login = ?", (login,)).fetchone() is not None:
            db.execute("INSERT INTO membership VALUES (?, ?, 'owner')", (project_id, login))
    return item


def _accession(ctx: Context, letter: str) -> str:
    prefix = f"{ctx.settings.site_id}_{letter}"
    return f"{prefix}{ctx.store.next_number(prefix):05d}"


def ensure_subject(
    ctx: Context, project: str, label: str, *, login: str, data: Data | None = None
) -> tuple[Item, bool]:
    """Return the subject `label` of `project` and whether it was made now."""
    with ctx.store.write():
        found = find_subject(ctx, label, project)
        if found is not None:
            return found, False
        check_label(label)
        check_free(ctx, SUBJECT, project, label)
        return _insert(
            ctx, SUBJECT, _accession(ctx, "S"), label, "xnat:subjectData", project, None, login, data
        ), True  # fmt: skip


def ensure_experiment(
    ctx: Context,
    project: str,
    subject: Item,
    label: str,
    xsi_type: str,
    *,
    login: str,
    data: Data | None = None,
) -> tuple[Item, bool]:
    """Return the experiment `label` of `project` and whether it was made now (below `subject`)."""
    with ctx.store.write():
        found = find_experiment(ctx, label, project)
        if found is not None:
            return found, False
        check_label(label)
        check_free(ctx, EXPERIMENT, project, label)
        return _insert(
            ctx, EXPERIMENT, _accession(ctx, "E"), label, xsi_type, project, subject.pk, login, data
        ), True  # fmt: skip


def ensure_assessor(
    ctx: Context, session: Item, label: str, xsi_type: str, *, login: str, data: Data | None = None
) -> tuple[Item, bool]:
    """Return the assessor `label` of `session` and whether it was made now."""
    with ctx.store.write():
        found = find_assessor(ctx, session, label)
        if found is not None:
            return found, False
        check_label(label)
        check_free(ctx, ASSESSOR, session.project, label)
        return _insert(
            ctx, ASSESSOR, _accession(ctx, "E"), label, xsi_type, session.project, session.pk, login, data
        ), True  # fmt: skip


def ensure_scan(
    ctx: Context, session: Item, scan_id: str, xsi_type: str, *, login: str, data: Data | None = None,
    kind: str = SCAN,
) -> tuple[Item, bool]:  # fmt: skip
    """Return the scan (or reconstruction) `scan_id` of `session` and whether it was made now."""
    with ctx.store.write():
        found = one(ctx, "kind = ? AND parent = ? AND id = ?", kind, session.pk, scan_id)
        if found is not None:
            return found, False
        check_label(scan_id, "scan id")
        return _insert(ctx, kind, scan_id, scan_id, xsi_type, session.project, session.pk, login, data), True


# ---- change -------------------------------------------------------------------------------------


def set_data(ctx: Context, item: Item, data: Data, *, login: str) -> Item:
    """Replace the fields of an item (compute them with `lethe.archive.types.xpath`); keep the old ones."""
    with ctx.store.write() as db:
        db.execute(
            "INSERT INTO item_history (item, data, modified, modified_by)"
            " SELECT pk, data, modified, modified_by FROM item WHERE pk = ?",
            (item.pk,),
        )
        db.execute(
            "UPDATE item SET data = ?, modified = MAX(?, modified + 0.001), modified_by = ? WHERE pk = ?",
            (json.dumps(data), ctx.store.now(), login, item.pk),
        )
        return by_pk(ctx, item.pk)


def history(ctx: Context, item: Item) -> list[Item]:
    """Return the item as it was before each of its changes, newest first."""
    rows = ctx.store.read().execute(
        "SELECT data, modified, modified_by FROM item_history WHERE item = ? ORDER BY pk DESC", (item.pk,)
    )  # fmt: skip
    return [
        replace(item, data=json.loads(row["data"]), modified=row["modified"], modified_by=row["modified_by"])
        for row in rows
    ]


def update_fields(ctx: Context, item: Item, values: Mapping[str, str | None], *, login: str) -> Item:
    """Set plain fields by path (``{"note": "x", "scanner/manufacturer": None}``; None removes)."""
    with ctx.store.write():
        data = dict(by_pk(ctx, item.pk).data)
        for path, value in values.items():
            if value is None:
                data.pop(path, None)
            else:
                data[path] = value
        return set_data(ctx, item, data, login=login)


def set_status(ctx: Context, item: Item, status: str, *, login: str) -> None:
    """Set ``active`` or ``quarantine``."""
    with ctx.store.write() as db:
        db.execute(
            "UPDATE item SET status = ?, modified = MAX(?, modified + 0.001), modified_by = ? WHERE pk = ?",
            (status, ctx.store.now(), login, item.pk),
        )


# ---- where things lie ---------------------------------------------------------------------------


def folder_of(ctx: Context, item: Item) -> Path:
    """Return the folder of an item in the archive tree (it need not exist yet).

    ``archive/P/arc001/{session}/SCANS/{scan}``, ``.../ASSESSORS/{assessor}``, ``archive/P/subjects/{s}``.
    """
    base = ctx.store.root / "archive" / item.project
    match item.kind:
        case "project":
            return base
        case "subject":
            return base / "subjects" / item.folder
        case "experiment":
            return base / "arc001" / item.folder
        case _:
            part = {SCAN: "SCANS", ASSESSOR: "ASSESSORS", RECONSTRUCTION: "PROCESSED"}[item.kind]
            return folder_of(ctx, by_pk(ctx, item.parent or 0)) / part / item.folder
