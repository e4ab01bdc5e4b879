"""Objects of the archive as the Container Service shows them to matchers and derived inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lethe.archive import access, content, items, uris
from lethe.archive.containers.inputs import Load
from lethe.archive.context import Context
from lethe.archive.model import ASSESSOR, EXPERIMENT, PROJECT, SCAN, SUBJECT, Item, Resource, User
from lethe.archive.problem import not_found

Json = dict[str, Any]

_SCAN_FIELDS = {
    "scan-type": "type",
    "series-description": "series_description",
    "modality": "modality",
    "quality": "quality",
    "note": "note",
    "uid": "UID",
    "scanner-manufacturer": "scanner/manufacturer",
    "scanner-model": "scanner/model",
}
_SESSION_FIELDS = {"modality": "modality", "date": "date", "scanner-manufacturer": "scanner/manufacturer"}


def loader(ctx: Context, user: User, *, project: str = "") -> Load:
    """Return the function that reads objects with the rights of `user`.

    The lists of a project (subjects, sessions) can be long: they are read only when they are asked for.

    Parameters
    ----------
    project : str
        Only objects that belong to this project or are shared into it are found; empty for any.
    """

    def load(uri: str, lists: str = "") -> Mapping[str, Any]:
        place = uris.resolve_uri(ctx, uri)
        access.require(ctx, user, place.item, "read")
        if project and project not in items.projects_of(ctx, place.item):
            raise not_found("item")
        if place.resource is not None:
            return resource_object(ctx, place.item, place.resource, files=True)
        return item_object(ctx, place.item, children=place.item.kind != PROJECT or bool(lists))

    return load


def kind_of(item: Item) -> str:
    """Return the Container Service's name for a kind of item."""
    if item.kind == EXPERIMENT:
        return "Session" if item.xsi_type.endswith("SessionData") else "SubjectAssessor"
    return {PROJECT: "Project", SUBJECT: "Subject", SCAN: "Scan", ASSESSOR: "Assessor"}.get(item.kind, "Scan")


def item_object(ctx: Context, item: Item, *, children: bool) -> Json:
    """Return the JSON of an item; `children` adds what lies one level below it.

    Keys: type, id, label, xsiType, uri, directory, project-id, resources (label, integer-id, ...), and the
    lists and parents of its kind: subjects, sessions, scans, assessors, session-uri, subject-uri,
    project-uri.
    """
    kind = kind_of(item)
    found: Json = {
        "type": kind,
        "id": item.id,
        "label": item.label or item.id,
        "xsiType": item.xsi_type,
        "uri": uris.uri_of(ctx, item),
        "project-id": item.project,
        "project-uri": f"/archive/projects/{item.project}",
        "resources": [resource_object(ctx, item, one) for one in content.list_resources(ctx, [item])],
    }
    if kind != "Subject":
        found["directory"] = str(items.folder_of(ctx, item))
    found |= _fields(ctx, item, kind)
    if children:
        found |= _children(ctx, item, kind)
    return found


def _fields(ctx: Context, item: Item, kind: str) -> Json:
    wanted = {"Scan": _SCAN_FIELDS, "Session": _SESSION_FIELDS}.get(kind, {})
    found: Json = {key: item.data[path] for key, path in wanted.items() if item.data.get(path)}
    if kind in ("Session", "SubjectAssessor"):
        subject = items.by_pk(ctx, item.parent or 0)
        found |= {"subject-id": subject.id, "subject-uri": uris.uri_of(ctx, subject)}
    elif kind in ("Scan", "Assessor"):
        session = items.by_pk(ctx, item.parent or 0)
        found |= {"session-id": session.id, "session-uri": uris.uri_of(ctx, session)}
    if kind == "Scan":
        found["integer-id"] = item.pk
        frames = str(item.data.get("frames", ""))
        if frames.isdecimal():
            found["frames"] = int(frames)
    return found


def _children(ctx: Context, item: Item, kind: str) -> Json:
    def listed(wanted: str) -> list[Json]:
        return [item_object(ctx, child, children=False) for child in items.children(ctx, item, wanted)]

    if kind == "Session":
        return {"scans": listed(SCAN), "assessors": listed(ASSESSOR)}
    if kind in ("Subject", "Project"):
        experiments = listed(EXPERIMENT)
        others = [one for one in experiments if one["type"] != "Session"]
        found: Json = {"sessions": [one for one in experiments if one["type"] == "Session"]}
        found |= {"subject-assessors": others}
        return found | ({"subjects": listed(SUBJECT)} if kind == "Project" else {})
    return {}


def resource_object(ctx: Context, owner: Item, resource: Resource, *, files: bool = False) -> Json:
    """Return the JSON of a resource; `files` adds its files."""
    uri = uris.uri_of(ctx, owner, resource)
    found: Json = {
        "type": "Resource",
        "id": str(resource.pk),
        "integer-id": resource.pk,
        "label": resource.label,
        "xsiType": "xnat:resourceCatalog",
        "uri": uri,
        "directory": str(content.resource_folder(ctx, resource)),
        "format": resource.format,
        "content": resource.content,
        "tags": resource.tags,
        "parent-uri": uris.uri_of(ctx, owner),
        "project-uri": f"/archive/projects/{owner.project}",
    }
    parent = {"Scan": "scan-uri", "Session": "session-uri", "Subject": "subject-uri"}.get(kind_of(owner))
    if parent:
        found[parent] = found["parent-uri"]
    if kind_of(owner) == "Scan":
        found["session-uri"] = uris.uri_of(ctx, items.by_pk(ctx, owner.parent or 0))
    if files:
        found["files"] = [
            {
                "type": "File",
                "name": entry.path.rsplit("/", 1)[-1],
                "path": entry.path,
                "uri": f"{uri}/files/{entry.path}",
                "size": entry.size,
                "format": entry.format,
                "content": entry.content,
                "tags": entry.tags,
            }
            for entry in content.list_files(ctx, resource)
        ]
    return found
