"""Data types of the plugin in the notation of the type table, from the one dictionary."""

from __future__ import annotations

from lethe.clinical.record import Element, Kind
from lethe.plugin.types import data_types

_TYPES = {Kind.INTEGER: "integer", Kind.DECIMAL: "float", Kind.MOMENT: "dateTime"}


def _member(one: Element) -> str:
    if one.kind in (Kind.CODE, Kind.ANSWER):
        return f"{one.name}:enum({'|'.join(one.codes)})"
    if one.kind is Kind.TEXT:
        return f"{one.name}:string(..{one.length})"
    low, high = ("" if limit is None else str(limit) for limit in (one.minimum, one.maximum))
    return f"{one.name}:{_TYPES[one.kind]}" + (f"({low}..{high})" if low or high else "")


TABLE = tuple(
    (one.name, one.base, one.root, " ".join(_member(element) for element in one.record.elements.values()))
    for one in data_types()
)
"""Rows of the type table: name, base, root element, own members."""
