"""Project access requests (PARs): invitations by owners, requests by users."""

from __future__ import annotations

import json
import sqlite3

from starlette.responses import Response

from lethe.archive import access, accounts
from lethe.archive.model import Item
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.documents import stamp
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

_MINE = ["par_id", "proj_id", "level", "create_date", "login"]
_OWNER = [*_MINE, "email", "approved", "approval_date", "requested", "justification"]
_ROWS = (
    "SELECT invitation.*, COALESCE(invitation_reason.text, '') AS reason FROM invitation"
    " LEFT JOIN invitation_reason ON invitation_reason.invitation = invitation.id"
)
_LONGEST = 2000


def mine(call: Call) -> Response:
    """Answer ``GET /data/pars``: open invitations of the sender."""
    access.require_login(call.user)
    rows = call.ctx.store.read().execute(
        f"{_ROWS} WHERE approved = '' AND (login = ? OR (email != '' AND email = ?))"
        " AND created_by != ?", (call.login, call.user.email, call.login),
    )  # fmt: skip
    return answers.table(answers.Table(_MINE, [_shown(row) for row in rows]), call.format)


def of_project(call: Call, project: Item, tail: list[str]) -> Response:
    """Answer ``GET /data/projects/P/pars``."""
    access.require(call.ctx, call.user, project, Right.MANAGE)
    rows = call.ctx.store.read().execute(
        f"{_ROWS} WHERE project = ? ORDER BY id", (project.id,)
    )  # fmt: skip
    return answers.table(answers.Table(_OWNER, [_shown(row) for row in rows]), call.format)


def decide(call: Call, ref: str) -> Response:
    """Answer ``PUT /data/pars/{id|guid}?accept=true|decline=true``.

    An invitation is decided by the person invited, a request by an owner of the project.
    """
    access.require_login(call.user)
    with call.ctx.store.write() as db:
        row = db.execute(
            "SELECT * FROM invitation WHERE guid = ? OR CAST(id AS TEXT) = ?", (ref, ref)
        ).fetchone()  # fmt: skip
        if row is None or not _may_decide(call, row, ref):
            raise Problem(404, "There is no such invitation.")
        if row["approved"]:
            raise Problem(409, "The invitation is already handled.")
        accept = call.flag("accept")
        if accept == call.flag("decline"):
            raise Problem(400, "Say accept=true or decline=true.")
        db.execute(
            "UPDATE invitation SET approved = ?, approved_at = ? WHERE id = ?",
            ("true" if accept else "false", call.ctx.store.now(), row["id"]),
        )
        if accept:
            login = row["login"] or call.login
            accounts.set_membership(call.ctx, row["project"], login, row["role"], by=call.login)
    return mine(call)


def _may_decide(call: Call, row: sqlite3.Row, ref: str) -> bool:
    if row["login"] and row["created_by"] == row["login"]:
        return access.right(call.ctx, call.user, row["project"], Right.MANAGE)
    if row["login"]:
        return bool(row["login"].lower() == call.login.lower())
    return bool(row["email"] == call.user.email or row["guid"] == ref)


def request_access(call: Call, project: str) -> Response:
    """Answer our own ``POST /xapi/projects/P/access-requests``: ask for a role in a known project."""
    access.require_login(call.user)
    wish = {**dict(call.query), **call.form, **_document(call)}
    role = str(wish.get("level", "collaborator")).lower().rstrip("s")
    if role not in {"collaborator", "member", "owner"}:
        raise Problem(400, "The level is collaborator, member or owner.")
    reason = str(wish.get("justification", "")).strip()
    if len(reason) > _LONGEST:
        raise Problem(400, f"The justification is longer than {_LONGEST} characters.")
    with call.ctx.store.write() as db:
        row = db.execute(
            "SELECT 1 FROM invitation WHERE project = ? AND login = ? AND approved = ''",
            (project, call.login),
        ).fetchone()  # fmt: skip
        if row is not None:
            raise Problem(409, "The request waits for an answer.")
        guid = accounts.add_invitation(
            call.ctx, project, role, by=call.login, login=call.login, reason=reason
        )
    return answers.text(guid, 201)


def requests(call: Call, project: str) -> Response:
    """Answer our own ``GET /xapi/projects/P/access-requests``: all for owners, their own for others."""
    access.require_login(call.user)
    rows = call.ctx.store.read().execute(
        f"{_ROWS} WHERE project = ? AND login != '' AND created_by = login ORDER BY id", (project,)
    ).fetchall()  # fmt: skip
    if not access.right(call.ctx, call.user, project, Right.MANAGE):
        rows = [row for row in rows if row["login"].lower() == call.login.lower()]
    return answers.as_json([_shown(row) for row in rows])


def _document(call: Call) -> dict[str, object]:
    if not call.headers.get("content-type", "").startswith("application/json") or not call.body.strip():
        return {}
    try:
        found = json.loads(call.body)
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Problem(400, "The body is not a JSON object.")
    return found


def _shown(row: sqlite3.Row) -> dict[str, object]:
    return {
        "par_id": row["id"],
        "proj_id": row["project"],
        "level": row["role"],
        "create_date": stamp(row["created"]),
        "login": row["login"],
        "email": row["email"],
        "approved": row["approved"],
        "approval_date": stamp(row["approved_at"]) if row["approved_at"] else "",
        "requested": "true" if row["login"] and row["created_by"] == row["login"] else "false",
        "justification": row["reason"],
    }
