"""Uploads: check first, receive, unpack if asked, store."""

from __future__ import annotations

from starlette.responses import Response

from lethe.archive import changes, content, digests, items, workflows
from lethe.archive.content import Incoming
from lethe.archive.intake import intake_of, unpack
from lethe.archive.intake.images import check_upload, holds_images, require_unchanged
from lethe.archive.model import Item
from lethe.archive.names import check_file_path, check_resource_label
from lethe.archive.problem import Problem
from lethe.archive.web import answers
from lethe.archive.web.address import Address
from lethe.archive.web.request import Call
from lethe.archive.web.target import Target, described, target, writable
from lethe.archive.web.upload import Received, Upload
from lethe.errors import Refused

_PACKED = (".zip", ".tar", ".tgz", ".tar.gz")


def prepare(call: Call, address: Address) -> Target:
    """Check the address and the rights of an upload before its body is read."""
    found = target(call, address)
    owner = writable(call, found)
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
    owner = writable(call, found)
    if not upload.files:
        raise Problem(400, "The upload is empty.")
    label = found.resource or _default_resource(call, owner, found)
    existing = content.find_resource(call.ctx, owner, label, found.variant)
    if existing is None:
        check_resource_label(label)
    incoming = _incoming(call, found, upload)
    try:
        images = existing is not None and holds_images(existing.label, existing.format, existing.content)
        check_upload(
            intake_of(call.ctx).net,
            owner.project,
            incoming,
            images=images or holds_images(label, call.query.get("format", ""), call.query.get("content", "")),
        )
        return _keep(call, found, owner, label, incoming)
    finally:
        content.discard(incoming)


def _keep(call: Call, found: Target, owner: Item, label: str, incoming: list[Incoming]) -> Response:
    with call.ctx.store.write():
        items.by_pk(call.ctx, owner.pk)  # 404 if it was deleted while the bytes came
        resource, made = content.ensure_resource(
            call.ctx, owner, label, login=call.login, variant=found.variant,
            format=call.query.get("format", ""), content=call.query.get("content", ""),
        )  # fmt: skip
        require_unchanged(call.ctx, call.user, owner, resource, incoming)
        duplicates = content.add_files(
            call.ctx, resource, incoming, login=call.login, overwrite=call.flag("overwrite")
        )
        if not duplicates:
            changes.tell_resource(call.ctx, owner, resource, "CREATED" if made else "UPDATED", call.login)
            workflows.audit_item(call.ctx, owner, "Uploaded file", login=call.login)
    if any(not one.md5 for one in incoming):
        digests.wake(call.ctx)
    if duplicates:
        return answers.as_json({"duplicates": duplicates})
    return answers.text("")


def _incoming(call: Call, found: Target, upload: Upload) -> list[Incoming]:
    ready: list[Incoming] = []
    try:
        for one in upload.files:
            name = one.name.replace("\\", "/").rsplit("/", 1)[-1]
            if found.path:
                name = f"{found.path}/{name}" if call.folder and name else found.path
            if (call.flag("extract") and name.lower().endswith(_PACKED)) or (
                call.flag("extract") and not name
            ):
                ready += _extracted(call, found, one, name)
            else:
                ready.append(_as_incoming(call, check_file_path(_required(name)), one))
    except BaseException:
        for made in ready:
            made.temporary.unlink(missing_ok=True)
        raise
    return ready


def _required(name: str) -> str:
    if not name:
        raise Problem(400, "Name the file.")
    return name


def _as_incoming(call: Call, path: str, one: Received) -> Incoming:
    return Incoming(path, one.path, one.size, one.md5, **described(call))


def _extracted(call: Call, found: Target, one: Received, name: str) -> list[Incoming]:
    """Return the members of an uploaded archive as files beside where it would have gone."""
    folder = name.rsplit("/", 1)[0] + "/" if "/" in name else ""
    ready: list[Incoming] = []
    try:
        for member in unpack.members(one.path):
            path = check_file_path(folder + member.name)
            temporary, size, md5 = content.receive(call.ctx, member.stream)  # type: ignore[arg-type]
            ready.append(_as_incoming(call, path, Received(path, temporary, size, md5)))
    except Refused as refused:
        for made in ready:
            made.temporary.unlink(missing_ok=True)
        raise Problem(400, refused.sentence) from None
    return ready
