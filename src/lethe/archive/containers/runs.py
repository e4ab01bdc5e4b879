"""Runs on record: the queue, their states, their history. Every change is one transaction.

A run is ``waiting``, ``running`` (it is being staged or executed), ``finalizing`` (it ended well; its files
are being stored) or ``ended``. The `status` is the word that clients poll; each change of it is a history
entry and the status of the workflow.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lethe.archive import workflows
from lethe.archive.containers.model import Command, Wrapper
from lethe.archive.containers.parse import parse_command
from lethe.archive.containers.registry import Registered
from lethe.archive.containers.wire import command_document
from lethe.archive.context import Context

WAITING, RUNNING, FINALIZING, ENDED = "waiting", "running", "finalizing", "ended"
COMPLETE, FAILED, KILLED = "Complete", "Failed", "Killed"
OUT_OF_MEMORY = "Killed (Out of Memory)"


def failed(where: str) -> str:
    """Return ``Failed (Staging)`` and the like."""
    return f"{FAILED} ({where})"


@dataclass(frozen=True, slots=True)
class Run:
    """One launch, as a row of the database says it now."""

    id: int
    name: str
    command: int
    wrapper: int
    wrapper_name: str
    definition: str
    config: str
    params: str
    project: str
    login: str
    root_uri: str
    workflow: int | None
    bulk: str
    state: str
    status: str
    status_time: float
    created: float
    attempt: int
    backend: str
    handle: str
    plan: str | None
    alias: str
    exit_code: int | None
    killed_by: str
    outputs: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> Run:
        """Make the run of a row."""
        return cls(*(row[name] for name in cls.__slots__))

    @property
    def parameters(self) -> dict[str, str]:
        """What the caller sent."""
        return dict(json.loads(self.params))

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state == ENDED

    def parsed(self) -> tuple[Command, Wrapper]:
        """Return the definition as it was when the run was queued."""
        command = parse_command(json.loads(self.definition))
        wrapper = command.wrapper(self.wrapper_name)
        if wrapper is None:
            raise LookupError(self.wrapper_name)
        return command, wrapper


@dataclass(frozen=True, slots=True)
class Subject:
    """What a run is about, for its workflow: accession id, type, scan id."""

    item_id: str = ""
    data_type: str = ""
    scan_id: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a run: a new status, who caused it, what it says."""

    status: str
    message: str = ""
    entity_type: str = "system"
    entity_id: str = ""
    exit_code: int | None = None
    details: str = ""


# ---- queue ------------------------------------------------------------------------------------------------


def enqueue(
    ctx: Context,
    found: Registered,
    params: Mapping[str, str],
    config: Mapping[str, Any],
    *,
    project: str,
    login: str,
    root_uri: str,
    about: Subject,
    bulk: str = "",
) -> Run:
    """Put a run into the queue with its workflow; it is durable when this returns."""
    with ctx.store.write() as db:
        workflow = workflows.create_workflow(
            ctx,
            about.item_id,
            found.wrapper.name,
            login=login,
            data_type=about.data_type,
            project=project,
            status="Queued",
            data={"justification": "Container launch", "type": "", "scan_id": about.scan_id},
        )
        moment = ctx.store.now()
        definition = json.dumps({**command_document(found.command), "id": found.command_id})
        cursor = db.execute(
            "INSERT INTO cs_run (name, command, wrapper, wrapper_name, definition, config, params, project,"
            " login, root_uri, workflow, bulk, state, status, status_time, created)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,'waiting','Queued',?,?)",
            (
                f"lethe-{secrets.token_hex(8)}",
                found.command_id,
                found.wrapper_id,
                found.wrapper.name,
                definition,
                json.dumps(config),
                json.dumps(dict(params)),
                project,
                login,
                root_uri,
                workflow,
                bulk,
                moment,
                moment,
            ),
        )
        number = int(cursor.lastrowid or 0)
        workflows.update_workflow(ctx, workflow, data={"comments": str(number)})
        _history(db, number, Change("Queued", entity_type="user", entity_id=login), moment)
        return get(ctx, number)


def in_state(ctx: Context, *states: str) -> list[Run]:
    """Return the runs in any of these states, oldest first."""
    marks = ",".join("?" * len(states))
    rows = ctx.store.read().execute(f"SELECT * FROM cs_run WHERE state IN ({marks}) ORDER BY id", states)  # noqa: S608
    return [Run.of(row) for row in rows.fetchall()]


def get(ctx: Context, number: int) -> Run:
    """Return a run that is known to exist."""
    row = ctx.store.read().execute("SELECT * FROM cs_run WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise LookupError(number)
    return Run.of(row)


def find(ctx: Context, ref: str) -> Run | None:
    """Find a run by its number, its name or the id its backend gave it (an unambiguous start is enough)."""
    db = ctx.store.read()
    if ref.isdecimal() and len(ref) < 12:
        row = db.execute("SELECT * FROM cs_run WHERE id = ?", (int(ref),)).fetchone()
    else:
        row = db.execute("SELECT * FROM cs_run WHERE handle = ? OR name = ?", (ref, ref)).fetchone()
    return None if row is None else Run.of(row)


def listing(
    ctx: Context, where: str = "1 = 1", values: Sequence[object] = (), *, order: str = "id DESC",
    limit: int = -1, offset: int = 0,
) -> list[Run]:  # fmt: skip
    """Return the runs of ``SELECT * FROM cs_run WHERE {where}``, newest first unless `order` says else."""
    sql = f"SELECT * FROM cs_run WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
    rows = ctx.store.read().execute(sql, (*values, limit, offset))
    return [Run.of(row) for row in rows.fetchall()]


def history(ctx: Context, number: int) -> list[sqlite3.Row]:
    """Return the history rows of a run, oldest first."""
    return (
        ctx.store.read().execute("SELECT * FROM cs_history WHERE run = ? ORDER BY id", (number,)).fetchall()
    )


def delete(ctx: Context, number: int) -> None:
    """Remove a run from the record; its workflow stays."""
    with ctx.store.write() as db:
        db.execute("DELETE FROM cs_run WHERE id = ?", (number,))


# ---- changes ----------------------------------------------------------------------------------------------


def change(ctx: Context, number: int, step: Change, **columns: object) -> None:
    """Give a run a new status and set columns of its row; an ended run is not changed any more."""
    with ctx.store.write() as db:
        moment = ctx.store.now()
        row = db.execute("SELECT state, workflow FROM cs_run WHERE id = ?", (number,)).fetchone()
        if row is None or row["state"] == ENDED:
            return
        values = {"status": step.status, "status_time": moment, **columns}
        sets = ", ".join(f"{name} = ?" for name in values)
        db.execute(f"UPDATE cs_run SET {sets} WHERE id = ?", (*values.values(), number))  # noqa: S608
        _history(db, number, step, moment)
        if row["workflow"] is not None:
            data = {"details": step.details or step.message} if step.details or step.message else None
            workflows.update_workflow(ctx, row["workflow"], status=step.status, data=data)


def set_columns(ctx: Context, number: int, **columns: object) -> None:
    """Set columns of a run without a new status."""
    sets = ", ".join(f"{name} = ?" for name in columns)
    with ctx.store.write() as db:
        db.execute(f"UPDATE cs_run SET {sets} WHERE id = ?", (*columns.values(), number))  # noqa: S608


def note(ctx: Context, number: int, step: Change) -> None:
    """Add a history entry without changing the status of the run or its workflow."""
    with ctx.store.write() as db:
        _history(db, number, step, ctx.store.now())


def end(ctx: Context, number: int, step: Change, **columns: object) -> None:
    """End a run."""
    change(ctx, number, step, state=ENDED, **columns)


def _history(db: sqlite3.Connection, number: int, step: Change, moment: float) -> None:
    db.execute(
        "INSERT INTO cs_history (run, status, entity_type, entity_id, time, exit_code, message)"
        " VALUES (?,?,?,?,?,?,?)",
        (number, step.status, step.entity_type, step.entity_id, moment, step.exit_code, step.message),
    )
