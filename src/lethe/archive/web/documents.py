"""Items as documents: gather an item with its children, then write JSON or XML."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from lethe.archive import access, content, items, pages
from lethe.archive.context import Context
from lethe.archive.model import (
    ASSESSOR,
    EXPERIMENT,
    PROJECT,
    RECONSTRUCTION,
    SCAN,
    SUBJECT,
    Item,
    Resource,
    User,
)
from lethe.archive.problem import Problem
from lethe.archive.types import xml
from lethe.archive.types.table import TYPES, XsiType
from lethe.archive.types.tree import Tree, to_json
from lethe.archive.web import answers
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

_FALLBACK = {PROJECT: "projectData", SUBJECT: "subjectData", EXPERIMENT: "otherDicomSessionData",
             ASSESSOR: "imageAssessorData", SCAN: "otherDicomScanData",
             RECONSTRUCTION: "reconstructedImageData"}  # fmt: skip
_RESOURCE_PATH = {SCAN: "file", ASSESSOR: "out/file", RECONSTRUCTION: "out/file"}


def type_of_item(item: Item) -> XsiType:
    """Return the data type of an item."""
    return TYPES.get(item.xsi_type) or TYPES[f"xnat:{_FALLBACK[item.kind]}"]


def stamp(seconds: float) -> str:
    """Return a moment as lists show it, to the millisecond and without zeros at its end.

    Examples
    --------
    >>> stamp(1714558500.0), stamp(1714558500.005), stamp(1714558500.12)
    ('2024-05-01 10:15:00.0', '2024-05-01 10:15:00.005', '2024-05-01 10:15:00.12')
    """
    whole, rest = divmod(round(seconds * 1000), 1000)
    fraction = f"{rest:03d}".rstrip("0") or "0"
    # this runs for every row of a list: gmtime is a third of the cost of datetime
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(whole))}.{fraction}"


def _java_date(seconds: float) -> str:
    """Return a moment as item documents show it: ``Wed May 01 10:15:00 UTC 2024`` (English, always)."""
    moment = datetime.fromtimestamp(seconds, UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][
        moment.month - 1
    ]
    return f"{day} {month} {moment:%d %H:%M:%S} UTC {moment.year}"


def system_values(ctx: Context, item: Item) -> dict[str, Any]:
    """Return the fields of an item that are not stored among its data: ids, label, project."""
    match item.kind:
        case "project":
            return {"ID": item.id}
        case "subject":
            return {"ID": item.id, "project": item.project, "label": item.label}
        case "experiment":
            subject = items.by_pk(ctx, item.parent or 0)
            return {"ID": item.id, "project": item.project, "label": item.label, "subject_ID": subject.id}
        case "assessor":
            session = items.by_pk(ctx, item.parent or 0)
            return {
                "ID": item.id,
                "project": item.project,
                "label": item.label,
                "imageSession_ID": session.id,
            }
    session = items.by_pk(ctx, item.parent or 0)
    number = "xnat_imagescandata_id" if item.kind == SCAN else "xnat_reconstructedimagedata_id"
    return {"ID": item.id, "image_session_ID": session.id, number: item.pk}


_BELOW = {
    EXPERIMENT: (("scans/scan", SCAN), ("assessors/assessor", ASSESSOR),
                 ("reconstructions/reconstructedImage", RECONSTRUCTION)),
    SUBJECT: (("experiments/experiment", EXPERIMENT),),
}  # fmt: skip


def gather(ctx: Context, item: Item, user: User) -> Tree:
    """Return an item with the shares, resources and items below it that `user` may know of."""
    below: dict[str, list[Tree]] = {}
    for path, kind in _BELOW.get(item.kind, ()):
        below[path] = [
            gather(ctx, child, user)
            for child in items.children(ctx, item, kind)
            if item.kind == EXPERIMENT or access.may(ctx, user, child, Right.READ)
        ]
    if item.kind == PROJECT:
        below["studyProtocol"] = [
            Tree(TYPES["xnat:datatypeProtocol"], {}, raw=row["xml"])
            for row in ctx.store.read().execute(
                "SELECT xml FROM study_protocol WHERE project = ? ORDER BY id", (item.id,)
            )
        ]
    resources = content.list_resources(ctx, [item])
    path = _RESOURCE_PATH.get(item.kind, "resources/resource")
    for resource in resources:
        where = path
        if item.kind in {ASSESSOR, RECONSTRUCTION}:
            where = f"{resource.variant or 'resources'}/{'file' if resource.variant else 'resource'}"
        below.setdefault(where, []).append(_resource(ctx, item, resource))
    if item.kind in {SUBJECT, EXPERIMENT, ASSESSOR}:
        shared = [
            Tree(TYPES["xnat:projectParticipant"], {"project": row["project"], "label": row["label"]})
            for row in items.shares(ctx, item)
            if access.right(ctx, user, row["project"], Right.SEE)
        ]
        if shared:
            below["sharing/share"] = shared
    meta = {"start_date": _java_date(item.created), "create_event_id": item.pk}
    return Tree(type_of_item(item), {**item.data, **system_values(ctx, item)}, below, meta)


def _resource(ctx: Context, owner: Item, resource: Resource) -> Tree:
    count, size = content.statistics(ctx, resource)
    values: dict[str, Any] = {
        "xnat_abstractresource_id": resource.pk,
        "label": resource.label,
        "URI": str(content.resource_folder(ctx, resource).relative_to(ctx.store.root)),
        "file_count": count,
        "file_size": size,
    }
    for name in ("format", "content", "description"):
        if getattr(resource, name):
            values[name] = getattr(resource, name)
    return Tree(TYPES["xnat:resourceCatalog"], values)


def document(call: Call, item: Item) -> Response:
    """Return an item in the asked format (JSON unless ``format`` says xml)."""
    if pages.wants_page(call.format, call.headers.get("accept", "")):
        return pages.item_page(call.ctx, call.user, item)
    form = call.format or "json"
    if form == "json":
        shown = [to_json(gather(call.ctx, item, call.user))]
        if call.flag("includeHistory"):
            shown += [_past(call, old) for old in items.history(call.ctx, item)]
        return answers.as_json({"items": shown})
    if form in {"xml", "xlist", "xcat"}:
        tree = gather(call.ctx, item, call.user)
        tree.values = {k: v for k, v in tree.values.items() if not k.startswith("xnat_")}
        body = xml.write(tree, call.ctx.settings.get("siteUrl") or "")
        return Response(body, media_type="text/xml")
    raise Problem(400, "Items come as json, xml or html.")


def _past(call: Call, item: Item) -> dict[str, Any]:
    """Return an item as it was, without what lies below it."""
    meta = {"start_date": _java_date(item.modified), "history_user": item.modified_by}
    tree = Tree(type_of_item(item), {**item.data, **system_values(call.ctx, item)}, {}, meta)
    found = to_json(tree)
    found["meta"]["isHistory"] = True
    return found
