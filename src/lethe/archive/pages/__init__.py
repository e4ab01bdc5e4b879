"""XNAT's own pages as far as they lead to the dashboard: front page, login, project, session. No script."""

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
from lethe.archive.pages.item import project_page, session_page
from lethe.archive.problem import Problem

__all__ = ["item_page", "routes", "wants_page"]


def wants_page(form: str, accept: str) -> bool:
    """Tell whether a request for an item comes from somebody who looks: a browser, or ``format=html``."""
    return form == "html" or (not form and accept.startswith("text/html"))


def item_page(ctx: Context, user: User, item: Item) -> Response:
    """Return the page of a project or session.

    Raises
    ------
    Problem
        400 for items that have no page of their own.
    """
    if item.kind == "project":
        return project_page(ctx, user, item)
    if item.kind == "experiment":
        return session_page(ctx, user, item)
    raise Problem(400, "Only projects and sessions have a page.")


def routes(ctx: Context) -> list[Route]:
    """Return the routes of the pages."""

    async def home(request: Request) -> Response:
        if not login.is_logged_in(request) and ctx.settings.get("requireLogin"):
            return RedirectResponse(login.ADDRESS, 302)
        return await to_thread.run_sync(home_page, ctx, request)

    async def enter(request: Request) -> Response:
        if request.method == "POST":
            return await login.log_in(ctx, request)
        goal = request.query_params.get("goal", "/")
        if login.is_logged_in(request):
            return RedirectResponse(login.safe_goal(goal), 303)
        return await to_thread.run_sync(lambda: login.form_page(ctx, goal))

    async def leave(request: Request) -> Response:
        return login.log_out(request)

    async def style(request: Request) -> Response:
        body = (files(__package__ or "") / "static" / "lethe.css").read_bytes()
        return Response(
            body, headers={**frame.HEADERS, "Cache-Control": "max-age=3600"}, media_type="text/css"
        )

    return [
        Route("/", home),
        Route(login.ADDRESS, enter, methods=["GET", "POST"]),
        Route("/app/action/LogoutUser", leave, methods=["POST"]),
        Route(frame.STYLE, style),
    ]
