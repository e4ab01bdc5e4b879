"""The page of a project: its sessions, its resources, what waits in the prearchive."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive import access, content, items
from lethe.archive.context import Context
from lethe.archive.intake import prearchive
from lethe.archive.model import Item, User
from lethe.archive.pages import addresses, frame, launches
from lethe.archive.pages.markup import Child, Markup, join, tag
from lethe.archive.pages.verdict import session_verdicts

PER_PAGE = 100


def project_page(ctx: Context, user: User, project: Item, number: int = 1) -> Response:
    """Return the page of a project that the user may read; `number` counts pages of sessions from 1."""
    sessions = items.many(
        ctx,
        "kind = 'experiment' AND (project = ? OR pk IN (SELECT item FROM share WHERE project = ?))"
        " ORDER BY label LIMIT ? OFFSET ?",
        project.id, project.id, PER_PAGE + 1, (max(number, 1) - 1) * PER_PAGE,
    )  # fmt: skip
    subjects = {one.pk: one for one in _subjects(ctx, sessions)}
    table = frame.rows(
        ["Session", "Subject", "Date", "Modality", "Scans", "De-facing"],
        [_session(ctx, one, subjects, project.id) for one in sessions[:PER_PAGE]],
        "No session has been archived yet.",
    )
    return frame.page(
        ctx,
        user,
        project.id,
        tag("h1", project.id),
        tag("p", str(project.data.get("description", "")), class_="lead"),
        frame.facts(_facts(ctx, user, project)),
        frame.panel("Sessions", table, _pager(project, number, more=len(sessions) > PER_PAGE)),
        _resources(ctx, user, project),
        _waiting(ctx, user, project),
        crumbs=(("Projects", "/"),),
    )


def _facts(ctx: Context, user: User, project: Item) -> list[tuple[str, Child]]:
    level = access.visibility(ctx, project.id).value
    return [
        ("Title", str(project.data.get("name", ""))),
        ("Access", tag("span", level, class_="badge plain")),
        ("Your role", access.role_in(ctx, user, project.id).value),
        ("Keywords", str(project.data.get("keywords", ""))),
    ]


def _subjects(ctx: Context, sessions: list[Item]) -> list[Item]:
    numbers = sorted({one.parent for one in sessions if one.parent})
    marks = ",".join("?" * len(numbers))
    return items.many(ctx, f"pk IN ({marks})", *numbers) if numbers else []


def _session(ctx: Context, one: Item, subjects: dict[int, Item], project: str) -> list[Child]:
    scans = items.children(ctx, one, "scan")
    subject = subjects.get(one.parent or 0)
    found = session_verdicts(ctx, scans).values()
    badges = [tag("span", verdict.text, class_=f"badge {verdict.style}") for verdict in found]
    return [
        tag("a", items.label_in(ctx, one, project), href=addresses.session(one)),
        items.label_in(ctx, subject, project) if subject else "",
        str(one.data.get("date", "")),
        str(one.data.get("modality", "")),
        len(scans),
        tag("div", badges, class_="tags") if badges else "",
    ]


def _pager(project: Item, number: int, *, more: bool) -> Markup:
    address = addresses.project(project.id)
    links = [("Earlier", number - 1)] if number > 1 else []
    links += [("Later", number + 1)] if more else []
    if not links:
        return join()
    return tag(
        "nav",
        [tag("a", text, href=f"{address}&page={target}", class_="button") for text, target in links],
        class_="pages",
        aria_label="Pages of sessions",
    )


def _resources(ctx: Context, user: User, project: Item) -> Markup:
    found = content.list_resources(ctx, [project])
    enabled = launches.Offer(ctx, user, project.id, "project").fitting(project)
    if not found and not enabled:
        return join()
    return frame.panel(
        "Files of the project",
        resource_list(ctx, addresses.base(project), project, empty="No files yet."),
        launches.buttons(ctx, project.id, project, enabled),
    )


def resource_list(ctx: Context, owner: str, item: Item, *, empty: str = "") -> Markup:
    """Return the resources of an item as links with the number of their files."""
    found = content.list_resources(ctx, [item])
    if not found:
        return tag("p", empty, class_="empty") if empty else join()
    entries = [
        tag(
            "li",
            tag("a", one.label, href=addresses.files(owner, one)),
            " ",
            tag("span", f"{content.statistics(ctx, one)[0]} files", class_="count"),
        )
        for one in found
    ]
    return tag("ul", entries, class_="tags")


def _waiting(ctx: Context, user: User, project: Item) -> Markup:
    if not access.right(ctx, user, project.id, "edit"):
        return join()
    waiting = [row for row in prearchive.listing(ctx, [project.id]) if not row.private]
    if not waiting:
        return join()
    cells: list[list[Child]] = [
        [row.label, row.subject, _state(row.status), row.public()["lastmod"][:16], row.message]
        for row in waiting
    ]
    table = frame.rows(["Session", "Subject", "State", "Last change (UTC)", "Message"], cells, "")
    return frame.panel("Prearchive", table, hint="Received, not archived yet.")


def _state(status: str) -> Markup:
    style = {"READY": "good", "CONFLICT": "bad", "ERROR": "bad"}.get(status, "plain")
    return tag("span", status.lower(), class_=f"badge {style}")
