"""The tables of plugin/README.md, from the records and from the pages that are there."""

from __future__ import annotations

import re

from lethe.clinical.record import Element, Kind
from lethe.plugin.types import DataType, data_types

_MARK = "<!-- generated: {} -->"
_BLOCK = re.compile(r"<!-- generated: (?P<name>\w+) -->.*?<!-- end -->", re.DOTALL)


def tables_into(text: str) -> str:
    """Return the README with its generated tables up to date.

    A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
    """
    tables = _tables()

    def fresh(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{_MARK.format(name)}\n{tables[name]}\n<!-- end -->" if name in tables else match[0]

    return _BLOCK.sub(fresh, text)


def _tables() -> dict[str, str]:
    return {"types": _types(), **{f"{one.record.element}": _elements(one) for one in data_types()}}


def _types() -> str:
    rows = ["| type | singular | code | belongs to | elements | Java class |", "|---|---|---|---|---|---|"]
    for one in data_types():
        owner = "session (image assessor)" if one.of_images else "subject (subject assessor)"
        count = len(one.record.elements)
        cells = (f"`{one.name}`", one.singular, one.code, owner, str(count), f"`{one.class_name}`")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _elements(one: DataType) -> str:
    rows = ["| element | label | allowed | released | needed for |", "|---|---|---|---|---|"]
    for element in one.record.elements.values():
        released = element.publish if element.scramble == "no" else f"{element.publish}, scrambled"
        cells = (f"`{element.name}`", element.label, _allowed(element), released, element.required_for)
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _allowed(one: Element) -> str:
    unit = f" {one.unit}" if one.unit and not one.unit.startswith("{") and one.unit != "1" else ""
    if one.kind in (Kind.CODE, Kind.ANSWER):
        return ", ".join(one.codes)
    if one.kind is Kind.TEXT:
        return f"text, at most {one.length}"
    if one.kind is Kind.MOMENT:
        return "date and time"
    low, high = ("" if limit is None else str(limit) for limit in (one.minimum, one.maximum))
    return f"{low} to {high}{unit}" if high else f"from {low}{unit}"
