"""The front page: browsers go on to the dashboard, programs read who is logged in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lethe.archive.context import Context
from lethe.archive.pages import addresses, frame
from lethe.archive.pages.markup import tag
from lethe.archive.web.request import user_of


def home_page(ctx: Context, request: Request) -> Response:
    """Send a browser to the dashboard; tell anybody else who is logged in and where the dashboard is."""
    if request.headers.get("accept", "").startswith("text/html"):
        return RedirectResponse(request.scope.get("root_path", "") + addresses.DASHBOARD, 302)
    lead = tag("p", str(ctx.settings.get("siteDescription") or ""), class_="lead")
    link = tag("p", tag("a", "The dashboard", href=addresses.DASHBOARD))
    heading = tag("h1", "Collections and projects")
    return frame.page(ctx, user_of(request), "Projects", heading, lead, link)
