"""Writes to items: from query parameters, forms and XML to fields."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from lethe.archive.model import Data
from lethe.archive.problem import Problem
from lethe.archive.types import protocol, xml, xpath
from lethe.archive.types.table import XsiType, is_a, type_of
from lethe.archive.web.columns import RESERVED
from lethe.archive.web.request import Call

_SYSTEM = frozenset({"ID", "project", "label", "subject_ID", "image_session_ID", "imageSession_ID"})
_ROOTS = {"project": "xnat:projectData", "subject": "xnat:subjectData"}
_XML_TYPES = ("text/xml", "application/xml")


@dataclass(slots=True)
class Wish:
    """What a request wants of an item.

    `type` is the asked data type (None if not said), `system` holds ``ID``, ``label``, ``project`` and
    ``subject_ID`` where they were said, `changes` the other parameters in order, `document` the fields
    of an XML body (None without one), `replace` whether the document stands for everything, `protocols`
    the study protocols of a project's document, `element` the document itself.
    """

    type: XsiType | None = None
    system: dict[str, str] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    document: Data | None = None
    replace: bool = False
    protocols: dict[str, str] = field(default_factory=dict)
    element: etree._Element | None = None

    def apply(self, kind: str, xsi_type: XsiType, data: Data) -> Data:
        """Return the fields after the wish; unknown fields are passed over."""
        result: Data = {} if self.replace and self.document is not None else dict(data)
        for path, value in (self.document or {}).items():
            if isinstance(value, dict):
                result[path] = {**result.get(path, {}), **value}
            else:
                result[path] = value
        for name, value in self.changes:
            spot = xpath.find(kind, xsi_type, name)
            if spot is not None and spot.path not in _SYSTEM:
                xpath.put(result, spot, value)
        return result


def wish(call: Call, kind: str) -> Wish:
    """Read what a PUT or POST wants.

    Raises
    ------
    Problem
        422 for XML that does not parse, 400 for a bad value.
    """
    found = Wish(replace=call.flag("allowDataDeletion"))
    asked = call.query.get("xsiType") or call.form.get("xsiType")
    if asked:
        found.type = type_of(asked)
        if found.type is None:
            raise Problem(400, "The data type is not known here.")
    if _is_xml(call):
        root = xml.parse(call.body)
        found = from_xml(xml.read_element(root), replace=found.replace)
        found.element = root
        if kind == "project":
            found.protocols = protocol.found_in(root)
    if found.type is not None and not is_a(found.type.name, _ROOTS.get(kind, found.type.name)):
        raise Problem(400, "The data type does not fit the address.")
    for name, value in call.values():
        if name.lower() in _reserved(kind):
            continue
        prefix, path = xpath.split_type(name)
        if prefix is not None and found.type is None and "/" in name:
            found.type = prefix
        system = next((s for s in _SYSTEM if s.lower() == path.lower()), None)
        if system is not None:
            found.system[system] = value
        else:
            found.changes.append((name, value))
    return found


def from_xml(read: tuple[XsiType, Data], *, replace: bool) -> Wish:
    """Return what the XML of an item wants."""
    found = Wish(type=read[0], document=read[1], replace=replace)
    for name in _SYSTEM & set(read[1]):
        found.system[name] = str(read[1].pop(name))
    return found


def _reserved(kind: str) -> frozenset[str]:
    """Return parameters that are no fields; ``description`` is one of uploads, but a field of projects."""
    return (RESERVED | {"accessibility"}) - ({"description"} if kind == "project" else frozenset())


def _is_xml(call: Call) -> bool:
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not call.body.strip():
        return False
    return (
        kind in _XML_TYPES
        or call.query.get("req_format", "").lower() == "xml"
        or (call.flag("inbody") and call.query.get("req_format") != "qs")
    )
