"""What an address with ``resources`` or ``files`` means: owners, resource, path."""

from __future__ import annotations

from dataclasses import dataclass

from lethe.archive import access, content, items
from lethe.archive.model import EXPERIMENT, Item, Resource
from lethe.archive.problem import Problem
from lethe.archive.web.address import Address, Place, resolve, selected_scans
from lethe.archive.web.request import Call
from lethe.governance.roles import Right


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


def resources_of(call: Call, found: Target) -> list[tuple[Item, Resource]]:
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


def one_resource(call: Call, found: Target) -> tuple[Item, Resource]:
    """Return the one resource meant, with its owner; 404 if there is none."""
    pairs = resources_of(call, found)
    if not pairs:
        raise Problem(404, "Unable to find the specified catalog.")
    return pairs[0]


def writable(call: Call, found: Target) -> Item:
    """Return the item to write to; 403 without the right."""
    owner = found.owners[0]
    access.require(call.ctx, call.user, owner, Right.EDIT)
    return owner


def described(call: Call) -> dict[str, str]:
    """Return what the query says of a resource or file: format, content, tags, description."""
    return {
        "format": call.query.get("format", ""),
        "content": call.query.get("content", ""),
        "tags": ",".join(call.query.getlist("tags")),
        "description": call.query.get("description", ""),
    }
