"""The plain pages of a project and a session: what it is, its files, and XNAT's action box that leads on."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive import access, content, items
from lethe.archive.context import Context
from lethe.archive.model import Item, User
from lethe.archive.pages import addresses, frame
from lethe.archive.pages.markup import Child, Markup, join, tag

# The same words as the entries that the plugin puts into XNAT's action boxes (plugin/resources).
OF_PROJECT = "What is missing here"
OF_SESSION = "De-face, review"


def project_page(ctx: Context, user: User, project: Item) -> Response:
    """Return the page of a project that the user may read."""
    facts: list[tuple[str, Child]] = [
        ("Title", str(project.data.get("name", ""))),
        ("Access", tag("span", access.visibility(ctx, project.id).value, class_="badge plain")),
        ("Your role", access.role_in(ctx, user, project.id).value),
        ("Keywords", str(project.data.get("keywords", ""))),
    ]
    return frame.page(
        ctx,
        user,
        project.id,
        tag("h1", project.id),
        tag("p", str(project.data.get("description", "")), class_="lead"),
        frame.facts(facts),
        _actions((OF_PROJECT, addresses.overview(project.id))),
        _files(ctx, project),
        crumbs=(("Collections", addresses.DASHBOARD),),
    )


def session_page(ctx: Context, user: User, session: Item) -> Response:
    """Return the page of a session that the user may read."""
    subject = items.by_pk(ctx, session.parent) if session.parent else None
    seen = items.projects_of(ctx, session)
    project = next((one for one in seen if access.right(ctx, user, one, "read")), session.project)
    label = items.label_in(ctx, session, project)
    data = session.data
    scanner = " ".join(str(data[path]) for path in ("scanner/manufacturer", "scanner/model") if path in data)
    facts: list[tuple[str, Child]] = [
        ("Subject", items.label_in(ctx, subject, project) if subject else ""),
        ("Date", str(data.get("date", ""))),
        ("Modality", str(data.get("modality", ""))),
        ("Scanner", scanner),
        ("Accession", session.id),
        ("State", "" if session.status == "active" else session.status),
    ]
    may_edit = access.right(ctx, user, session.project, "edit")
    actions = _actions((OF_SESSION, addresses.session_screen(session.project, session))) if may_edit else None
    return frame.page(
        ctx,
        user,
        label,
        tag("h1", label),
        frame.facts(facts),
        actions,
        _files(ctx, session),
        crumbs=(("Collections", addresses.DASHBOARD), (project, addresses.project(project))),
    )


def _actions(*entries: tuple[str, str]) -> Markup:
    links = [tag("li", tag("a", words, href=address, class_="button")) for words, address in entries]
    return frame.panel("Actions", tag("ul", links, class_="tags"))


def _files(ctx: Context, item: Item) -> Markup:
    found = content.list_resources(ctx, [item])
    if not found:
        return join()
    entries = [
        tag(
            "li",
            tag("a", one.label, href=addresses.files(item, one)),
            " ",
            tag("span", f"{content.statistics(ctx, one)[0]} files", class_="count"),
        )
        for one in found
    ]
    return frame.panel("Files", tag("ul", entries, class_="tags"))
