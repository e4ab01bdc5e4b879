"""``/xapi/containers``: list, show, logs, end, finalize, delete."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

from lethe.archive import access
from lethe.archive.containers import rights, runs, staging, views
from lethe.archive.containers.api import paging
from lethe.archive.containers.api.call import Call, route
from lethe.archive.containers.runner import Runner
from lethe.archive.containers.runs import Run
from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.archive.web.answers import as_json, text

_LOG_PIECE = 4 << 20
_STREAMS = ("stdout", "stderr")


def routes(ctx: Context, runner: Runner) -> list[Route]:
    """Return the routes."""

    def kill(call: Call) -> Response:
        run = _controlled(call)
        if run.ended:
            raise Problem(400, "The run has ended.")
        runner.kill(run, call.user.login)
        return text(run.handle or str(run.id))

    x = "/xapi"
    found = [
        route(ctx, f"{x}/containers/version", "GET", _version),
        route(ctx, f"{x}/containers", "GET", _list),
        route(ctx, f"{x}/containers", "POST", _page),
        route(ctx, f"{x}/projects/{{project}}/containers", "GET", _list),
        route(ctx, f"{x}/projects/{{project}}/containers", "POST", _page),
    ]
    for project in ("", "/projects/{project}"):
        base = f"{x}{project}/containers/{{id}}"
        found += [
            route(ctx, f"{base}/kill", "POST", kill),
            route(ctx, f"{base}/finalize", "POST", _finalize(runner)),
            route(ctx, f"{base}/logs", "GET", _logs),
            route(ctx, f"{base}/logs/{{stream}}", "GET", _log),
            route(ctx, f"{base}/logSince/{{stream}}", "GET", _log_since),
            route(ctx, base, "GET", _read),
            route(ctx, base, "DELETE", _delete),
        ]
    return found


def _version(call: Call) -> Response:
    call.known()
    document = {
        "compatible": True,
        "xnat-version-detected": "1.9.2",
        "min-xnat-version-required": "1.8.5",
        "message": None,
    }
    return as_json(document)


# ---- list and show ----------------------------------------------------------------------------------------


def _scope(call: Call) -> tuple[str, list[object]]:
    """Return the condition for the runs that the sender sees."""
    call.known()
    project = call.project()
    if project:
        return "project = ?", [project]
    if rights.is_manager(call.user):
        return "1 = 1", []
    readable = sorted(access.readable_projects(call.ctx, call.user))
    marks = ",".join("?" * len(readable))
    return f"(login = ? OR project IN ({marks}))", [call.user.login, *readable]


def _list(call: Call) -> Response:
    where, values = _scope(call)
    if call.query.get("nonfinalized", "false").lower() not in ("false", "0"):
        where += " AND state != 'ended'"
    return as_json([views.run_document(call.ctx, run) for run in runs.listing(call.ctx, where, values)])


def _page(call: Call) -> Response:
    """Answer the paged list; see `lethe.archive.containers.api.paging`."""
    where, values = _scope(call)
    wish = call.json() or {}
    if not isinstance(wish, dict):
        raise Problem(400, "The body must be a JSON object.")
    page = paging.read(wish)
    found = runs.listing(
        call.ctx, f"{where} AND {page.where}", [*values, *page.values], order=page.order, limit=page.limit,
        offset=page.offset,
    )  # fmt: skip
    return as_json([views.run_document(call.ctx, run) for run in found])


def _seen(call: Call) -> Run:
    """Return the run of the path; 404 if there is none or the sender may not know of it."""
    call.known()
    run = runs.find(call.ctx, call.path["id"])
    project = call.project()
    if run is None or (project and run.project != project) or not rights.may_see(call.ctx, call.user, run):
        raise Problem(404, "There is no such container.")
    return run


def _controlled(call: Call) -> Run:
    run = _seen(call)
    if not rights.may_control(call.ctx, call.user, run):
        raise Problem(403, "Only who launched it, an owner of its project or an administrator may do this.")
    return run


def _read(call: Call) -> Response:
    return as_json(views.run_document(call.ctx, _seen(call)))


def _delete(call: Call) -> Response:
    run = _controlled(call)
    if not run.ended:
        raise Problem(400, "The run has not ended; end it first.")
    runs.delete(call.ctx, run.id)
    staging.discard(staging.build_folder(call.ctx, run))
    return Response(status_code=204)


def _finalize(runner: Runner) -> Callable[[Call], Response]:
    def handler(call: Call) -> Response:
        call.manager()
        _seen(call)
        runner.wake()  # a run is finalized by itself; this only makes the archive look now
        return Response(status_code=204)

    return handler


# ---- logs -------------------------------------------------------------------------------------------------


def _logs(call: Call) -> Response:
    run = _controlled(call)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for stream in _STREAMS:
            path = staging.log_file(call.ctx, run, stream)
            if path.exists():
                archive.write(path, f"{stream}.log")
    headers = {"Content-Disposition": f'attachment; filename="container-{run.id}-logs.zip"'}
    return Response(target.getvalue(), 200, headers, media_type="application/zip")


def _stream_file(call: Call) -> tuple[Run, Path]:
    if call.path["stream"] not in _STREAMS:
        raise Problem(404, "The streams are stdout and stderr.")
    run = _controlled(call)
    return run, staging.log_file(call.ctx, run, call.path["stream"])


def _log(call: Call) -> Response:
    _, path = _stream_file(call)
    return text(path.read_bytes().decode(errors="replace") if path.exists() else "")


def _log_since(call: Call) -> Response:
    """Answer a poll: what came after byte `since` (the timestamp of the last answer)."""
    run, path = _stream_file(call)
    since = call.query.get("since", "")
    start = int(since) if since.isdecimal() and len(since) < 15 else 0
    piece = b""
    if path.exists():
        with path.open("rb") as stream:
            stream.seek(start)
            piece = stream.read(_LOG_PIECE)
        if len(piece) == _LOG_PIECE or not run.ended:
            piece = _whole_letters(piece)
    complete = run.ended and len(piece) < _LOG_PIECE
    document = {
        "content": piece.decode(errors="replace"),
        "fromFile": run.ended,
        "timestamp": "-1" if complete else str(start + len(piece)),
        "bytesRead": len(piece),
    }
    return Response(json.dumps(document), media_type="application/json")


def _whole_letters(piece: bytes) -> bytes:
    """Cut off the first bytes of a letter whose rest is not there yet."""
    for back in range(1, min(4, len(piece)) + 1):
        lead = piece[-back]
        if lead >= 0xC0:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return piece[:-back] if back < length else piece
        if lead < 0x80:
            break
    return piece
