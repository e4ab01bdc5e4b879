"""What an export reads beside the items: settings, roles, configuration, history, and what stays behind."""

from __future__ import annotations

import json
from typing import Any

from lethe.archive import access
from lethe.archive.context import Context

PEOPLE_SQL = """SELECT m.project, u.login, u.first_name, u.last_name, u.email
 FROM membership m JOIN user u ON u.login = m.login ORDER BY u.login"""

_TEXTS = ("prearchive_code", "quarantine_code", "scan_type_mapping")
_LEFT = (
    ("sessions in the prearchive", "prearchive", "project = ?"),
    ("open access requests and invitations", "invitation", "project = ? AND approved = ''"),
    ("event subscriptions", "ev_subscription", "project = ?"),
    ("enabled commands", "cs_enabled", "project = ? AND enabled = 1"),
    ("runs that have not ended", "cs_run", "project = ? AND state != 'ended'"),
)
"""Name, table and condition of what an export does not take along; a collection file brings back the rest."""


def project_settings(ctx: Context, project: str) -> dict[str, Any]:
    """Return visibility, modes of arrival, anonymization, roles and configuration of a project."""
    db = ctx.store.read()
    texts = {name: ctx.store.setting(f"project.{project}.{name}", None) for name in _TEXTS}
    script = ctx.store.setting(f"anonymize.script.{project}", None)
    configs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in db.execute("SELECT * FROM config WHERE project = ? ORDER BY tool, path, version", (project,)):
        version = {name: row[name] for name in ("contents", "status", "reason", "login", "created")}
        configs.setdefault((row["tool"], row["path"]), []).append(version)
    roles = db.execute("SELECT login, role FROM membership WHERE project = ? ORDER BY login", (project,))
    return {
        "visibility": access.visibility(ctx, project).value,
        "settings": {name: str(text) for name, text in texts.items() if text is not None},
        "anonymization": None
        if script is None
        else {"script": script, "enabled": bool(ctx.store.setting(f"anonymize.enabled.{project}", True))},
        "roles": {row["login"]: row["role"] for row in roles},
        "configs": [
            {"tool": tool, "path": path, "versions": found} for (tool, path), found in configs.items()
        ],
    }


def history_of(ctx: Context, project: str) -> dict[str, Any]:
    """Return what was done in a project: deeds, former fields of items, authors of items and of files."""
    db = ctx.store.read()
    deeds = db.execute(
        "SELECT id, data_type, pipeline_name, status, launch_time, modified, login, data FROM workflow"
        " WHERE external_id = ? ORDER BY pk",
        (project,),
    ).fetchall()
    made = db.execute(
        "SELECT pk, kind, id, label, created, created_by, modified, modified_by FROM item"
        " WHERE project = ? ORDER BY pk",
        (project,),
    ).fetchall()
    former = db.execute(
        "SELECT h.item, h.data, h.modified, h.modified_by FROM item_history h JOIN item i ON i.pk = h.item"
        " WHERE i.project = ? ORDER BY h.pk",
        (project,),
    ).fetchall()
    files = db.execute(
        "SELECT r.owner, r.label, r.variant, f.path, f.created, f.created_by FROM file f"
        " JOIN resource r ON r.pk = f.resource JOIN item i ON i.pk = r.owner"
        " WHERE i.project = ? ORDER BY r.pk, f.path",
        (project,),
    ).fetchall()
    return {
        "project": project,
        "deeds": [{**dict(row), "data": json.loads(row["data"])} for row in deeds],
        "items": [dict(row) for row in made],
        "former": [{**dict(row), "data": json.loads(row["data"])} for row in former],
        "files": [dict(row) for row in files],
    }


def left_behind(ctx: Context, project: str) -> dict[str, int]:
    """Return what exists in a project and is not taken along, with its number."""
    db = ctx.store.read()
    tables = {row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = {}
    for name, table, where in _LEFT:
        if table in tables:
            row = db.execute(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}", (project,))  # noqa: S608
            found[name] = int(row.fetchone()["n"])
    return {name: number for name, number in found.items() if number}
