"""Resources of the tree: list, catalogue, make, delete."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

from starlette.datastructures import QueryParams
from starlette.responses import Response

from lethe.archive import access, changes, content, digests, workflows
from lethe.archive.model import Resource
from lethe.archive.names import check_resource_label
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.address import Address
from lethe.archive.web.request import Call
from lethe.archive.web.target import Target, described, one_resource, resources_of, target, writable
from lethe.governance.roles import Right


def list_resources(call: Call, found: Target) -> Response:
    """Answer ``GET .../resources``."""
    columns = ["xnat_abstractresource_id", "label", "element_name", "category", "cat_id", "cat_desc",
               "file_count", "file_size", "tags", "content", "format"]  # fmt: skip
    rows = []
    for owner, resource in resources_of(call, found):
        count, size = content.statistics(call.ctx, resource)
        below = owner.kind in {"scan", "assessor", "reconstruction"}
        rows.append(
            {
                "xnat_abstractresource_id": resource.pk,
                "label": resource.label,
                "element_name": "xnat:resourceCatalog",
                "category": f"{owner.kind}s" if below else "resources",
                "cat_id": owner.id if below else "",
                "cat_desc": owner.data.get("type", "") if owner.kind == "scan" else "",
                "file_count": count,
                "file_size": size,
                "tags": resource.tags,
                "content": resource.content,
                "format": resource.format,
            }
        )
    return answers.table(answers.Table(columns, rows), call.format)


def catalog(call: Call, resource: Resource) -> bytes:
    """Return the catalogue XML of a resource."""
    kind = "DCMCatalog" if resource.format == "DICOM" or resource.label == "DICOM" else "Catalog"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<cat:{kind} ID="{resource.pk}" xmlns:cat="http://nrg.wustl.edu/catalog">',
        "<cat:entries>",
    ]
    for entry in digests.settled(call.ctx, content.list_files(call.ctx, resource)):
        created = datetime.fromtimestamp(entry.created, UTC)
        pairs = {
            "ID": entry.path, "URI": entry.path, "name": entry.path.rsplit("/", 1)[-1],
            "format": entry.format,
            "content": entry.content, "digest": entry.md5, "createdBy": entry.created_by,
            "createdTime": f"{created:%Y-%m-%dT%H:%M:%S}",
        }  # fmt: skip
        attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in pairs.items() if value)
        lines.append(
            f'<cat:entry {attributes}><cat:metaFields><cat:metaField name="SIZE">{entry.size}</cat:metaField>'
            "</cat:metaFields></cat:entry>"
        )
    lines += ["</cat:entries>", f"</cat:{kind}>", ""]
    return "\n".join(lines).encode()


def put_resource(call: Call, address: Address) -> Response:
    """Answer ``PUT .../resources/R``: 200, or 409 when it is there."""
    found = target(call, address)
    if not found.resource or found.files:
        raise Problem(400, "Name the resource.")
    owner = writable(call, found)
    check_resource_label(found.resource)
    with call.ctx.store.write():
        resource, made = content.ensure_resource(
            call.ctx, owner, found.resource, login=call.login, variant=found.variant, **described(call)
        )
        if not made:
            raise Problem(409, "Specified resource already exists.")
        changes.tell_resource(call.ctx, owner, resource, "CREATED", call.login)
        workflows.audit_item(call.ctx, owner, "Created resource", login=call.login)
    return answers.text("")


def post_resource(call: Call, address: Address) -> Response:
    """Answer ``POST .../resources`` with a form that holds ``xnat:resourceCatalog/label``."""
    said = {name.removeprefix("xnat:resourceCatalog/"): value for name, value in call.values()}
    call.query = QueryParams({**said, "tags": said.get("tags/tag", said.get("tags", ""))})
    address.tail = [*address.tail[:1], said.get("label", "")]
    return put_resource(call, address)


def delete_resource(call: Call, found: Target) -> Response:
    """Answer ``DELETE .../resources/R``."""
    owner, resource = one_resource(call, found)
    access.require(call.ctx, call.user, owner, Right.DELETE)
    content.delete_resource(call.ctx, resource)
    workflows.audit_item(call.ctx, owner, "Removed resource", login=call.login)
    return answers.text("")
