"""Items that come inside the XML of another: scans and assessors of a session, experiments of a subject."""

from __future__ import annotations

from lxml import etree

from lethe.archive import access, changes, items, workflows
from lethe.archive.model import ASSESSOR, EXPERIMENT, RECONSTRUCTION, SCAN, SUBJECT, Item
from lethe.archive.problem import Problem
from lethe.archive.types import xml
from lethe.archive.types.table import TYPES, XsiType, is_a
from lethe.archive.web.documents import type_of_item
from lethe.archive.web.fields import Wish, from_xml
from lethe.archive.web.request import Call
from lethe.governance.roles import Right

ANCESTOR = {EXPERIMENT: "xnat:experimentData", SCAN: "xnat:imageScanData", ASSESSOR: "xnat:derivedData",
            RECONSTRUCTION: "xnat:reconstructedImageData"}  # fmt: skip
"""The type that those of a kind of item are derived from."""
WORD = {SUBJECT: "Subject", EXPERIMENT: "Experiment", SCAN: "Scan", ASSESSOR: "Assessor",
        RECONSTRUCTION: "Reconstruction"}  # fmt: skip
"""How a kind of item is called in its history."""

_BELOW = {
    SUBJECT: (("experiments", "experiment", EXPERIMENT),),
    EXPERIMENT: (("scans", "scan", SCAN), ("reconstructions", "reconstructedImage", RECONSTRUCTION),
                 ("assessors", "assessor", ASSESSOR)),
}  # fmt: skip


def store_below(call: Call, above: Item, element: etree._Element) -> None:
    """Make or merge the items inside of an item's XML; what the XML does not name stays."""
    for wrapper, name, kind in _BELOW.get(above.kind, ()):
        for child in element.findall(f"{{*}}{wrapper}/{{*}}{name}"):
            wanted = from_xml(
                xml.read_element(child, _likely(above, kind)), replace=call.flag("allowDataDeletion")
            )
            item, made = _ensure(call, above, kind, wanted)
            access.require(call.ctx, call.user, item, Right.EDIT)
            data = wanted.apply(kind, type_of_item(item), item.data)
            if data != item.data:
                items.set_data(call.ctx, item, data, login=call.login)
            if made:
                workflows.audit_item(call.ctx, item, f"Added {WORD[kind]}", login=call.login)
                changes.tell(call.ctx, item, "CREATED", call.login)
            store_below(call, item, child)


def _likely(above: Item, kind: str) -> XsiType | None:
    """Return the type of a child that does not say its own: scans are of the kind of their session."""
    if kind == RECONSTRUCTION:
        return TYPES[ANCESTOR[RECONSTRUCTION]]
    return TYPES.get(above.xsi_type.replace("SessionData", "ScanData")) if kind == SCAN else None


def _ensure(call: Call, above: Item, kind: str, wanted: Wish) -> tuple[Item, bool]:
    number, label = wanted.system.get("ID", ""), wanted.system.get("label", "")
    siblings = items.children(call.ctx, above, kind)
    found = [one for one in siblings if number and one.id == number] or [
        one for one in siblings if label and one.label == label
    ]
    if found:
        return found[0], False
    if wanted.type is None or not is_a(wanted.type.name, ANCESTOR[kind]):
        raise Problem(422, f"A {WORD[kind].lower()} of the content has no fitting data type.")
    if kind in {SCAN, RECONSTRUCTION}:
        if not number:
            raise Problem(422, f"A {WORD[kind].lower()} of the content has no ID.")
        return items.ensure_scan(call.ctx, above, number, wanted.type.name, login=call.login, kind=kind)
    if number and items.find_experiment(call.ctx, number) is not None:
        raise Problem(409, "The ID of the content is already in use.")
    if not label:
        raise Problem(422, f"A {WORD[kind].lower()} of the content has no label.")
    if kind == ASSESSOR:
        return items.ensure_assessor(call.ctx, above, label, wanted.type.name, login=call.login)
    if items.find_experiment(call.ctx, label, above.project) is not None:
        raise Problem(409, "Specified label is already in use.")
    return items.ensure_experiment(call.ctx, above.project, above, label, wanted.type.name, login=call.login)
