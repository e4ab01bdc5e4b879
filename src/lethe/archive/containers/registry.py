"""Commands and wrappers of this archive: stored definitions, where they are enabled, their settings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lethe.archive.containers.model import Command, Wrapper
from lethe.archive.containers.parse import parse_command, parse_wrapper
from lethe.archive.containers.wire import command_document, wrapper_document
from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.errors import Refused

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Registered:
    """A wrapper with its ids and its command."""

    command_id: int
    wrapper_id: int
    command: Command
    wrapper: Wrapper


# ---- definitions ------------------------------------------------------------------------------------------


def parsed(document: object, *, image: str = "") -> Command:
    """Parse a posted definition; 400 with every mistake."""
    try:
        return parse_command(document, image=image)
    except Refused as refusal:
        raise Problem(400, refusal.sentence) from refusal


def add_command(ctx: Context, command: Command, *, login: str) -> int:
    """Store a new command with its wrappers (none of them enabled); return its id.

    Raises
    ------
    Problem
        409 if this name and version are taken.
    """
    with ctx.store.write() as db:
        _check_free(db, command)
        cursor = db.execute(
            "INSERT INTO cs_command (name, version, image, document, created, created_by)"
            " VALUES (?,?,?,?,?,?)",
            (command.name, command.version, command.image, _stored(command), ctx.store.now(), login),
        )
        number = int(cursor.lastrowid or 0)
        _set_wrappers(db, number, command)
    return number


def replace_command(ctx: Context, number: int, command: Command) -> None:
    """Replace a command; wrappers that the new definition does not name are lost."""
    with ctx.store.write() as db:
        if db.execute("SELECT 1 FROM cs_command WHERE id = ?", (number,)).fetchone() is None:
            raise Problem(404, f"No command with ID {number}.")
        _check_free(db, command, but=number)
        db.execute(
            "UPDATE cs_command SET name = ?, version = ?, image = ?, document = ? WHERE id = ?",
            (command.name, command.version, command.image, _stored(command), number),
        )
        _set_wrappers(db, number, command)


def delete_command(ctx: Context, number: int) -> None:
    """Remove a command and its wrappers; runs that were made with it stay on record."""
    with ctx.store.write() as db:
        for row in db.execute("SELECT id FROM cs_wrapper WHERE command = ?", (number,)).fetchall():
            _forget(db, row["id"])
        db.execute("DELETE FROM cs_command WHERE id = ?", (number,))


def add_wrapper(ctx: Context, number: int, document: object) -> int:
    """Add one wrapper to a command; return its id."""
    with ctx.store.write() as db:
        wrapper = _wrapper_for(ctx, number, document)
        if db.execute(
            "SELECT 1 FROM cs_wrapper WHERE command = ? AND name = ?", (number, wrapper.name)
        ).fetchone():
            raise Problem(409, "This command has a wrapper of that name.")
        return _insert_wrapper(db, number, wrapper)


def replace_wrapper(ctx: Context, number: int, wrapper_id: int, document: object) -> None:
    """Replace one wrapper of a command."""
    with ctx.store.write() as db:
        wrapper = _wrapper_for(ctx, number, document)
        cursor = db.execute(
            "UPDATE cs_wrapper SET name = ?, document = ? WHERE id = ? AND command = ?",
            (wrapper.name, json.dumps(wrapper_document(wrapper)), wrapper_id, number),
        )
        if not cursor.rowcount:
            raise Problem(404, f"No wrapper with ID {wrapper_id}.")


def delete_wrapper(ctx: Context, wrapper_id: int) -> None:
    """Remove a wrapper."""
    with ctx.store.write() as db:
        _forget(db, wrapper_id)


def _check_free(db: sqlite3.Connection, command: Command, but: int = 0) -> None:
    if db.execute(
        "SELECT 1 FROM cs_command WHERE name = ? AND version = ? AND id != ?",
        (command.name, command.version, but),
    ).fetchone():
        raise Problem(409, "A command of this name and version exists already.")


def _stored(command: Command) -> str:
    document = command_document(command)
    del document["xnat"]  # wrappers have rows of their own
    return json.dumps(document)


def _wrapper_for(ctx: Context, number: int, document: object) -> Wrapper:
    try:
        return parse_wrapper(document, command_of(ctx, number))
    except Refused as refusal:
        if isinstance(refusal, Problem):
            raise
        raise Problem(400, refusal.sentence) from refusal


def _set_wrappers(db: sqlite3.Connection, number: int, command: Command) -> None:
    """Store the wrappers; one that keeps its name keeps its id and where it is enabled."""
    rows = db.execute("SELECT id, name FROM cs_wrapper WHERE command = ?", (number,)).fetchall()
    present = {row["name"]: int(row["id"]) for row in rows}
    for wrapper in command.wrappers:
        known = present.pop(wrapper.name, None)
        if known is None:
            _insert_wrapper(db, number, wrapper)
        else:
            document = json.dumps(wrapper_document(wrapper))
            db.execute("UPDATE cs_wrapper SET document = ? WHERE id = ?", (document, known))
    for lost in present.values():
        _forget(db, lost)


def _insert_wrapper(db: sqlite3.Connection, number: int, wrapper: Wrapper) -> int:
    cursor = db.execute(
        "INSERT INTO cs_wrapper (command, name, document) VALUES (?, ?, ?)",
        (number, wrapper.name, json.dumps(wrapper_document(wrapper))),
    )
    return int(cursor.lastrowid or 0)


def _forget(db: sqlite3.Connection, wrapper_id: int) -> None:
    db.execute("DELETE FROM cs_enabled WHERE wrapper = ?", (wrapper_id,))
    db.execute("DELETE FROM cs_config WHERE wrapper = ?", (wrapper_id,))
    db.execute("DELETE FROM cs_wrapper WHERE id = ?", (wrapper_id,))


# ---- reading ----------------------------------------------------------------------------------------------


def documents(ctx: Context, **filters: str) -> list[Json]:
    """Return the commands as JSON with ids; `filters` are name, version, image."""
    wanted = {key: value for key, value in filters.items() if key in ("name", "version", "image") and value}
    where = "".join(f" AND {key} = ?" for key in wanted)
    rows = ctx.store.read().execute(
        f"SELECT id, document FROM cs_command WHERE 1 = 1{where} ORDER BY id",  # noqa: S608
        tuple(wanted.values()),
    )
    return [_document(ctx, row) for row in rows.fetchall()]


def document(ctx: Context, number: int) -> Json:
    """Return one command as JSON with ids; 404 if there is none."""
    row = ctx.store.read().execute("SELECT id, document FROM cs_command WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise Problem(404, f"No command with ID {number}.")
    return _document(ctx, row)


def _document(ctx: Context, row: sqlite3.Row) -> Json:
    wrappers = ctx.store.read().execute(
        "SELECT id, document FROM cs_wrapper WHERE command = ? ORDER BY id", (row["id"],)
    )
    found: Json = {"id": row["id"], **json.loads(row["document"])}
    found["xnat"] = [
        {"id": wrapper["id"], **json.loads(wrapper["document"])} for wrapper in wrappers.fetchall()
    ]
    return found


def command_of(ctx: Context, number: int) -> Command:
    """Return one command, parsed."""
    return parse_command(document(ctx, number))


def every_wrapper(ctx: Context) -> list[Registered]:
    """Return all wrappers of all commands."""
    found = []
    for entry in documents(ctx):
        command = parse_command(entry)
        ids = {wrapper["name"]: int(wrapper["id"]) for wrapper in entry["xnat"]}
        found += [Registered(int(entry["id"]), ids[w.name], command, w) for w in command.wrappers]
    return found


def find_wrapper(ctx: Context, wrapper_id: int) -> Registered | None:
    """Return one wrapper by id."""
    row = (
        ctx.store.read()
        .execute("SELECT command, name FROM cs_wrapper WHERE id = ?", (wrapper_id,))
        .fetchone()
    )
    if row is None:
        return None
    command = command_of(ctx, row["command"])
    wrapper = command.wrapper(row["name"])
    return None if wrapper is None else Registered(row["command"], wrapper_id, command, wrapper)


def wrapper_id_of(ctx: Context, command_id: int, name: str) -> int | None:
    """Return the id of a wrapper given by command and name (or, as clients do, by its number)."""
    number = int(name) if name.isdecimal() and len(name) < 18 else 0
    row = ctx.store.read().execute(
        "SELECT id FROM cs_wrapper WHERE command = ? AND (name = ? OR id = ?) ORDER BY name != ?",
        (command_id, name, number, name),
    ).fetchone()  # fmt: skip
    return None if row is None else int(row["id"])


# ---- enablement and settings ------------------------------------------------------------------------------


def is_enabled(ctx: Context, wrapper_id: int, project: str = "") -> bool:
    """Return whether a wrapper is enabled for the site (empty `project`) or by one project."""
    row = ctx.store.read().execute(
        "SELECT enabled FROM cs_enabled WHERE wrapper = ? AND project = ?", (wrapper_id, project)
    ).fetchone()  # fmt: skip
    return row is not None and bool(row["enabled"])


def runnable(ctx: Context, wrapper_id: int, project: str) -> bool:
    """Return whether a wrapper may be launched in a project: the site and the project enabled it."""
    return is_enabled(ctx, wrapper_id) and (not project or is_enabled(ctx, wrapper_id, project))


def set_enabled(ctx: Context, wrapper_id: int, enabled: bool, project: str = "") -> None:
    """Enable or disable a wrapper for the site or a project."""
    with ctx.store.write() as db:
        db.execute(
            "INSERT INTO cs_enabled (wrapper, project, enabled) VALUES (?, ?, ?)"
            " ON CONFLICT (wrapper, project) DO UPDATE SET enabled = excluded.enabled",
            (wrapper_id, project, int(enabled)),
        )


def config(ctx: Context, wrapper_id: int, project: str = "") -> Json | None:
    """Return the stored settings of a wrapper at the site or in one project, None if there are none."""
    row = ctx.store.read().execute(
        "SELECT document FROM cs_config WHERE wrapper = ? AND project = ?", (wrapper_id, project)
    ).fetchone()  # fmt: skip
    return None if row is None else dict(json.loads(row["document"]))


def set_config(ctx: Context, wrapper_id: int, document: Mapping[str, Any] | None, project: str = "") -> None:
    """Store the settings of a wrapper; None removes them."""
    with ctx.store.write() as db:
        db.execute("DELETE FROM cs_config WHERE wrapper = ? AND project = ?", (wrapper_id, project))
        if document is not None:
            db.execute(
                "INSERT INTO cs_config (wrapper, project, document) VALUES (?, ?, ?)",
                (wrapper_id, project, json.dumps(document)),
            )


def effective_config(ctx: Context, wrapper_id: int, project: str) -> Json:
    """Return the settings that hold in a project: the site's, overridden field by field by the project's."""
    merged: Json = {"inputs": {}, "outputs": {}}
    for owner in dict.fromkeys(("", project)):
        stored = config(ctx, wrapper_id, owner) or {}
        for part in ("inputs", "outputs"):
            for name, values in (stored.get(part) or {}).items():
                given = {key: value for key, value in (values or {}).items() if value is not None}
                merged[part][name] = {**merged[part].get(name, {}), **given}
    return merged
