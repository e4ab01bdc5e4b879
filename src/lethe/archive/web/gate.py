"""The gate in front of every route: path rules, prefixes, who is asking, status pages, access log."""

from __future__ import annotations

import base64
import binascii
import errno
import re
import sqlite3
import time
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote_to_bytes

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lethe.archive import accounts
from lethe.archive.context import Context
from lethe.archive.model import GUEST, User
from lethe.archive.problem import Problem
from lethe.archive.web import browser
from lethe.archive.web.answers import status_page
from lethe.archive.web.sessions import Sessions
from lethe.errors import Misconfigured, Outcome, Quarantined, Unavailable

_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_METHODS = "GET, HEAD, PUT, POST, DELETE, OPTIONS"
_CONTROL = re.compile(r"[\x00-\x1f]")
_PREFIX = re.compile(
    r"/(?:data|REST)(?:/archive(?=/(?:projects|subjects|experiments|scan_types|scanners|investigators)(?:/|$))|(?=/|$))"
)
_WITHOUT_LOGIN = (
    "/data/JSESSION",
    "/data/services/auth",
    "/data/version",
    *(f"/xapi/siteConfig/{key}" for key in ("buildInfo", "siteId", "siteUrl", "siteHome", "siteLogoPath")),
)
_WITH_FOLDERS = frozenset({"projects", "subjects", "experiments", "user"})
"""First words below ``/data`` whose addresses may end in a folder of files."""
_LOGGED_WORDS = frozenset(
    [
        "data",
        "xapi",
        "projects",
        "subjects",
        "experiments",
        "scans",
        "assessors",
        "reconstructions",
        "resources",
        "files",
        "in",
        "out",
        "services",
        "import",
        "archive",
        "prearchive",
        "users",
        "groups",
        "accessibility",
        "search",
        "elements",
        "schemas",
        "siteConfig",
        "commands",
        "wrappers",
        "containers",
        "launch",
        "bulklaunch",
        "root",
        "events",
        "subscription",
        "auth",
        "JSESSION",
        "tokens",
        "config",
        "workflows",
    ]
)


class Gate:
    """ASGI middleware around the routes.

    Parameters
    ----------
    app : ASGIApp
        The routes.
    ctx : Context
        The archive.
    sessions : Sessions
        Who is logged in.
    """

    def __init__(self, app: ASGIApp, *, ctx: Context, sessions: Sessions) -> None:
        self._app, self._ctx, self._sessions = app, ctx, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, answered = time.perf_counter(), 500, False
        cookie: str | None = None

        async def sending(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if cookie is not None and "set-cookie" not in headers:
                    headers.append("Set-Cookie", session_cookie(cookie))
            await send(message)

        try:
            words = _words(scope)
            scope.setdefault("state", {})["words"] = words
            cookie = await self._identify(scope)
            if scope["method"] == "OPTIONS" and words[0] in {"data", "xapi"}:
                await Response(headers={"Allow": _METHODS})(scope, receive, sending)
            else:
                await self._app(scope, receive, sending)
        except (Outcome, OSError, sqlite3.OperationalError, sqlite3.IntegrityError) as error:
            problem = _problem(error)
            if problem is None or answered:
                raise
            await status_page(problem, scope["path"], self._ctx.settings.site_id)(scope, receive, sending)
        finally:
            self._log(scope, status, time.perf_counter() - started)

    async def _identify(self, scope: Scope) -> str | None:
        """Find the user; return the id of a session that was opened for this request."""
        headers = Headers(scope=scope)
        sent = browser.take_token(scope)
        session_id = _cookie(headers)
        login = self._sessions.login_of(session_id) if session_id else None
        user: User | None = None
        opened: str | None = None
        if login is not None:
            user = await to_thread.run_sync(accounts.find_user, self._ctx, login)
            if user is not None and not user.enabled:
                user = None
        if user is None:
            session_id = ""
            credentials = _basic(headers)
            if credentials is not None:
                user = await to_thread.run_sync(self._sessions.check, *credentials)
                if user is None:
                    raise Problem(401, "Authentication failed.")
                alias = credentials[0] if credentials[0].lower() != user.login.lower() else ""
                session_id = opened = self._sessions.open(user.login, token=alias)
        if user is not None:
            token = self._sessions.token_of(session_id) if session_id else ""
            browser.check(scope, headers, sent, token)
        state = scope["state"]
        state["user"], state["session_id"] = user or GUEST, session_id
        path: str = scope["path"]
        if user is None and path.startswith(("/data", "/xapi")) and not path.startswith(_WITHOUT_LOGIN):
            closed = await to_thread.run_sync(self._ctx.settings.get, "requireLogin")
            if closed:
                raise Problem(401, "Login is required.")
        return opened

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        """Log method, shape of the path (no ids, labels, file names or query), status and time."""
        words = [w if w in _LOGGED_WORDS else "*" for w in scope["path"].split("/")[1:8]]
        self._ctx.logger.info("%s /%s %d %.0f ms", scope["method"], "/".join(words), status, seconds * 1000)


def session_cookie(session_id: str) -> str:
    """Return the Set-Cookie value of a session."""
    return f"JSESSIONID={session_id}; Path=/; HttpOnly; SameSite=Lax"


def _words(scope: Scope) -> list[str]:
    """Check and cut the raw path; make ``/REST`` and ``/data/archive`` the same tree as ``/data``."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    raw = raw.split(b"?")[0]
    if _BAD_PERCENT.search(raw):
        raise Problem(400, "The URL is not encoded rightly.")
    root = scope.get("root_path", "").encode()
    if root and raw.startswith(root):
        raw = raw[len(root) :]
    raw = b"/" + raw.lstrip(b"/")
    try:
        words = [unquote_to_bytes(word).decode() for word in raw.split(b"/")[1:]]
    except UnicodeDecodeError:
        raise Problem(400, "The URL is not encoded rightly.") from None
    if any(word in {".", ".."} or _CONTROL.search(word) for word in words):
        raise Problem(400, "The URL names a folder above or has a control character.")
    path = _PREFIX.sub("/data", "/" + "/".join(words), count=1) if words[0] in {"data", "REST"} else None
    if path is not None:
        cut = 2 if len(words) > 2 and words[1] == "archive" and not path.startswith("/data/archive") else 1
        words = ["data", *words[cut:]]
    elif words[0] == "xapi":
        path = "/" + "/".join(words)
    if path is not None:
        if len(words) > 2 and not words[-1] and (words[0] == "xapi" or words[1] not in _WITH_FOLDERS):
            words, path = words[:-1], path.removesuffix("/")
        scope["path"] = path
        scope["raw_path"] = path.encode()
    return words


def _problem(outcome: Exception) -> Problem | None:
    """Return what to answer for an expected ending; None for a fault of the program."""
    if isinstance(outcome, Problem):
        return outcome
    if isinstance(outcome, sqlite3.IntegrityError):
        gone = "FOREIGN KEY" in str(outcome)
        return Problem(404, "The item was deleted meanwhile.") if gone else None
    if not isinstance(outcome, Outcome):
        return Problem(507, "The disk of the archive is full.") if _is_full(outcome) else None
    status = 400
    if isinstance(outcome, Unavailable):
        status = 503
    elif isinstance(outcome, Misconfigured):
        status = 500
    elif isinstance(outcome, Quarantined):
        status = 409
    return Problem(status, outcome.sentence)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return "full" in str(error)


def _cookie(headers: Headers) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    found = jar.get("JSESSIONID")
    return found.value if found is not None else ""


def _basic(headers: Headers) -> tuple[str, str] | None:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Problem(401, "Authentication failed.") from None
    return (login, password) if colon and login else None
