"""Plain pages for people: projects, sessions, login. One style sheet, one script, nothing from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.pages import frame, login
from lethe.archive.pages.home import home_page
from lethe.archive.pages.project import project_page
from lethe.archive.pages.session import session_page
from lethe.archive.problem import Problem
from lethe.archive.web.request import user_of

__all__ = ["item_page", "project_page", "routes", "session_page", "wants_page"]

_STATIC = {"lethe.css": "text/css", "lethe.js": "text/javascript"}


def wants_page(form: str, accept: str) -> bool:
    """Tell whether a request for an item comes from somebody who looks: a browser, or ``format=html``."""
    return form == "html" or (not form and accept.startswith("text/html"))


def item_page(ctx: Context, user: User, item: Item, number: int = 1) -> Response:
    """Return the page of a project or session; `number` is the page of a long list, from 1.

    Raises
    ------
    Problem
        400 for items that have no page of their own.
    """
    if item.kind == "project":
        return project_page(ctx, user, item, number)
    if item.kind == "experiment":
        return session_page(ctx, user, item)
    raise Problem(400, "Only projects and sessions have a page.")


def routes(ctx: Context) -> list[Route]:
    """Return the routes of the pages."""

    async def home(request: Request) -> Response:
        if not login.is_logged_in(request) and ctx.settings.get("requireLogin"):
            return RedirectResponse(login.ADDRESS, 302)
        return await to_thread.run_sync(home_page, ctx, user_of(request))

    async def enter(request: Request) -> Response:
        if request.method == "POST":
            return await login.log_in(ctx, request)
        goal = request.query_params.get("goal", "/")
        if login.is_logged_in(request):
            return RedirectResponse(login.safe_goal(goal), 303)
        return await to_thread.run_sync(lambda: login.form_page(ctx, goal))

    async def leave(request: Request) -> Response:
        return login.log_out(request)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            raise Problem(404)
        body = (files(__package__ or "") / "static" / name).read_bytes()
        headers = {**frame.HEADERS, "Cache-Control": "max-age=3600"}
        return Response(body, headers=headers, media_type=_STATIC[name])

    return [
        Route("/", home),
        Route(login.ADDRESS, enter, methods=["GET", "POST"]),
        Route("/app/action/LogoutUser", leave, methods=["POST"]),
        Route("/pages/{name}", static),
    ]
