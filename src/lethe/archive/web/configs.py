"""The config service: named texts with versions, of the site or of a project."""

from __future__ import annotations

import sqlite3

from starlette.responses import Response

from lethe.archive import access
from lethe.archive.context import Context
from lethe.archive.model import Item
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.documents import stamp
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

_COLUMNS = ["tool", "path", "project", "user", "create_date", "reason", "contents", "unversioned", "version",
            "status"]  # fmt: skip


def get_config(ctx: Context, tool: str, path: str, project: str = "") -> str | None:
    """Return the newest enabled text of a tool and path, None if there is none."""
    row = _newest(ctx, tool, path, project)
    return None if row is None or row["status"] != "enabled" else str(row["contents"])


def put_config(
    ctx: Context, tool: str, path: str, contents: str, *, login: str, project: str = "",
    status: str = "enabled", reason: str = "",
) -> None:  # fmt: skip
    """Store a new version of a text."""
    with ctx.store.write() as db:
        last = _newest(ctx, tool, path, project)
        db.execute(
            "INSERT INTO config (tool, path, project, version, contents, status, reason, login, created)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (tool, path, project, (last["version"] if last else 0) + 1, contents, status, reason, login,
             ctx.store.now()),
        )  # fmt: skip


def _newest(
    ctx: Context, tool: str, path: str, project: str, version: int | None = None
) -> sqlite3.Row | None:
    """Return the newest version of a text, or the one asked for."""
    row: sqlite3.Row | None = ctx.store.read().execute(
        "SELECT * FROM config WHERE tool = ? AND path = ? AND project = ? AND (? IS NULL OR version = ?)"
        " ORDER BY version DESC LIMIT 1",
        (tool, path, project, version, version),
    ).fetchone()  # fmt: skip
    return row


def site_config(call: Call, tail: list[str]) -> Response:
    """Answer ``/data/config/{tool}/{path}``."""
    if call.method != "GET":
        access.require_admin(call.user)
    access.require_login(call.user)
    return _answer(call, tail, "")


def project_config(call: Call, project: Item, tail: list[str]) -> Response:
    """Answer ``/data/projects/P/config/{tool}/{path}``."""
    access.require(call.ctx, call.user, project, Right.READ if call.method == "GET" else Right.MANAGE)
    return _answer(call, tail[1:], project.id)


def _answer(call: Call, tail: list[str], project: str) -> Response:
    tool, path = (tail[0] if tail else ""), "/".join(tail[1:])
    if call.method == "PUT":
        return _put(call, tool, path, project)
    if call.method != "GET":
        raise Problem(405)
    if path:
        version = call.query.get("version", "")
        row = _newest(call.ctx, tool, path, project, int(version[:9]) if version.isdecimal() else None)
        if row is None:
            raise Problem(404, "There is no such configuration.")
        if call.query.get("action", "").lower() == "gethistory":
            return answers.table(
                answers.Table(_COLUMNS, _history(call.ctx, tool, path, project)), call.format
            )
        if call.flag("contents"):
            return answers.text(row["contents"])
        return answers.table(answers.Table(_COLUMNS, [_shown(row)]), call.format)
    rows = call.ctx.store.read().execute(
        "SELECT * FROM config WHERE project = ? AND (? = '' OR tool = ?) AND pk IN"
        " (SELECT MAX(pk) FROM config GROUP BY tool, path, project) ORDER BY tool, path",
        (project, tool, tool),
    ).fetchall()  # fmt: skip
    if not rows and tool:
        raise Problem(404, "There is no such configuration.")
    if not tool:
        tools = sorted({row["tool"] for row in rows})
        return answers.table(answers.Table(["tool"], [{"tool": name} for name in tools]), call.format)
    return answers.table(answers.Table(_COLUMNS, [_shown(row) for row in rows]), call.format)


def _put(call: Call, tool: str, path: str, project: str) -> Response:
    if not tool or not path:
        raise Problem(400, "Name a tool and a path.")
    last = _newest(call.ctx, tool, path, project)
    contents = call.body.decode(errors="replace") if call.body else (last["contents"] if last else "")
    status = call.query.get("status") or (last["status"] if last else "enabled")
    if status not in {"enabled", "disabled"}:
        raise Problem(400, "The status is enabled or disabled.")
    put_config(
        call.ctx, tool, path, contents, login=call.login, project=project, status=status,
        reason=call.query.get("reason", ""),
    )  # fmt: skip
    return answers.text("", 200 if last else 201)


def _history(ctx: Context, tool: str, path: str, project: str) -> list[dict[str, object]]:
    """Return every version of a text, the oldest first."""
    rows = ctx.store.read().execute(
        "SELECT * FROM config WHERE tool = ? AND path = ? AND project = ? ORDER BY version",
        (tool, path, project),
    )  # fmt: skip
    return [_shown(row) for row in rows]


def _shown(row: sqlite3.Row) -> dict[str, object]:
    return {
        "tool": row["tool"],
        "path": row["path"],
        "project": row["project"],
        "user": row["login"],
        "create_date": stamp(row["created"]),
        "reason": row["reason"],
        "contents": row["contents"],
        "unversioned": "false",
        "version": row["version"],
        "status": row["status"],
    }
