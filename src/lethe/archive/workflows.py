"""Workflow entries (``wrk:workflowData``): the audit trail of changes and the state of launched commands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from lethe.archive.context import Context
from lethe.archive.model import Item

FIELDS = ("percentageComplete", "details", "justification", "comments", "scan_id", "src", "category", "type")
"""Further fields of a workflow besides its columns."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """One entry: `id` is the accession id of the item it is about, `external_id` the project."""

    pk: int
    id: str
    data_type: str
    external_id: str
    pipeline_name: str
    status: str
    launch_time: float
    modified: float
    login: str
    data: Mapping[str, str]

    @classmethod
    def of(cls, row: sqlite3.Row) -> Workflow:
        """Make the workflow of a row."""
        values = {name: row[name] for name in cls.__slots__}
        return cls(**{**values, "data": json.loads(row["data"])})


def create_workflow(
    ctx: Context,
    item_id: str,
    pipeline_name: str,
    *,
    login: str,
    data_type: str = "",
    project: str = "",
    status: str = "Queued",
    data: Mapping[str, str] | None = None,
) -> int:
    """Make a workflow entry; return its number (XNAT's ``wrk_workflowData_id``)."""
    moment = ctx.store.now()
    with ctx.store.write() as db:
        cursor = db.execute(
            "INSERT INTO workflow (id, data_type, external_id, pipeline_name, status, launch_time, modified,"
            " login, data) VALUES (?,?,?,?,?,?,?,?,?)",
            (
                item_id,
                data_type,
                project,
                pipeline_name,
                status,
                moment,
                moment,
                login,
                json.dumps(data or {}),
            ),
        )
    return cursor.lastrowid or 0


def update_workflow(
    ctx: Context, pk: int, *, status: str | None = None, data: Mapping[str, str] | None = None
) -> None:
    """Change the status and merge further fields (``details``, ``comments``, ...) of a workflow."""
    with ctx.store.write() as db:
        row = db.execute("SELECT status, data FROM workflow WHERE pk = ?", (pk,)).fetchone()
        if row is None:
            return
        merged = {**json.loads(row["data"]), **(data or {})}
        db.execute(
            "UPDATE workflow SET status = ?, data = ?, modified = ? WHERE pk = ?",
            (status or row["status"], json.dumps(merged), ctx.store.now(), pk),
        )


def workflow(ctx: Context, pk: int) -> Workflow | None:
    """Return one workflow."""
    row = ctx.store.read().execute("SELECT * FROM workflow WHERE pk = ?", (pk,)).fetchone()
    return None if row is None else Workflow.of(row)


def audit(
    ctx: Context, item_id: str, action: str, *, login: str, data_type: str = "", project: str = ""
) -> None:
    """Note a finished change (``Added Subject``, ``Uploaded file``)."""
    create_workflow(
        ctx, item_id, action, login=login, data_type=data_type, project=project, status="Complete"
    )


def audit_item(ctx: Context, item: Item, action: str, *, login: str) -> None:
    """Note a finished change to an item."""
    audit(ctx, item.id, action, login=login, data_type=item.xsi_type, project=item.project)
