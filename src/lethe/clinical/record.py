"""The record that people fill in on the archive's page: its elements, generated into every other form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from lethe.clinical.crosscheck import CrossCheck, read_checks
from lethe.clinical.dictionary import DROPPED, Dictionary, Role, Variable, read_yaml
from lethe.errors import Misconfigured

ANSWERS = MappingProxyType({"yes": "yes", "no": "no", "unknown": "unknown"})
"""Codes of type answer: a blank stays "not asked"."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?")
_INTEGER = re.compile(r"-?[0-9]+")
# `applies` is not shared: there it names variables of the table
_SHARED = ("label", "role", "unit", "minimum", "maximum", "codes", "resolution", "loinc", "snomed", "ceiling")
_DEFAULT_LENGTH = 255
_DERIVED = frozenset({"name", "group", "kind", "source", "released", "ceiling"})


class Kind(StrEnum):
    """What an element may hold."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    CODE = "code"
    ANSWER = "answer"
    TEXT = "text"
    MOMENT = "moment"


_KINDS = {"integer": Kind.INTEGER, "decimal": Kind.DECIMAL, "code": Kind.CODE, "boolean": Kind.ANSWER}


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a record.

    Attributes
    ----------
    name, label, group, hint : str
    kind : Kind
    role : Role
    unit, loinc, snomed : str
        As of `lethe.clinical.Variable`.
    minimum, maximum, resolution : Decimal or None
    codes : mapping of str to str
        Allowed texts (kinds code and answer) or labels of the values (integer).
    length : int
        Longest text.
    applies : mapping of str to tuple of str
        Element and its values with which this one can be filled.
    required_for : str
        ``inclusion``, ``publication`` or empty.
    released : bool
        Whether it may leave the archive.
    source : str
        The variable of the hospitals' table that means the same, or empty.
    ceiling : Decimal or None
        From this value on a label is released instead.
    """

    name: str
    label: str
    group: str
    kind: Kind
    role: Role
    unit: str = ""
    hint: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    resolution: Decimal | None = None
    codes: Mapping[str, str] = field(default_factory=dict)
    length: int = _DEFAULT_LENGTH
    applies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    required_for: str = ""
    released: bool = True
    source: str = ""
    loinc: str = ""
    snomed: str = ""
    ceiling: Decimal | None = None

    @property
    def scramble(self) -> str:
        """``no``, ``yes``, or ``bound`` where the scrambled number stays within the range."""
        if self.role is not Role.NUMERIC:
            return "no"
        return "bound" if self.minimum is not None and self.maximum is not None else "yes"

    @property
    def publish(self) -> str:
        """``no``, ``yes`` or ``top-code``."""
        if not self.released or self.role in DROPPED:
            return "no"
        return "top-code" if self.ceiling is not None else "yes"

    def fault(self, text: str) -> str:
        """Return what is wrong with a filled text, or an empty text; the value is not repeated."""
        if self.kind in (Kind.CODE, Kind.ANSWER):
            return "" if text in self.codes else "not one of the codes"
        if self.kind in (Kind.INTEGER, Kind.DECIMAL):
            form = _INTEGER if self.kind is Kind.INTEGER else _NUMBER
            if not form.fullmatch(text):
                return f"not a number of type {self.kind}"
            value = Decimal(text)
            low = self.minimum is not None and value < self.minimum
            high = self.maximum is not None and value > self.maximum
            return f"outside {self.minimum} to {self.maximum}" if low or high else ""
        return f"longer than {self.length} characters" if len(text) > self.length else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the element as JSON values; every key is always there."""
        return {
            "name": self.name,
            "group": self.group,
            "label": self.label,
            "unit": self.unit,
            "type": self.kind.value,
            "minimum": _plain(self.minimum),
            "maximum": _plain(self.maximum),
            "step": _plain(self.resolution),
            "codes": [{"value": code, "label": meaning} for code, meaning in self.codes.items()],
            "length": self.length if self.kind is Kind.TEXT else None,
            "role": self.role.value,
            "scramble": self.scramble,
            "publish": self.publish,
            "required_for": self.required_for or "none",
            "applies": {name: list(values) for name, values in self.applies.items()},
            "hint": self.hint,
            "table_variable": self.source,
            "loinc": self.loinc,
            "snomed": self.snomed,
        }


@dataclass(frozen=True, slots=True)
class Record:
    """A data type of records: its elements in the order of the form, and its cross-checks.

    Attributes
    ----------
    element : str
        Name of the data type without prefix (``clinicalData``).
    title, version : str
    groups : mapping of str to str
        Name and title.
    elements : mapping of str to Element
    checks : tuple of CrossCheck
    """

    element: str
    title: str
    version: str
    groups: Mapping[str, str]
    elements: Mapping[str, Element]
    checks: tuple[CrossCheck, ...]

    @classmethod
    def load(cls, path: Path | None = None, *, own_names: bool = False) -> Self:
        """Read the record of a dictionary file; without `path` the one for stroke.

        With `own_names` the file holds nothing but a record, whose elements come from no table.

        Raises
        ------
        Misconfigured
            The file is no dictionary, holds no record, or an element has no role or contradicts itself.
        """
        raw = read_yaml(path)
        return cls.parse(raw, None if own_names else Dictionary.parse(raw))

    @classmethod
    def parse(cls, raw: Any, dictionary: Dictionary | None = None) -> Self:
        """Build the record from the values of its file; raises like `load`."""
        try:
            own = raw["record"]
            name, title = str(own["element"]), str(own["title"])
            groups = {str(key): str(group["title"]) for key, group in own["groups"].items()}
            members = [
                (key, one) for key, group in own["groups"].items() for one in group["elements"].items()
            ]
        except (KeyError, TypeError, AttributeError):
            raise Misconfigured("record", "The dictionary holds no record with groups of elements.") from None
        variables = {} if dictionary is None else dictionary.variables
        elements: dict[str, Element] = {}
        for group, (element, values) in members:
            if element in elements:
                raise Misconfigured("record", f"Element {element!r} is there twice.")
            elements[element] = _element(str(element), group, values, variables)
        for one in elements.values():
            if not set(one.applies) <= set(elements):
                raise Misconfigured("record", f"Element {one.name!r} points at no element.")
        return cls(
            element=name,
            title=title,
            version=str(raw.get("version", "0")),
            groups=MappingProxyType(groups),
            elements=MappingProxyType(elements),
            checks=read_checks(own.get("checks", []), elements),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {
            "element": self.element,
            "title": self.title,
            "version": self.version,
            "groups": [{"name": name, "title": title} for name, title in self.groups.items()],
            "elements": [one.as_dict() for one in self.elements.values()],
            "checks": [check.as_dict() for check in self.checks],
        }


def _element(name: str, group: str, values: Any, variables: Mapping[str, Variable]) -> Element:
    known = {item.name for item in fields(Element)} - {
        "name",
        "group",
        "kind",
        "source",
        "released",
        "ceiling",
    }
    if not isinstance(values, dict) or not set(values) <= known | {"type", "from", "publish"}:
        raise Misconfigured("record", f"Element {name!r} has a key that is not known.")
    source = str(values.get("from", ""))
    if source and source not in variables:
        raise Misconfigured("record", f"Element {name!r} comes from no variable.")
    given = {key: value for key, value in values.items() if key in known}
    try:
        ready: dict[str, Any] = {key: _typed(key, value) for key, value in given.items()}
        kind = Kind(values["type"]) if "type" in values else None
    except (ValueError, InvalidOperation, AttributeError):
        raise Misconfigured("record", f"Element {name!r} has a value that is not allowed.") from None
    if source:
        variable = variables[source]
        kind = kind or _KINDS.get(variable.type.value)
        ready = {**{key: getattr(variable, key) for key in _SHARED}, **ready}
    if kind is None or "label" not in ready or "role" not in ready:
        raise Misconfigured(
            "record", f"Element {name!r} has no type, label or role.", remedy="Every element needs them."
        )
    if kind is Kind.ANSWER:
        ready["codes"] = ANSWERS
    if kind is Kind.CODE and not ready.get("codes"):
        raise Misconfigured("record", f"Element {name!r} of type code needs codes.")
    released = bool(values.get("publish", True))
    return Element(name=name, group=group, kind=kind, source=source, released=released, **ready)


def _typed(key: str, value: Any) -> Any:
    match key:
        case "role":
            return Role(value)
        case "minimum" | "maximum" | "resolution":
            return Decimal(str(value))
        case "length":
            return int(value)
        case "codes":
            return MappingProxyType({str(code): str(meaning) for code, meaning in value.items()})
        case "applies":
            return MappingProxyType({one: tuple(map(str, codes)) for one, codes in value.items()})
        case "required_for":
            if value not in ("inclusion", "publication"):
                raise ValueError(value)
    return str(value)


def _plain(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
