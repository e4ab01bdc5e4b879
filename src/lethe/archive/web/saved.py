"""``/data/search/saved``: searches kept under a name, for their author and the users they name."""

from __future__ import annotations

import re
import sqlite3

from lxml import etree
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lethe.archive import access
from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.archive.types import xml
from lethe.archive.web import answers, searching
from lethe.archive.web.request import Call
from lethe.archive.web.services import in_thread

TABLES = """
CREATE TABLE IF NOT EXISTS saved_search (
  id TEXT PRIMARY KEY, login TEXT NOT NULL COLLATE NOCASE REFERENCES user (login) ON DELETE CASCADE,
  xml TEXT NOT NULL, users TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
"""
_ID = re.compile(r"[^/\x00-\x1f]{1,200}")
_COLUMNS = ("id", "root_element_name", "brief_description", "description", "secure", "users", "tag",
            "sort_by_element_name", "sort_by_field_id", "allow_diff_columns", "layeredsequence", "extension",
            "stored_search_info")  # fmt: skip

_SAID = ("brief-description", "description", "secure", "tag", "allow-diff-columns")


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes of this module."""
    ctx.store.add_tables(TABLES)
    methods = ["GET", "PUT", "DELETE"]
    return [
        Route("/data/search/saved", in_thread(ctx, _list)),
        Route("/data/search/saved/{id}", in_thread(ctx, _one), methods=methods),
        Route("/data/search/saved/{id}/results", in_thread(ctx, _results)),
    ]


def _list(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    rows = call.ctx.store.read().execute("SELECT * FROM saved_search ORDER BY id").fetchall()
    shown = [_row(row) for row in rows if _may_see(call, row)]
    return answers.table(answers.Table(_COLUMNS, shown, title="Stored Searches"), call.format)


def _row(row: sqlite3.Row) -> dict[str, object]:
    document = xml.parse(row["xml"].encode())
    said = {name.replace("-", "_"): document.get(name) for name in _SAID}
    return {
        **said,
        "id": row["id"],
        "root_element_name": document.findtext("{*}root_element_name"),
        "users": row["users"],
    }


def _one(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    if call.method == "PUT":
        return _put(call, names["id"])
    row = _found(call, names["id"])
    if call.method == "DELETE":
        _require_author(call, row)
        with call.ctx.store.write() as db:
            db.execute("DELETE FROM saved_search WHERE id = ?", (row["id"],))
        return answers.text("")
    if call.format not in {"", "xml"}:  # XNAT has no other form of it either
        raise Problem(404, "A saved search is shown as XML.")
    return Response(row["xml"], media_type="text/xml")


def _put(call: Call, number: str) -> Response:
    if not _ID.fullmatch(number):
        raise Problem(400, "The name of a search is a short text without slashes.")
    document = xml.parse(call.body)
    if document.find("{*}root_element_name") is None:
        raise Problem(422, "The search has no known root element.")
    document.set("ID", number)
    users = {(node.text or "").strip() for node in document.findall("{*}allowed_user/{*}login")} - {""}
    with call.ctx.store.write() as db:
        known = db.execute("SELECT * FROM saved_search WHERE id = ?", (number,)).fetchone()
        if known is not None:
            _require_author(call, known)
        db.execute(
            "INSERT INTO saved_search VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " xml = excluded.xml, users = excluded.users",
            (number, call.login, etree.tostring(document, encoding="unicode"), ",".join(sorted(users)),
             call.ctx.store.now()),
        )  # fmt: skip
    return answers.text("")


def _results(call: Call, names: dict[str, str]) -> Response:
    access.require_login(call.user)
    return searching.run(call, _found(call, names["id"])["xml"].encode())


def _found(call: Call, number: str) -> sqlite3.Row:
    row: sqlite3.Row | None = call.ctx.store.read().execute(
        "SELECT * FROM saved_search WHERE id = ?", (number,)
    ).fetchone()  # fmt: skip
    if row is None or not _may_see(call, row):
        raise Problem(404, "There is no such search.")
    return row


def _may_see(call: Call, row: sqlite3.Row) -> bool:
    named = {login.lower() for login in (row["login"], *row["users"].split(","))}
    return call.user.is_admin or call.login.lower() in named


def _require_author(call: Call, row: sqlite3.Row) -> None:
    if not call.user.is_admin and row["login"].lower() != call.login.lower():
        raise Problem(403, "Only its author may change a search.")
