"""Addresses of items, of their resources, and of the dashboard's screens, as pages link to them."""

from __future__ import annotations

from urllib.parse import quote

from lethe.archive.model import Item, Resource

DASHBOARD = "/lethe/"


def project(project_id: str) -> str:
    """Return the address of a project's page."""
    return f"/data/projects/{_word(project_id)}?format=html"


def overview(project_id: str) -> str:
    """Return the address of a collection on the dashboard."""
    return f"{DASHBOARD}#/c/{_word(project_id)}"


def session_screen(project_id: str, session: Item) -> str:
    """Return the address of a session on the dashboard."""
    return f"{overview(project_id)}/s/{_word(session.id)}"


def files(item: Item, resource: Resource) -> str:
    """Return the address of the list of a resource's files."""
    kind = "projects" if item.kind == "project" else "experiments"
    return f"/data/{kind}/{_word(item.id)}/resources/{_word(resource.label)}/files?format=html"


def _word(text: str) -> str:
    return quote(text, safe="")
