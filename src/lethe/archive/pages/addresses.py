"""Addresses of items, resources and files, as pages link to them."""

from __future__ import annotations

from urllib.parse import quote

from lethe.archive.model import Item, Resource

_HTML = "?format=html"


def project(project_id: str) -> str:
    """Return the address of a project's page."""
    return f"/data/projects/{quote(project_id, safe='')}{_HTML}"


def session(item: Item) -> str:
    """Return the address of a session's page."""
    return f"/data/experiments/{quote(item.id, safe='')}{_HTML}"


def base(item: Item, session_item: Item | None = None) -> str:
    """Return the address of an item, without a format."""
    if item.kind == "scan" and session_item is not None:
        return f"/data/experiments/{quote(session_item.id, safe='')}/scans/{quote(item.id, safe='')}"
    word = {"project": "projects", "subject": "subjects"}.get(item.kind, "experiments")
    return f"/data/{word}/{quote(item.id, safe='')}"


def files(owner: str, resource: Resource) -> str:
    """Return the address of the list of a resource's files."""
    return f"{owner}/resources/{quote(resource.label, safe='')}/files{_HTML}"


def file(owner: str, resource: Resource, path: str) -> str:
    """Return the address of one file."""
    return f"{owner}/resources/{quote(resource.label, safe='')}/files/{quote(path)}"
