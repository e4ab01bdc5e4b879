"""Archive URIs (``/archive/experiments/XNAT_E00001/scans/1/resources/DICOM``): to items and back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from lethe.archive import content, items
from lethe.archive.context import Context
from lethe.archive.model import ASSESSOR, EXPERIMENT, PROJECT, RECONSTRUCTION, SCAN, SUBJECT, Item, Resource
from lethe.archive.problem import Problem, not_found

PARTS = {
    "scans": (SCAN, items.find_scan),
    "assessors": (ASSESSOR, items.find_assessor),
    "reconstructions": (RECONSTRUCTION, items.find_reconstruction),
}
"""URL word of what lies below a session: its kind and how it is found."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a URI names: the project it was addressed through (if any), the item, maybe a resource."""

    item: Item
    project: str | None = None
    resource: Resource | None = None


def resolve_uri(ctx: Context, uri: str) -> Place:
    """Find what an archive URI names; ``/data``, ``/REST`` and ``/archive`` prefixes may be there or not.

    Raises
    ------
    Problem
        404 if there is no such item. Rights are not checked.
    """
    words = [unquote(word) for word in uri.split("?")[0].strip("/").split("/") if word]
    while words and words[0] in {"data", "REST", "archive"}:
        words.pop(0)
    place, rest = _item(ctx, words)
    if len(rest) >= 2 and rest[0] == "resources":
        resource = content.find_resource(ctx, place.item, rest[1])
        if resource is None:
            raise Problem(404, "Unable to find the specified catalog.")
        place, rest = Place(place.item, place.project, resource), rest[2:]
    if rest:
        raise Problem(404, "Unable to find the specified item.")
    return place


def _item(ctx: Context, words: list[str]) -> tuple[Place, list[str]]:
    project: str | None = None
    item: Item | None = None
    if len(words) >= 2 and words[0] == "projects":
        item = items.find_project(ctx, words[1])
        if item is None:
            raise not_found("project")
        project, words = item.id, words[2:]
    if len(words) >= 2 and words[0] == "subjects":
        item = items.find_subject(ctx, words[1], project)
        if item is None:
            raise not_found("subject")
        words = words[2:]
    if len(words) >= 2 and words[0] == "experiments":
        above = item
        item = items.find_experiment(ctx, words[1], project)
        if item is None or (above is not None and above.kind == SUBJECT and item.parent != above.pk):
            raise not_found("experiment")
        words = words[2:]
    if item is None:
        raise not_found("item")
    if item.kind == EXPERIMENT and len(words) >= 2 and words[0] in PARTS:
        kind, find = PARTS[words[0]]
        item = find(ctx, item, words[1])
        if item is None:
            raise not_found(kind)
        words = words[2:]
    return Place(item, project), words


def uri_of(ctx: Context, item: Item, resource: Resource | None = None) -> str:
    """Return the flat archive URI of an item (``/archive/experiments/{id}/scans/{n}``) or its resource."""
    match item.kind:
        case "project":
            uri = f"/archive/projects/{quote(item.id, safe='')}"
        case "subject":
            uri = f"/archive/subjects/{quote(item.id, safe='')}"
        case "experiment":
            uri = f"/archive/experiments/{quote(item.id, safe='')}"
        case _:
            session = items.by_pk(ctx, item.parent or 0)
            word = {SCAN: "scans", ASSESSOR: "assessors", RECONSTRUCTION: "reconstructions"}[item.kind]
            uri = f"/archive/experiments/{quote(session.id, safe='')}/{word}/{quote(item.id, safe='')}"
    return uri if resource is None else f"{uri}/resources/{resource.pk}"


def labelled_uri(ctx: Context, item: Item) -> str:
    """Return ``/archive/projects/P/subjects/LABEL/experiments/LABEL`` of a project, subject or session."""
    if item.kind == PROJECT:
        return f"/archive/projects/{quote(item.id, safe='')}"
    if item.kind == SUBJECT:
        return f"/archive/projects/{quote(item.project, safe='')}/subjects/{quote(item.label, safe='')}"
    subject = items.by_pk(ctx, item.parent or 0)
    return (
        f"/archive/projects/{quote(item.project, safe='')}/subjects/{quote(subject.label, safe='')}"
        f"/experiments/{quote(item.label, safe='')}"
    )
