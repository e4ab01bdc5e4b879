"""The dashboard's static files at ``/lethe/``, where XNAT serves those of the plugin."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from lethe.archive.context import Context
from lethe.archive.pages import frame, login
from lethe.archive.pages.markup import tag
from lethe.archive.problem import Problem
from lethe.archive.web.request import user_of

FOLDER = Path(__file__).parents[1] / "dashboard"
"""Where the built app lies in the wheel; ``scripts/build-dashboard`` makes it."""

_TYPES = {
    ".html": "text/html", ".js": "application/javascript", ".mjs": "application/javascript",
    ".css": "text/css", ".json": "application/json", ".map": "application/json", ".svg": "image/svg+xml",
    ".png": "image/png", ".jpg": "image/jpeg", ".ico": "image/x-icon", ".webp": "image/webp",
    ".woff2": "font/woff2", ".wasm": "application/wasm", ".txt": "text/plain", ".csv": "text/csv",
    ".gz": "application/x-gzip", ".nii": "application/octet-stream",
}  # fmt: skip
_HASHED = re.compile(r"[.-][0-9A-Za-z_-]{8,}\.[a-z0-9]+$")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:;"
        " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
        " connect-src 'self' data: blob:; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
}


def routes(ctx: Context, folder: Path = FOLDER) -> list[Route]:
    """Return the routes of the dashboard; `folder` holds the built app."""

    async def bare(request: Request) -> Response:
        return RedirectResponse(request.scope.get("root_path", "") + "/lethe/", 302)

    async def serve(request: Request) -> Response:
        return await to_thread.run_sync(_answer, ctx, request, folder)

    return [Route("/lethe", bare), Route("/lethe/{path:path}", serve)]


def _answer(ctx: Context, request: Request, folder: Path) -> Response:
    user = user_of(request)
    if user.is_guest and ctx.settings.get("requireLogin"):
        return RedirectResponse(f"{login.ADDRESS}?goal=/lethe/", 302)
    words = [word for word in request.state.words[1:] if word]
    if not words and not (folder / "index.html").is_file():
        text = tag(
            "p",
            "The dashboard was not built into this installation. Run scripts/build-dashboard, then reload.",
            class_="empty",
        )
        return frame.page(ctx, user, "Dashboard", tag("h1", "Dashboard"), text, status=503)
    target = folder.joinpath(*words) if words else folder / "index.html"
    # The gate refused `..`; links out of the folder and hidden files are refused here.
    inside = folder.resolve() in (target.resolve().parents if target != folder else ())
    if not inside or not target.is_file() or any(word.startswith(".") for word in words):
        raise Problem(404, "There is nothing at this address.")
    return _file(request, target)


def _file(request: Request, target: Path) -> Response:
    found = target.stat()
    etag = _etag(target, found.st_mtime_ns, found.st_size)
    lasting = target.parent.name == "assets" and _HASHED.search(target.name)
    headers = _HEADERS | {
        "ETag": etag,
        "Cache-Control": "max-age=31536000, immutable" if lasting else "no-cache",
    }
    asked = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if etag in asked or "*" in asked:
        return Response(b"", 304, headers)
    kind = _TYPES.get(target.suffix.lower(), "application/octet-stream")
    if kind.startswith("text/") or kind in {"application/javascript", "application/json", "image/svg+xml"}:
        return Response(target.read_bytes(), headers=headers, media_type=kind)
    return FileResponse(target, headers=headers, media_type=kind)


@lru_cache(maxsize=512)
def _etag(target: Path, moment: int, size: int) -> str:
    """Return the tag of a file's content; `moment` and `size` tell a changed file from a remembered one."""
    with target.open("rb") as stream:
        return f'"{hashlib.file_digest(stream, "sha256").hexdigest()[:32]}"'
