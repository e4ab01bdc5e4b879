"""Resources and files of the tree: catalogues, lists, downloads, uploads, deletion."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote
from xml.sax.saxutils import quoteattr

from starlette.responses import FileResponse, Response

from lethe.archive import access, content, items, workflows
from lethe.archive.content import Incoming
from lethe.archive.intake import unpack
from lethe.archive.model import EXPERIMENT, FileEntry, Item, Resource
from lethe.archive.names import check_file_path, check_resource_label
from lethe.archive.problem import Problem
from lethe.archive.web import answers, zips
from lethe.archive.web.address import Address, Place, resolve, selected_scans
from lethe.archive.web.columns import matcher
from lethe.archive.web.request import Call
from lethe.archive.web.upload import Received, Upload
from lethe.errors import Refused
from lethe.governance.roles import Right

_NO_FILE = "Unable to find catalog entry for given uri."
_PACKED = (".zip", ".tar", ".tgz", ".tar.gz")


@dataclass(frozen=True, slots=True)
class Target:
    """What an address with ``resources`` or ``files`` means.

    `owners` are the items (several for a scan selector), `variant` is ``in`` or ``out`` of an assessor,
    `resource` the label or number asked for (empty for all), `files` whether files are meant, `path` the
    file path (empty for all).
    """

    place: Place
    owners: tuple[Item, ...]
    variant: str
    resource: str
    files: bool
    path: str


def target(call: Call, address: Address) -> Target:
    """Resolve the items of an address that ends in resources or files."""
    steps, tail = address.steps, list(address.tail)
    if steps[-1][0] == "scans":
        above = resolve(call, steps[:-1])
        owners = tuple(selected_scans(call, above.item, steps[-1][1]))
        if not owners:
            raise Problem(404, "Unable to find the specified scan.")
        place = Place(above.project, (*above.items, owners[0]))
    else:
        place = resolve(call, steps)
        owners = (place.item,)
        access.require(call.ctx, call.user, place.item, Right.READ)
    variant = tail.pop(0) if tail[0] in {"in", "out"} else ""
    resource = ""
    if tail[0] == "resources":
        resource, tail = (tail[1] if len(tail) > 1 else ""), tail[2:]
    files = bool(tail) and tail[0] == "files"
    if tail and not files:
        raise Problem(404, "There is nothing at this address.")
    return Target(place, owners, variant, resource, files, "/".join(tail[1:]))


def _owners(call: Call, found: Target) -> list[Item]:
    """Return the items whose resources are meant: with ``all=true`` those below a session, too."""
    owners = list(found.owners)
    if call.flag("all") and owners[0].kind == EXPERIMENT:
        for kind in ("scan", "assessor", "reconstruction"):
            owners += items.children(call.ctx, owners[0], kind)
    return owners


def _resources(call: Call, found: Target) -> list[tuple[Item, Resource]]:
    """Return the resources meant, with their owners; `found.resource` may be a comma list."""
    pairs = []
    wanted = set(found.resource.split(",")) if found.resource else set()
    for owner in _owners(call, found):
        for resource in content.list_resources(call.ctx, [owner]):
            if found.variant and resource.variant != found.variant:
                continue
            if not wanted or wanted & {resource.label, str(resource.pk)}:
                pairs.append((owner, resource))
    return pairs


def _one(call: Call, found: Target) -> tuple[Item, Resource]:
    pairs = _resources(call, found)
    if not pairs:
        raise Problem(404, "Unable to find the specified catalog.")
    return pairs[0]


# ---- resources ----------------------------------------------------------------------------------


def serve(call: Call, address: Address) -> Response:
    """Answer GET, HEAD and DELETE of resources and files (uploads come through `store`)."""
    found = target(call, address)
    if found.files:
        if call.method == "DELETE":
            return _delete_files(call, found)
        return _get_files(call, found)
    if call.method == "DELETE":
        return _delete_resource(call, found)
    if not found.resource:
        if call.format == "zip":
            return _zip(call, found, _resources(call, found), "")
        return _list_resources(call, found)
    owner, resource = _one(call, found)
    if call.format == "zip":
        return _zip(call, found, [(owner, resource)], "")
    return Response(catalog(call, resource), media_type="text/xml")


def _list_resources(call: Call, found: Target) -> Response:
    columns = ["xnat_abstractresource_id", "label", "element_name", "category", "cat_id", "cat_desc",
               "file_count", "file_size", "tags", "content", "format"]  # fmt: skip
    rows = []
    for owner, resource in _resources(call, found):
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
        f'<cat:{kind} ID="{resource.pk}" xmlns:cat="http://nrg.wustl.edu/catalog" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">',
        "<cat:entries>",
    ]
    for entry in content.list_files(call.ctx, resource):
        created = datetime.fromtimestamp(entry.created, UTC)
        pairs = {
            "ID": entry.path, "URI": entry.path, "name": entry.path.rsplit("/", 1)[-1], "format": entry.format,
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
    owner = _writable(call, found)
    check_resource_label(found.resource)
    _, made = content.ensure_resource(
        call.ctx, owner, found.resource, login=call.login, variant=found.variant, **_described(call)
    )
    if not made:
        raise Problem(409, "Specified resource already exists.")
    return answers.text("")


def post_resource(call: Call, address: Address) -> Response:
    """Answer ``POST .../resources`` with a form that holds ``xnat:resourceCatalog/label``."""
    names = ("xnat:resourceCatalog/label", "label")
    label = next(
        (call.form.get(n) or call.query.get(n) for n in names if call.form.get(n) or call.query.get(n)), ""
    )
    address.tail = [*address.tail[:1], str(label)]
    return put_resource(call, address)


def _described(call: Call) -> dict[str, str]:
    return {
        "format": call.query.get("format", ""),
        "content": call.query.get("content", ""),
        "tags": ",".join(call.query.getlist("tags")),
        "description": call.query.get("description", ""),
    }


def _writable(call: Call, found: Target) -> Item:
    owner = found.owners[0]
    access.require(call.ctx, call.user, owner, Right.EDIT)
    return owner


def _delete_resource(call: Call, found: Target) -> Response:
    owner, resource = _one(call, found)
    access.require(call.ctx, call.user, owner, Right.DELETE)
    content.delete_resource(call.ctx, resource)
    workflows.audit(
        call.ctx,
        owner.id,
        "Removed resource",
        login=call.login,
        data_type=owner.xsi_type,
        project=owner.project,
    )
    return answers.text("")


# ---- files: read --------------------------------------------------------------------------------


def _get_files(call: Call, found: Target) -> Response:
    if found.path and not call.folder and not found.path.endswith("*"):
        single = _find(call, found)
        if single is not None:
            return _send(single[1], call, single[2])
        if not _entries(call, found):
            return _missing(call)
    pairs = _resources(call, found)
    if found.resource and not pairs:
        raise Problem(404, "Unable to find the specified catalog.")
    if call.format in {"zip", "tar", "tar.gz"}:
        if call.format != "zip":
            raise Problem(400, "Downloads of many files come as zip.")
        return _zip(call, found, pairs, found.path)
    return _list_files(call, found)


def _missing(call: Call) -> Response:
    if call.flag("accept-not-found"):
        return Response(status_code=204)
    raise Problem(404, _NO_FILE)


def _find(call: Call, found: Target) -> tuple[Item, Resource, FileEntry] | None:
    """Find one file; a path that is still percent-encoded is decoded a second time, as XNAT does."""
    for path in dict.fromkeys((found.path, unquote(found.path))):
        for owner, resource in _resources(call, found):
            entry = content.find_file(call.ctx, resource, path)
            if entry is not None:
                return owner, resource, entry
    return None


def _send(resource: Resource, call: Call, entry: FileEntry) -> Response:
    path = content.file_path(call.ctx, resource, entry)
    name = entry.path.rsplit("/", 1)[-1]
    guessed, packing = mimetypes.guess_type(name)
    kind = guessed if guessed and not packing else "application/octet-stream"
    if kind in {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml"}:
        kind = "application/octet-stream"  # nothing that a browser would run in our origin
    inline = kind.startswith("image/")
    return FileResponse(
        path, media_type=kind, filename=name, content_disposition_type="inline" if inline else "attachment"
    )


def _entries(call: Call, found: Target) -> list[tuple[Item, Resource, FileEntry]]:
    """Return the files below the path of an address that pass the filters of the query."""
    prefix, wild = found.path.rstrip("/"), False
    if prefix.endswith("*"):
        prefix, wild = prefix[:-1], True
    rows = []
    for owner, resource in _resources(call, found):
        for entry in content.list_files(call.ctx, resource):
            if not prefix or entry.path.startswith(prefix if wild else prefix + "/"):
                rows.append((owner, resource, entry))
    if not call.flag("recursive") and "recursive" in call.query:
        depth = len(prefix.split("/")) + 1 if prefix else 1
        rows = [row for row in rows if len(row[2].path.split("/")) <= depth]
    for name, read in (("file_content", 0), ("file_format", 1), ("collection", 2)):
        wanted = call.query.get(name)
        if wanted:
            tests = [matcher(part) for part in wanted.split(",")]
            rows = [r for r in rows if any(t(_shown(r)[read]) for t in tests)]
    index = call.query.get("index", "")
    return rows[int(index) : int(index) + 1] if index.isdecimal() and len(index) < 9 else rows


def _shown(row: tuple[Item, Resource, FileEntry]) -> tuple[str, str, str]:
    _, resource, entry = row
    return entry.content or resource.content, entry.format or resource.format, resource.label


def _list_files(call: Call, found: Target) -> Response:
    columns = [
        "Name",
        "Size",
        "URI",
        "collection",
        "file_tags",
        "file_format",
        "file_content",
        "cat_ID",
        "digest",
    ]
    digests = call.ctx.settings.get("checksums")
    rows = []
    for owner, resource, entry in _entries(call, found):
        file_content, file_format, label = _shown((owner, resource, entry))
        rows.append(
            {
                "Name": entry.path.rsplit("/", 1)[-1],
                "Size": entry.size,
                "URI": _uri(call, found, owner, resource, entry),
                "collection": label,
                "file_tags": entry.tags or resource.tags,
                "file_format": file_format,
                "file_content": file_content,
                "cat_ID": resource.pk,
                "digest": entry.md5 if digests else "",
            }
        )
    return answers.table(answers.Table(columns, rows, show_columns=True), call.format)


def _uri(call: Call, found: Target, owner: Item, resource: Resource, entry: FileEntry) -> str:
    locator = call.query.get("locator", "")
    path = content.resource_folder(call.ctx, resource) / entry.path
    if locator == "absolutePath" and call.user.is_admin:
        return str(path)
    if locator in {"projectPath", "absolutePath"}:
        return str(path.relative_to(call.ctx.store.root / "archive" / owner.project))
    return f"{base_uri(call, found.place, owner)}/resources/{resource.pk}/files/{quote(entry.path)}"


def base_uri(call: Call, place: Place, owner: Item) -> str:
    """Return the address of an item in file lists; project and subject stay if both were given."""
    projects = [item for item in place.items if item.kind in {"project", "subject"}]
    prefix = "/data"
    if len(projects) == 2 and owner.kind != "project":
        subject = projects[1]
        prefix = f"/data/projects/{quote(projects[0].id, safe='')}/subjects/{quote(subject.id, safe='')}"
        if owner.kind == "subject":
            return prefix
    match owner.kind:
        case "project":
            return f"/data/projects/{quote(owner.id, safe='')}"
        case "subject":
            scope = f"/projects/{quote(place.scope, safe='')}" if place.scope else ""
            return f"/data{scope}/subjects/{quote(owner.id, safe='')}"
        case "experiment":
            return f"{prefix}/experiments/{quote(owner.id, safe='')}"
    session = items.by_pk(call.ctx, owner.parent or 0)
    return f"{prefix}/experiments/{quote(session.id, safe='')}/{owner.kind}s/{quote(owner.id, safe='')}"


def _zip(call: Call, found: Target, pairs: Sequence[tuple[Item, Resource]], path: str) -> Response:
    structure = call.query.get("structure", "")
    if structure not in {"", "simplified", "improved"}:
        raise Problem(400, "The structure is simplified or improved.")
    level = call.query.get("compression", "")
    wanted = _entries(call, found) if found.files else [
        (owner, resource, entry) for owner, resource in pairs for entry in content.list_files(call.ctx, resource)
    ]  # fmt: skip
    members = [
        zips.Member(zips.member_name(call.ctx, owner, resource, entry.path, structure), resource, entry)
        for owner, resource, entry in wanted
    ]
    if not members:
        if call.flag("accept-not-found"):
            return Response(status_code=204)
        raise Problem(404, "There is no file to download.")
    above = found.place.items[-2] if found.place.item.kind == "scan" else found.place.item
    return zips.response(
        call.ctx,
        members,
        zips.clean(above.label),
        int(level) if level.isdecimal() and len(level) == 1 else None,
    )


# ---- files: write -------------------------------------------------------------------------------


def prepare(call: Call, address: Address) -> Target:
    """Check the address and the rights of an upload before its body is read."""
    found = target(call, address)
    owner = _writable(call, found)
    if not found.resource and found.files:
        _default_resource(call, owner, found)
    if found.path:
        check_file_path(found.path)
    return found


def _default_resource(call: Call, owner: Item, found: Target) -> str:
    """Return the one resource an upload without a resource name goes to; 400 if that is not clear."""
    resources = content.list_resources(call.ctx, [owner])
    if len(resources) != 1:
        raise Problem(400, "Name the resource to upload to.")
    return resources[0].label


def store(call: Call, found: Target, upload: Upload) -> Response:
    """Put received files into the resource: 200 and no text, or ``{"duplicates": [...]}``."""
    owner = _writable(call, found)
    if not upload.files:
        raise Problem(400, "The upload is empty.")
    label = found.resource or _default_resource(call, owner, found)
    existing = content.find_resource(call.ctx, owner, label, found.variant)
    if existing is None:
        check_resource_label(label)
    incoming = _incoming(call, found, upload)
    with call.ctx.store.write():
        resource, _ = content.ensure_resource(
            call.ctx, owner, label, login=call.login, variant=found.variant,
            format=call.query.get("format", ""), content=call.query.get("content", ""),
        )  # fmt: skip
        duplicates = content.add_files(
            call.ctx, resource, incoming, login=call.login, overwrite=call.flag("overwrite")
        )
        if not duplicates:
            workflows.audit(
                call.ctx,
                owner.id,
                "Uploaded file",
                login=call.login,
                data_type=owner.xsi_type,
                project=owner.project,
            )
    if duplicates:
        return answers.as_json({"duplicates": duplicates})
    return answers.text("")


def _incoming(call: Call, found: Target, upload: Upload) -> list[Incoming]:
    ready: list[Incoming] = []
    try:
        for one in upload.files:
            name = found.path or one.name.replace("\\", "/").rsplit("/", 1)[-1]
            if (call.flag("extract") and name.lower().endswith(_PACKED)) or (
                call.flag("extract") and not name
            ):
                ready += _extracted(call, found, one, name)
            else:
                ready.append(_described_file(call, check_file_path(_required(name)), one))
    except BaseException:
        for made in ready:
            made.temporary.unlink(missing_ok=True)
        raise
    return ready


def _required(name: str) -> str:
    if not name:
        raise Problem(400, "Name the file.")
    return name


def _described_file(call: Call, path: str, one: Received) -> Incoming:
    described = _described(call)
    return Incoming(path, one.path, one.size, one.md5, **described)


def _extracted(call: Call, found: Target, one: Received, name: str) -> list[Incoming]:
    """Return the members of an uploaded archive as files beside where it would have gone."""
    folder = name.rsplit("/", 1)[0] + "/" if "/" in name else ""
    ready: list[Incoming] = []
    try:
        for member in unpack.members(one.path):
            path = check_file_path(folder + member.name)
            temporary, size, md5 = content.receive(call.ctx, member.stream)  # type: ignore[arg-type]
            ready.append(_described_file(call, path, Received(path, temporary, size, md5)))
    except Refused as refused:
        for made in ready:
            made.temporary.unlink(missing_ok=True)
        raise Problem(400, refused.sentence) from None
    return ready


def _delete_files(call: Call, found: Target) -> Response:
    if not found.path:
        raise Problem(400, "Name the file.")
    access.require(call.ctx, call.user, found.owners[0], Right.DELETE)
    single = None if call.folder else _find(call, found)
    rows = [single] if single is not None else _entries(call, found)
    if not rows:
        raise Problem(404, _NO_FILE)
    with call.ctx.store.write():
        for _, resource, entry in rows:
            content.delete_files(call.ctx, resource, [entry])
        owner = found.owners[0]
        workflows.audit(
            call.ctx,
            owner.id,
            "Deleted file",
            login=call.login,
            data_type=owner.xsi_type,
            project=owner.project,
        )
    return answers.text("")
