"""Study protocols of a project: the definitions of its custom variables, kept and shown as they were sent."""

from __future__ import annotations

from typing import Any

from lxml import etree

from lethe.archive.problem import Problem

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TYPES = {
    "studyProtocol": "xnat:datatypeProtocol",
    "definition": "xnat:fieldDefinitionGroup",
    "field": "xnat:fieldDefinitionGroup_field",
    "possibleValue": "xnat:fieldDefinitionGroup_field_possibleValue",
}
_MOST = 200_000
_DATATYPES = frozenset({"string", "integer", "float", "boolean", "date", ""})


def found_in(root: etree._Element) -> dict[str, str]:
    """Return the protocols of a project's document as XML, by their ID.

    Raises
    ------
    Problem
        422 for a protocol without ID, too large, or with a field of an unknown datatype.
    """
    found: dict[str, str] = {}
    for element in root.findall("{*}studyProtocol"):
        text = etree.tostring(element, encoding="unicode", with_tail=False)
        if not element.get("ID") or len(text) > _MOST:
            raise Problem(422, "A study protocol needs an ID and less than 200,000 characters.")
        for field in element.iter("{*}field"):
            if not field.get("name") or field.get("datatype", "") not in _DATATYPES:
                raise Problem(
                    422, "A variable has a name, and a datatype string, integer, float, boolean or date."
                )
        found[str(element.get("ID"))] = text
    return found


def as_json(text: str) -> dict[str, Any]:
    """Return a kept protocol as the JSON of an item."""
    return _item(etree.fromstring(text.encode()))


def _item(element: etree._Element) -> dict[str, Any]:
    name = etree.QName(element).localname
    fields: dict[str, Any] = {
        str(key): str(value) for key, value in element.attrib.items() if not str(key).startswith("{")
    }
    if element.text and element.text.strip():
        fields[name] = element.text.strip()
    children = []
    for wrapper in element:
        path = etree.QName(wrapper).localname
        items = [_item(child) for child in wrapper]
        if items:
            children.append({"field": f"{path}/{etree.QName(wrapper[0]).localname}", "items": items})
        elif wrapper.text and wrapper.text.strip():
            fields[path] = wrapper.text.strip()
    meta = {"isHistory": False, "xsi:type": element.get(_XSI) or _TYPES.get(name, f"xnat:{name}")}
    return {"children": children, "meta": meta, "data_fields": fields}
