"""``/xapi/archive/download``: a selection over many sessions, then one zip of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lethe.archive import access, content, digests, items
from lethe.archive.context import Context
from lethe.archive.model import ASSESSOR, SCAN, Item, Resource
from lethe.archive.problem import Problem
from lethe.archive.web import answers, zips
from lethe.archive.web.request import Call
from lethe.archive.web.services import in_thread
from lethe.governance.roles import Right

_KEEP_SECONDS = 2 * 86400.0
_LISTS = ("projectIds", "sessions", "scan_types", "scan_formats", "resources", "assessors", "options")
_STRUCTURES = {"simplified": "simplified", "simplified_nosession": "simplified"}
_SCRIPT = """
CREATE TABLE IF NOT EXISTS download (
  id TEXT PRIMARY KEY, login TEXT NOT NULL, wish TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
"""


def routes(ctx: Context) -> list[BaseRoute]:
    """Return the routes of this module."""
    ctx.store.add_tables(_SCRIPT)
    base = "/xapi/archive/download"
    return [
        Route(base, in_thread(ctx, lambda call, _: answers.text(_order(call)[0])), methods=["POST"]),
        Route("/xapi/archive/downloadwithsize", in_thread(ctx, _with_size), methods=["POST"]),
        Route(f"{base}/{{id}}/zip", in_thread(ctx, _zip)),
        Route(f"{base}/{{id}}/xml", in_thread(ctx, _xml)),
    ]


@dataclass(frozen=True, slots=True)
class _Wish:
    sessions: tuple[str, ...]
    scan_types: frozenset[str]
    scan_formats: frozenset[str]
    resources: frozenset[str]
    assessors: frozenset[str]
    structure: str


def _read(document: Mapping[str, Any]) -> _Wish:
    lists: dict[str, list[str]] = {}
    for name in _LISTS:
        given = document.get(name) or []
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise Problem(400, f"{name} is a list of texts.")
        lists[name] = given
    if not lists["sessions"]:
        raise Problem(400, "Name the sessions.")
    structure = next((_STRUCTURES[word] for word in lists["options"] if word in _STRUCTURES), "")
    return _Wish(
        tuple(dict.fromkeys(lists["sessions"])), frozenset(lists["scan_types"]),
        frozenset(lists["scan_formats"]), frozenset(lists["resources"]), frozenset(lists["assessors"]),
        structure,
    )  # fmt: skip


def _with_size(call: Call, names: dict[str, str]) -> Response:
    number, size, count = _order(call)
    return answers.as_json({"id": number, "size": size, "resourceCount": count})


def _order(call: Call) -> tuple[str, int, int]:
    """Keep a selection; return its number, its size in bytes and how many files it has."""
    try:
        document = json.loads(call.body or b"{}")
    except ValueError:
        raise Problem(400, "The body is not JSON.") from None
    if not isinstance(document, dict):
        raise Problem(400, "The body is not a JSON object.")
    found = list(_members(call, _read(document)))
    if not found:
        raise Problem(404, "Nothing fits the selection.")
    number, now = str(uuid.uuid4()), call.ctx.store.now()
    with call.ctx.store.write() as db:
        db.execute("DELETE FROM download WHERE created < ?", (now - _KEEP_SECONDS,))
        db.execute("INSERT INTO download VALUES (?,?,?,?)", (number, call.login, json.dumps(document), now))
    return number, sum(member.entry.size for member in found), len(found)


def _kept(call: Call, number: str) -> list[zips.Member]:
    """Return the files of a kept selection, as far as the sender may read them now."""
    row = call.ctx.store.read().execute(
        "SELECT wish FROM download WHERE id = ? AND login = ? AND created >= ?",
        (number, call.login, call.ctx.store.now() - _KEEP_SECONDS),
    ).fetchone()  # fmt: skip
    if row is None:
        raise Problem(404, "There is no such download.")
    return list(_members(call, _read(json.loads(row["wish"]))))


def _members(call: Call, wish: _Wish) -> Iterator[zips.Member]:
    for ref in wish.sessions:
        words = ref.split(":")
        session = items.find_experiment(call.ctx, words[-1])
        if session is None or not access.may(call.ctx, call.user, session, Right.READ):
            raise Problem(404, "Unable to find the specified experiment.")
        for owner, resource in _chosen(call.ctx, session, wish):
            for entry in content.list_files(call.ctx, resource):
                name = zips.member_name(call.ctx, owner, resource, entry.path, wish.structure)
                yield zips.Member(name, resource, entry)


def _chosen(ctx: Context, session: Item, wish: _Wish) -> Iterator[tuple[Item, Resource]]:
    """Yield the resources of a session that a selection names: scans need a type and a format."""
    scans = [
        scan
        for scan in items.children(ctx, session, SCAN)
        if str(scan.data.get("type", "")) in wish.scan_types
    ]
    assessors = [one for one in items.children(ctx, session, ASSESSOR) if one.xsi_type in wish.assessors]
    for owner in (session, *scans, *assessors):
        for resource in content.list_resources(ctx, [owner]):
            names = {resource.label} if owner is session else {resource.label, resource.format}
            wanted = wish.resources if owner is session else wish.scan_formats
            if owner.kind == ASSESSOR or names & wanted:
                yield owner, resource


def _zip(call: Call, names: dict[str, str]) -> Response:
    return zips.response(call.ctx, _kept(call, names["id"]), names["id"], None)


def _xml(call: Call, names: dict[str, str]) -> Response:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<cat:Catalog ID={quoteattr(names["id"])} xmlns:cat="http://nrg.wustl.edu/catalog">',
        "<cat:entries>",
    ]
    for member in _kept(call, names["id"]):
        owner = items.by_pk(call.ctx, member.resource.owner)
        session = owner if owner.kind == "experiment" else items.by_pk(call.ctx, owner.parent or 0)
        (entry,) = digests.settled(call.ctx, [member.entry])
        part = "" if owner is session else f"/{owner.kind}s/{quote(owner.id, safe='')}"
        uri = (
            f"/data/experiments/{quote(session.id, safe='')}{part}/resources/{member.resource.pk}"
            f"/files/{quote(member.entry.path)}"
        )
        pairs = {"name": member.name, "URI": uri, "digest": entry.md5}
        attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in pairs.items())
        lines.append(
            f'<cat:entry {attributes}><cat:metaFields><cat:metaField name="SIZE">{member.entry.size}'
            "</cat:metaField></cat:metaFields></cat:entry>"
        )
    lines += ["</cat:entries>", "</cat:Catalog>", ""]
    return Response("\n".join(lines), media_type="text/xml")
