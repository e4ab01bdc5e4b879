"""``/xapi/custom-fields``: free JSON values of an item, keyed by form or by name."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from lethe.archive import access
from lethe.archive.model import Item
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.address import parse, resolve
from lethe.archive.web.request import Call
from lethe.governance.roles import Right


def serve(call: Call, names: dict[str, str]) -> Response:
    """Answer ``GET|PUT|DELETE /xapi/custom-fields/{item path}/fields[/{key}]``.

    Raises
    ------
    Problem
        404 for an unknown item or key, 400 for a body that is no JSON object.
    """
    words = call.words[2:]
    if "fields" not in words:
        raise Problem(404, "There is nothing at this address.")
    at = len(words) - 1 - words[::-1].index("fields")
    key = words[at + 1] if len(words) > at + 1 else None
    address = parse(words[:at])
    if address.tail or address.listing:
        raise Problem(404, "There is nothing at this address.")
    item = resolve(call, address.steps).item
    match call.method:
        case "GET":
            access.require(call.ctx, call.user, item, Right.READ)
            return _read(call, item, key)
        case "DELETE":
            access.require(call.ctx, call.user, item, Right.EDIT)
            return _delete(call, item, key)
    access.require(call.ctx, call.user, item, Right.EDIT)
    return _write(call, item)


def _values(call: Call, item: Item) -> dict[str, Any]:
    rows = call.ctx.store.read().execute(
        "SELECT key, value FROM custom_field WHERE item = ? ORDER BY key", (item.pk,)
    )  # fmt: skip
    return {row["key"]: json.loads(row["value"]) for row in rows}


def _read(call: Call, item: Item, key: str | None) -> Response:
    found = _values(call, item)
    if key is None:
        return answers.as_json(found)
    if key not in found:
        raise Problem(404, "There is no such field.")
    value = found[key]
    return answers.text(value) if isinstance(value, str) else answers.as_json(value)


def _write(call: Call, item: Item) -> Response:
    try:
        given = json.loads(call.body or b"{}")
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(given, dict):
        raise Problem(400, "The body is not a JSON object.")
    with call.ctx.store.write() as db:
        present = _values(call, item)
        for key, value in given.items():
            old = present.get(key)
            if isinstance(value, dict) and isinstance(old, dict):
                value = {**old, **value}
            db.execute(
                "INSERT INTO custom_field (item, key, value) VALUES (?, ?, ?)"
                " ON CONFLICT (item, key) DO UPDATE SET value = excluded.value",
                (item.pk, key, json.dumps(value)),
            )
        return answers.as_json(_values(call, item))


def _delete(call: Call, item: Item, key: str | None) -> Response:
    if key is None:
        raise Problem(400, "Name the field.")
    with call.ctx.store.write() as db:
        gone = db.execute("DELETE FROM custom_field WHERE item = ? AND key = ?", (item.pk, key)).rowcount
    if not gone:
        raise Problem(404, "There is no such field.")
    return answers.as_json({})
