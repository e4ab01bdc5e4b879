"""The tree of items below ``/data``: from address and method to the handler."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from lethe.archive import access
from lethe.archive.context import Context
from lethe.archive.model import ASSESSOR, EXPERIMENT, SUBJECT, Item
from lethe.archive.problem import Problem
from lethe.archive.web import answers, configs, files, nodes, pars, projects, resources, storing
from lethe.archive.web.address import Address, parse, resolve
from lethe.archive.web.request import Call, small_body, user_of
from lethe.archive.web.upload import receive
from lethe.governance.roles import Right

_COLLECTIONS = {"projects", "subjects", "experiments"}


def handles(words: list[str]) -> bool:
    """Return whether the words after ``/data`` begin an address of the tree."""
    return bool(words) and words[0] in _COLLECTIONS


async def endpoint(ctx: Context, request: Request) -> Response:
    """Answer any request to the tree of items."""
    words: list[str] = list(request.state.words)[1:]
    folder = len(words) > 1 and words[-1] == ""
    while words and not words[-1]:
        words.pop()
    if "" in words:
        raise Problem(400, "The URL has an empty part.")
    call = Call(
        ctx, user_of(request), request.method, words, request.query_params, request.headers, folder=folder
    )
    if call.method == "HEAD":
        call.method = "GET"
    address = parse(words)
    if _is_upload(call, address):
        return await _upload(call, address, request)
    if call.method in {"PUT", "POST", "DELETE"}:
        await _read_body(call, request)
    return await to_thread.run_sync(_dispatch, call, address)


def _is_upload(call: Call, address: Address) -> bool:
    tail = address.tail[1:] if address.tail[:1] in (["in"], ["out"]) else address.tail
    return call.method in {"PUT", "POST"} and (
        tail[:1] == ["files"] or (len(tail) >= 3 and tail[0] == "resources" and tail[2] == "files")
    )


async def _upload(call: Call, address: Address, request: Request) -> Response:
    found = await to_thread.run_sync(storing.prepare, call, address)
    if call.query.get("reference"):
        raise Problem(403, "Files on the server cannot be referred to.")
    if call.flag("inbody") and request.headers.get("content-type", "").startswith("multipart/"):
        raise Problem(406, "A multipart body and inbody exclude each other.")
    upload = await receive(call.ctx, request)
    try:
        return await to_thread.run_sync(storing.store, call, found, upload)
    finally:
        await to_thread.run_sync(upload.discard)


async def _read_body(call: Call, request: Request) -> None:
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        upload = await receive(call.ctx, request)
        try:
            call.form = upload.fields
            if upload.files:
                call.body = await to_thread.run_sync(upload.files[0].path.read_bytes)
                call.headers = {**request.headers, "content-type": "text/xml"}
        finally:
            upload.discard()
        return
    call.body = await small_body(request)
    whole = call.flag("inbody") or call.query.get("req_format", "").lower() == "xml"
    if kind.startswith("application/x-www-form-urlencoded") and not whole:  # curl names any body a form
        call.form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))


def _dispatch(call: Call, address: Address) -> Response:
    if address.tail:
        return _tail(call, address)
    collection, name = address.last
    if not name:
        if collection == "projects":
            return _by_method(call, GET=projects.list_projects, POST=projects.post_project)
        if call.method == "POST":
            return nodes.post_item(call, address)
        _only(call, "GET")
        return nodes.list_items(call, address)
    if collection == "projects":
        match call.method:
            case "GET":
                return projects.project_document(call, name)
            case "DELETE":
                return projects.delete_project(call, name)
        return projects.put_project(call, name)
    match call.method:
        case "GET":
            return nodes.get_item(call, address)
        case "DELETE":
            return nodes.delete_item(call, address)
    return nodes.put_item(call, address)


def _by_method(call: Call, **handlers: Callable[[Call], Response]) -> Response:
    handler = handlers.get(call.method)
    if handler is None:
        raise Problem(405)
    return handler(call)


def _only(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise Problem(405)


def _tail(call: Call, address: Address) -> Response:
    word = address.tail[0]
    if word in {"resources", "files", "in", "out"}:
        return _content(call, address)
    collection = address.last[0]
    if collection == "projects":
        return _project_tail(call, address, word)
    item = resolve(call, address.steps).item
    if word == "projects" and item.kind in {SUBJECT, EXPERIMENT, ASSESSOR}:
        return nodes.sharing(call, item, address.tail)
    _only(call, "GET")
    if word == "status" and item.kind == EXPERIMENT:
        return answers.text(item.status)
    if word == "history":
        return nodes.history(call, item)
    raise Problem(404, "There is nothing at this address.")


def _content(call: Call, address: Address) -> Response:
    if call.method == "PUT":
        return resources.put_resource(call, address)
    if call.method == "POST":
        return resources.post_resource(call, address)
    return files.serve(call, address)


def _project_tail(call: Call, address: Address, word: str) -> Response:
    project = resolve(call, address.steps).item
    handlers: dict[str, Callable[[Call, Item, list[str]], Response]] = {
        "accessibility": projects.accessibility,
        "users": projects.members,
        "config": configs.project_config,
        "pars": pars.of_project,
        **dict.fromkeys(
            ("prearchive_code", "quarantine_code", "scan_type_mapping", "current_arc"), projects.code
        ),
    }
    if word in handlers:
        return handlers[word](call, project, address.tail)
    _only(call, "GET")
    access.require(call.ctx, call.user, project, Right.READ)
    if word in {"scan_types", "scanners"}:
        return projects.distinct(call, {project.id}, word)
    if word == "investigators":
        return projects.investigators(call, {project.id})
    if word == "history":
        access.require(call.ctx, call.user, project, Right.EDIT)  # it names the people of the project
        return nodes.history(call, project)
    raise Problem(404, "There is nothing at this address.")
