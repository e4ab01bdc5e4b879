"""The first page: the projects one may see."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive import access, items
from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.pages import addresses, frame
from lethe.archive.pages.markup import Child, tag
from lethe.governance.roles import Right


def home_page(ctx: Context, user: User) -> Response:
    """Return the list of projects; protected ones are named to everybody."""
    seen = access.readable_projects(ctx, user, Right.SEE)
    readable = access.readable_projects(ctx, user, Right.READ)
    shown = [project for project in items.many(ctx, "kind = 'project' ORDER BY id") if project.id in seen]
    counts = _counts(ctx)
    table = frame.rows(
        ["Project", "Title", "Access", "Subjects", "Sessions"],
        [_row(ctx, project, project.id in readable, counts) for project in shown],
        "There is no project you may see." + (" Log in to see yours." if user.is_guest else ""),
    )
    heading = tag("h1", "Collections and projects")
    lead = tag("p", str(ctx.settings.get("siteDescription") or ""), class_="lead")
    return frame.page(ctx, user, "Projects", heading, lead, frame.panel("Projects", table))


def _row(ctx: Context, project: Item, readable: bool, counts: dict[tuple[str, str], int]) -> list[Child]:
    name: Child = tag("a", project.id, href=addresses.project(project.id)) if readable else project.id
    numbers: list[Child] = [
        counts.get((project.id, kind), 0) if readable else "–" for kind in ("subject", "experiment")
    ]
    return [name, project.data.get("name", ""), access.visibility(ctx, project.id).value, *numbers]


def _counts(ctx: Context) -> dict[tuple[str, str], int]:
    rows = ctx.store.read().execute("SELECT project, kind, COUNT(*) AS n FROM item GROUP BY project, kind")
    return {(row["project"], row["kind"]): int(row["n"]) for row in rows}
