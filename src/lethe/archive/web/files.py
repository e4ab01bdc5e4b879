"""Files of the tree: lists, downloads, zips, deletion."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, unquote

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from lethe.archive import access, content, digests, items, workflows
from lethe.archive.model import FileEntry, Item, Resource
from lethe.archive.problem import Problem
from lethe.archive.web import answers, members, tars, zips
from lethe.archive.web.address import Address, Place
from lethe.archive.web.columns import matcher
from lethe.archive.web.request import Call
from lethe.archive.web.resources import catalog, delete_resource, list_resources
from lethe.archive.web.target import Target, one_resource, resources_of, target
from lethe.governance.roles import Right

PACKED = frozenset({"zip", "tar", "tar.gz"})
"""Formats in which many files come in one answer."""
_RANGE = re.compile(r"(\d+)-(\d*)|-\d+")
_NO_FILE = "Unable to find catalog entry for given uri."


def serve(call: Call, address: Address) -> Response:
    """Answer GET, HEAD and DELETE of resources and files (uploads come through `store`)."""
    found = target(call, address)
    if found.files:
        if call.method == "DELETE":
            return _delete_files(call, found)
        return _get_files(call, found)
    if call.method == "DELETE":
        return delete_resource(call, found)
    if not found.resource:
        if call.format in PACKED:
            return _pack(call, found, resources_of(call, found))
        return list_resources(call, found)
    owner, resource = one_resource(call, found)
    if call.format in PACKED:
        return _pack(call, found, [(owner, resource)])
    return Response(catalog(call, resource), media_type="text/xml")


def _get_files(call: Call, found: Target) -> Response:
    if found.path and not call.folder and not found.path.endswith("*"):
        single = find_one(call, found)
        if single is not None and call.flag("listContents"):
            return _list_members(call, found, *single)
        if single is not None:
            return _send(single[1], call, single[2])
        if members.MARK in found.path:
            return _send_member(call, found)
        if not entries(call, found):
            return _missing(call)
    pairs = resources_of(call, found)
    if found.resource and not pairs:
        raise Problem(404, "Unable to find the specified catalog.")
    if call.format in PACKED:
        return _pack(call, found, pairs)
    return _list_files(call, found)


def _missing(call: Call) -> Response:
    if call.flag("accept-not-found"):
        return Response(status_code=204)
    raise Problem(404, _NO_FILE)


def _send_member(call: Call, found: Target) -> Response:
    path, _, member = found.path.partition(members.MARK)
    single = find_one(call, replace(found, path=path))
    if single is None:
        return _missing(call)
    return members.response(content.file_path(call.ctx, *single[1:]), member)


def _list_members(call: Call, found: Target, owner: Item, resource: Resource, entry: FileEntry) -> Response:
    uri = _uri(call, found, owner, resource, entry)
    rows = [
        {"Name": name, "Size": size, "URI": f"{uri}{members.MARK}{quote(name)}"}
        for name, size in members.names(content.file_path(call.ctx, resource, entry))
    ]
    return answers.table(answers.Table(["Name", "Size", "URI"], rows, show_columns=True), call.format)


def find_one(call: Call, found: Target) -> tuple[Item, Resource, FileEntry] | None:
    """Find one file; a path that is still percent-encoded is decoded a second time, as XNAT does."""
    for path in dict.fromkeys((found.path, unquote(found.path))):
        for owner, resource in resources_of(call, found):
            entry = content.find_file(call.ctx, resource, path)
            if entry is not None:
                return owner, resource, entry
    return None


def _send(resource: Resource, call: Call, entry: FileEntry) -> Response:
    path = content.file_path(call.ctx, resource, entry)
    name = entry.path.rsplit("/", 1)[-1]
    guessed, packing = mimetypes.guess_type(name)
    kind = guessed if guessed and not packing else "application/octet-stream"
    if kind in {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml"}:
        kind = "application/octet-stream"  # nothing that a browser would run in our origin
    tag = f'"{entry.pk:x}-{entry.size:x}-{round(entry.created * 1000):x}"'
    known = {one.strip().removeprefix("W/") for one in call.headers.get("if-none-match", "").split(",")}
    if {tag, "*"} & known:
        return Response(status_code=304, headers={"ETag": tag})
    serving = FileResponse if _is_range(call.headers.get("range", "")) else _Whole
    return serving(
        path,
        media_type=kind,
        headers={"ETag": tag},
        filename=name,
        content_disposition_type="inline" if kind.startswith("image/") else "attachment",
    )


def _is_range(text: str) -> bool:
    """Return whether a ``Range`` header is one that can be followed; any other is passed over."""
    unit, _, wanted = text.partition("=")
    pairs = [_RANGE.fullmatch(one.strip()) for one in wanted.split(",")]
    return unit == "bytes" and all(
        pair is not None and (not pair[1] or not pair[2] or int(pair[1]) <= int(pair[2])) for pair in pairs
    )


class _Whole(FileResponse):
    """A file sent whole, whatever a ``Range`` that is none asks for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def entries(call: Call, found: Target) -> list[tuple[Item, Resource, FileEntry]]:
    """Return the files below the path of an address that pass the filters of the query."""
    prefix, wild = found.path.rstrip("/"), False
    if prefix.endswith("*"):
        prefix, wild = prefix[:-1], True
    rows = []
    for owner, resource in resources_of(call, found):
        for entry in content.list_files(call.ctx, resource):
            if not prefix or entry.path.startswith(prefix if wild else prefix + "/"):
                rows.append((owner, resource, entry))
    if not call.flag("recursive") and "recursive" in call.query:
        depth = len(prefix.split("/")) + 1 if prefix else 1
        rows = [row for row in rows if len(row[2].path.split("/")) <= depth]
    for name, read in (("file_content", 0), ("file_format", 1), ("collection", 2)):
        wanted = call.query.get(name)
        if wanted:
            tests = [matcher(part) for part in wanted.split(",")]
            rows = [r for r in rows if any(t(_shown(r)[read]) for t in tests)]
    index = call.query.get("index", "")
    return rows[int(index) : int(index) + 1] if index.isdecimal() and len(index) < 9 else rows


def _shown(row: tuple[Item, Resource, FileEntry]) -> tuple[str, str, str]:
    _, resource, entry = row
    return entry.content or resource.content, entry.format or resource.format, resource.label


def _list_files(call: Call, found: Target) -> Response:
    columns = [
        "Name",
        "Size",
        "URI",
        "collection",
        "file_tags",
        "file_format",
        "file_content",
        "cat_ID",
        "digest",
    ]
    shown = bool(call.ctx.settings.get("checksums"))
    listed = entries(call, found)
    whole = digests.settled(call.ctx, [entry for _, _, entry in listed]) if shown else None
    rows = []
    for at, (owner, resource, entry) in enumerate(listed):
        file_content, file_format, label = _shown((owner, resource, entry))
        rows.append(
            {
                "Name": entry.path.rsplit("/", 1)[-1],
                "Size": entry.size,
                "URI": _uri(call, found, owner, resource, entry),
                "collection": label,
                "file_tags": entry.tags or resource.tags,
                "file_format": file_format,
                "file_content": file_content,
                "cat_ID": resource.pk,
                "digest": whole[at].md5 if whole else "",
            }
        )
    return answers.table(answers.Table(columns, rows, show_columns=True), call.format)


def _uri(call: Call, found: Target, owner: Item, resource: Resource, entry: FileEntry) -> str:
    locator = call.query.get("locator", "")
    path = content.resource_folder(call.ctx, resource) / entry.path
    if locator == "absolutePath" and call.user.is_admin:
        return str(path)
    if locator in {"projectPath", "absolutePath"}:
        return str(path.relative_to(call.ctx.store.root / "archive" / owner.project))
    return f"{base_uri(call, found.place, owner)}/resources/{resource.pk}/files/{quote(entry.path)}"


def base_uri(call: Call, place: Place, owner: Item) -> str:
    """Return the address of an item in file lists; project and subject stay if both were given."""
    projects = [item for item in place.items if item.kind in {"project", "subject"}]
    prefix = "/data"
    if len(projects) == 2 and owner.kind != "project":
        subject = projects[1]
        prefix = f"/data/projects/{quote(projects[0].id, safe='')}/subjects/{quote(subject.id, safe='')}"
        if owner.kind == "subject":
            return prefix
    match owner.kind:
        case "project":
            return f"/data/projects/{quote(owner.id, safe='')}"
        case "subject":
            scope = f"/projects/{quote(place.scope, safe='')}" if place.scope else ""
            return f"/data{scope}/subjects/{quote(owner.id, safe='')}"
        case "experiment":
            return f"{prefix}/experiments/{quote(owner.id, safe='')}"
    session = items.by_pk(call.ctx, owner.parent or 0)
    return f"{prefix}/experiments/{quote(session.id, safe='')}/{owner.kind}s/{quote(owner.id, safe='')}"


def _pack(call: Call, found: Target, pairs: Sequence[tuple[Item, Resource]]) -> Response:
    structure = call.query.get("structure", "")
    if structure not in {"", "simplified", "improved"}:
        raise Problem(400, "The structure is simplified or improved.")
    level = call.query.get("compression", "")
    wanted = entries(call, found) if found.files else [
        (owner, resource, entry)
        for owner, resource in pairs
        for entry in content.list_files(call.ctx, resource)
    ]  # fmt: skip
    inside = [
        zips.Member(zips.member_name(call.ctx, owner, resource, entry.path, structure), resource, entry)
        for owner, resource, entry in wanted
    ]
    if not inside:
        if call.flag("accept-not-found"):
            return Response(status_code=204)
        raise Problem(404, "There is no file to download.")
    above = found.place.items[-2] if found.place.item.kind == "scan" else found.place.item
    if call.format != "zip":
        return tars.response(call.ctx, inside, zips.clean(above.label), call.format)
    return zips.response(
        call.ctx,
        inside,
        zips.clean(above.label),
        int(level) if level.isdecimal() and len(level) == 1 else None,
    )


def _delete_files(call: Call, found: Target) -> Response:
    if not found.path:
        raise Problem(400, "Name the file.")
    access.require(call.ctx, call.user, found.owners[0], Right.DELETE)
    single = None if call.folder else find_one(call, found)
    rows = [single] if single is not None else entries(call, found)
    if not rows:
        raise Problem(404, _NO_FILE)
    with call.ctx.store.write():
        for _, resource, entry in rows:
            content.delete_files(call.ctx, resource, [entry])
        owner = found.owners[0]
        workflows.audit_item(call.ctx, owner, "Deleted file", login=call.login)
    return answers.text("")
