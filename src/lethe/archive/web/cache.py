"""A user's own scratch files: ``/data/user/cache/resources/{name}/files/{path}``, a source for imports."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from lethe.archive import access
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.names import check_file_path, check_resource_label
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.request import user_of
from lethe.archive.web.upload import Upload, receive

_BASE = "/data/user/cache/resources"
_NO_FILE = "Unable to find the specified file."


def routes(ctx: Context) -> list[Route]:
    """Return the routes of the scratch files; everybody sees their own only."""

    async def serve(request: Request) -> Response:
        user, words = user_of(request), [word for word in request.state.words[4:] if word]
        access.require_login(user)
        if request.method in {"PUT", "POST"}:
            name, path = _named(words)
            upload = await receive(ctx, request)
            try:
                return await to_thread.run_sync(_store, ctx, user, name, path, upload)
            finally:
                await to_thread.run_sync(upload.discard)
        handler = _delete if request.method == "DELETE" else _show
        return await to_thread.run_sync(handler, ctx, user, words, request.query_params.get("format", ""))

    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    return [Route(_BASE, serve, methods=methods), Route(_BASE + "/{path:path}", serve, methods=methods)]


def source(ctx: Context, user: User, src: str) -> Path:
    """Return the file that ``src=/user/cache/resources/{name}/files/{path}`` of an import means.

    Raises
    ------
    Problem
        400 for another address, 404 if there is no such file.
    """
    words = [word for word in src.split("/") if word]
    if words[:1] == ["data"]:
        words.pop(0)
    if words[:3] != ["user", "cache", "resources"]:
        raise Problem(400, "The source of an import is a file below /user/cache/resources.")
    name, path = _named(words[3:])
    found = _folder(ctx, user) / name / path
    if not path or not found.is_file():
        raise Problem(404, _NO_FILE)
    return found


def _folder(ctx: Context, user: User) -> Path:
    return ctx.store.root / "cache" / f"user-{user.number}"


def _named(words: list[str]) -> tuple[str, str]:
    """Return resource and file path (may be empty) of the words after ``resources``."""
    if not words or (len(words) > 1 and words[1] != "files"):
        raise Problem(404, "There is nothing at this address.")
    path = "/".join(words[2:])
    if words[0].startswith("."):
        raise Problem(400, "Invalid resource label.")
    return check_resource_label(words[0]), check_file_path(path) if path else ""


def _store(ctx: Context, user: User, name: str, path: str, upload: Upload) -> Response:
    folder = _folder(ctx, user) / name
    if not upload.files and path:
        raise Problem(400, "The upload is empty.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for one in upload.files:
        target = folder / (path or check_file_path(one.name.replace("\\", "/").rsplit("/", 1)[-1]))
        try:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            os.replace(one.path, target)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise Problem(400, "A file and a folder cannot have the same name.") from error
    return answers.text("")


def _show(ctx: Context, user: User, words: list[str], form: str) -> Response:
    home = _folder(ctx, user)
    if not words:
        names = sorted(entry.name for entry in home.iterdir()) if home.is_dir() else []
        rows = [{"Name": name, "URI": f"/user/cache/resources/{name}"} for name in names]
        return answers.table(answers.Table(["Name", "URI"], rows), form)
    name, path = _named(words)
    if path:
        found = home / name / path
        if not found.is_file():
            raise Problem(404, _NO_FILE)
        return FileResponse(found, media_type="application/octet-stream", filename=found.name)
    if not (home / name).is_dir():
        raise Problem(404, "Unable to find the specified catalog.")
    files = sorted(entry for entry in (home / name).rglob("*") if entry.is_file())
    rows = [
        {
            "Name": file.name,
            "Size": str(file.stat().st_size),
            "URI": f"/user/cache/resources/{name}/files/{file.relative_to(home / name).as_posix()}",
        }
        for file in files
    ]
    return answers.table(answers.Table(["Name", "Size", "URI"], rows, show_columns=True), form)


def _delete(ctx: Context, user: User, words: list[str], form: str) -> Response:
    name, path = _named(words)
    found = _folder(ctx, user) / name / path
    if found.is_dir():
        shutil.rmtree(found)
    elif found.is_file():
        found.unlink()
    else:
        raise Problem(404, _NO_FILE)
    return answers.text("")
