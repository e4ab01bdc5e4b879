"""``/xapi/dicomscp``: which titles and ports receive, and how they route (contract section 4.3)."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lethe.archive import access
from lethe.archive.context import Context
from lethe.archive.intake.params import Asked, Endpoint
from lethe.archive.intake.routing import Rules
from lethe.archive.intake.runtime import Runtime, receiver_rows
from lethe.archive.problem import Problem
from lethe.archive.web.answers import as_json, text
from lethe.errors import Misconfigured

DEFAULTS: dict[str, Any] = {
    "identifier": "dicomObjectIdentifier",
    "fileNamer": "dicomFileNamer",
    "enabled": True,
    "customProcessing": False,
    "directArchive": False,
    "anonymizationEnabled": True,
    "whitelistEnabled": False,
    "whitelist": [],
    "routingExpressionsEnabled": False,
    "projectRoutingExpression": "",
    "subjectRoutingExpression": "",
    "sessionRoutingExpression": "",
}
_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
_ROOT = "/xapi/dicomscp"


def routes(ctx: Context, runtime: Runtime) -> list[Route]:
    """Return the routes of the receivers' configuration."""

    def create(ctx: Context, asked: Asked) -> Response:
        access.require_admin(asked.user)
        values = _body(asked)
        row = save(ctx, {**DEFAULTS, **values})
        runtime.open_receivers()
        return as_json(row)

    def change(ctx: Context, asked: Asked) -> Response:
        row = _row(ctx, asked)
        changed = save(ctx, {**row, **_body(asked)}, int(row["id"]))
        runtime.open_receivers()
        return as_json(changed)

    def delete(ctx: Context, asked: Asked) -> Response:
        row = _row(ctx, asked)
        with ctx.store.write() as db:
            db.execute("DELETE FROM intake_receiver WHERE id = ?", (row["id"],))
        runtime.open_receivers()
        return text("")

    def enable(ctx: Context, asked: Asked) -> Response:
        row = _row(ctx, asked)
        save(ctx, {**row, "enabled": asked.path["flag"].lower() == "true"}, int(row["id"]))
        runtime.open_receivers()
        return text("")

    def start(ctx: Context, asked: Asked) -> Response:
        access.require_admin(asked.user)
        runtime.open_receivers()
        return as_json([row["id"] for row in receiver_rows(ctx) if row["enabled"]])

    def stop(ctx: Context, asked: Asked) -> Response:
        access.require_admin(asked.user)
        runtime.close_receivers()
        return as_json([row["id"] for row in receiver_rows(ctx) if row["enabled"]])

    pages = {
        _ROOT: Endpoint(ctx, GET=_list, POST=create),
        f"{_ROOT}/identifiers": Endpoint(ctx, GET=_identifiers),
        f"{_ROOT}/start": Endpoint(ctx, PUT=start, POST=start),
        f"{_ROOT}/stop": Endpoint(ctx, PUT=stop, POST=stop),
        f"{_ROOT}/{{id:int}}": Endpoint(ctx, GET=_show, PUT=change, DELETE=delete),
        f"{_ROOT}/{{id:int}}/enabled/{{flag}}": Endpoint(ctx, PUT=enable),
    }
    return [Route(path, endpoint.serve, methods=endpoint.methods) for path, endpoint in pages.items()]


def save(ctx: Context, values: dict[str, Any], pk: int | None = None) -> dict[str, Any]:
    """Store a receiver; refuse (400) a bad title, port or expression, or a pair that exists.

    Returns
    -------
    dict
        The receiver as ``/xapi/dicomscp`` shows it.
    """
    title, port = str(values.get("aeTitle", "")).strip(), values.get("port")
    if not _TITLE.fullmatch(title):
        raise Problem(400, "The application entity title is not valid.")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise Problem(400, "The port is not valid.")
    kept = {name: values[name] for name in DEFAULTS}
    try:
        Rules.parse(
            *(str(kept[f"{word}RoutingExpression"] or "") for word in ("project", "subject", "session"))
        )
    except Misconfigured as error:
        raise Problem(400, error.sentence) from error
    try:
        with ctx.store.write() as db:
            if pk is None:
                sql = "INSERT INTO intake_receiver (title, port, data) VALUES (?,?,?)"
                pk = db.execute(sql, (title, port, json.dumps(kept))).lastrowid or 0
            else:
                sql = "UPDATE intake_receiver SET title = ?, port = ?, data = ? WHERE id = ?"
                db.execute(sql, (title, port, json.dumps(kept), pk))
    except sqlite3.IntegrityError as error:
        raise Problem(400, "A receiver with this title and port exists already.") from error
    return next(row for row in receiver_rows(ctx) if row["id"] == pk)


def _list(ctx: Context, asked: Asked) -> Response:
    access.require_admin(asked.user)
    return as_json(receiver_rows(ctx))


def _identifiers(ctx: Context, asked: Asked) -> Response:
    access.require_login(asked.user)
    return as_json({"dicomObjectIdentifier": "Default DICOM object identifier"})


def _show(ctx: Context, asked: Asked) -> Response:
    return as_json(_row(ctx, asked))


def _row(ctx: Context, asked: Asked) -> dict[str, Any]:
    access.require_admin(asked.user)
    wanted = int(asked.path["id"])
    for row in receiver_rows(ctx):
        if row["id"] == wanted:
            return row
    raise Problem(404, "There is no such receiver.")


def _body(asked: Asked) -> dict[str, Any]:
    try:
        values = json.loads(asked.body or b"{}")
    except ValueError as error:
        raise Problem(400, "The body is not JSON.") from error
    if not isinstance(values, dict):
        raise Problem(400, "The body is not a JSON object.")
    return {name: value for name, value in values.items() if name in DEFAULTS or name in {"aeTitle", "port"}}
