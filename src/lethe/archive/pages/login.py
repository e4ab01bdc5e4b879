"""Log in and out with a browser: a form, a cookie, no script."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lethe.archive.context import Context
from lethe.archive.model import GUEST
from lethe.archive.pages import frame
from lethe.archive.pages.markup import Markup, tag
from lethe.archive.problem import Problem
from lethe.archive.web.gate import session_cookie
from lethe.archive.web.request import small_body, user_of
from lethe.archive.web.sessions import Sessions

ADDRESS = "/app/template/Login.vm"


def form_page(ctx: Context, goal: str, *, failed: bool = False) -> Response:
    """Return the login form; `goal` is where a successful login leads."""
    message = tag("p", "User or password is wrong.", class_="badge bad", role="alert") if failed else None
    form = tag(
        "form",
        tag("label", "User", for_="username"),
        tag("input", name="username", id="username", autocomplete="username", required=True, autofocus=True),
        tag("label", "Password", for_="password"),
        tag("input", name="password", id="password", type="password", required=True,
            autocomplete="current-password"),
        tag("input", name="goal", type="hidden", value=safe_goal(goal)),
        tag("button", "Log in", class_="main"),
        method="post",
        action=ADDRESS,
    )  # fmt: skip
    card: Markup = tag("section", tag("h1", "Log in"), message, form, class_="panel narrow")
    return frame.page(ctx, GUEST, "Log in", card, status=401 if failed else 200)


async def log_in(ctx: Context, request: Request) -> Response:
    """Check the form; a right one opens a new session, whatever cookie came with it."""
    check_same_site(request)
    fields = parse_qs((await small_body(request)).decode(errors="replace"), keep_blank_values=True)
    name, password, goal = (fields.get(word, [""])[-1] for word in ("username", "password", "goal"))
    sessions: Sessions = request.app.state.sessions
    user = await to_thread.run_sync(sessions.check, name, password) if name and password else None
    if user is None:
        return await to_thread.run_sync(lambda: form_page(ctx, goal, failed=True))
    headers = {"Set-Cookie": session_cookie(sessions.open(user.login))}
    return RedirectResponse(safe_goal(goal), 303, headers)


def log_out(request: Request) -> Response:
    """End the session."""
    check_same_site(request)
    sessions: Sessions = request.app.state.sessions
    if request.state.session_id:
        sessions.close(request.state.session_id)
    return RedirectResponse("/", 303, {"Set-Cookie": session_cookie("") + "; Max-Age=0"})


def check_same_site(request: Request) -> None:
    """Refuse (403) a form that another site's page sent."""
    origin = request.headers.get("origin")
    if origin and origin != "null" and urlsplit(origin).netloc == request.headers.get("host"):
        return
    if origin or request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        raise Problem(403, "The form was sent from another site.")


def safe_goal(goal: str) -> str:
    """Return an address within this site, or the first page.

    Examples
    --------
    >>> safe_goal("//evil.example/"), safe_goal("/data/projects/P?format=html")
    ('/', '/data/projects/P?format=html')
    """
    good = (
        goal.startswith("/")
        and not goal.startswith(("//", "/\\"))
        and goal.isprintable()
        and "\\" not in goal
    )
    return goal if good else "/"


def is_logged_in(request: Request) -> bool:
    """Tell whether somebody is logged in."""
    return not user_of(request).is_guest
