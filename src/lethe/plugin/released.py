"""What the last release declared: names and types may be added, never renamed, retyped or narrowed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lethe.errors import Misconfigured
from lethe.plugin.fault import Fault
from lethe.plugin.rules.schemas import Column, Model

_PLACE = "schemas/lethe/lethe.xsd"
_FIX = "Leave it as it was and add a new element beside it: sites have data in the old column."


def record_of(model: Model, version: str) -> dict[str, Any]:
    """Return what a release declares, as JSON values."""
    types = {
        kind: {
            "base": model.bases[kind],
            "columns": {name: {"type": one.type, **one.facets} for name, one in columns.items()},
        }
        for kind, columns in model.columns.items()
    }
    return {"version": version, "types": types}


def read_record(path: Path) -> dict[str, Any]:
    """Read the record of the last release.

    Raises
    ------
    Misconfigured
        It is absent or not a record.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        types = {kind: dict(one["columns"]) for kind, one in raw["types"].items()}
    except FileNotFoundError:
        raise Misconfigured("released", "The record of the last release is not there.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise Misconfigured("released", "The record of the last release cannot be read.") from None
    return {**raw, "types": {kind: {**raw["types"][kind], "columns": types[kind]} for kind in types}}


def released_faults(model: Model, released: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what the model takes away from the last release."""
    for kind, was in released["types"].items():
        if kind not in model.columns:
            yield Fault("released-type", _PLACE, f"Type {kind} was released and is gone.", _FIX)
            continue
        if model.bases[kind] != was["base"]:
            yield Fault("released-type", _PLACE, f"Type {kind} has another base than before.", _FIX)
        for name, column in was["columns"].items():
            now = model.columns[kind].get(name)
            if now is None:
                yield Fault("released-name", _PLACE, f"{kind}/{name} was released and is gone.", _FIX)
            elif now.type != column["type"]:
                yield Fault("released-name", _PLACE, f"{kind}/{name} has another type than before.", _FIX)
            elif narrowed(column, now):
                yield Fault("released-name", _PLACE, f"{kind}/{name} allows less than before.", _FIX)


def narrowed(was: Mapping[str, Any], now: Column) -> bool:
    """Return whether a value that was allowed is refused now."""
    codes = now.facets.get("enumeration")
    if codes is not None and not set(was.get("enumeration", [None])) <= set(codes):
        return True
    for facet, sign in (("minInclusive", 1), ("maxInclusive", -1), ("maxLength", -1)):
        if facet in now.facets and (
            facet not in was or sign * float(now.facets[facet][0]) > sign * float(was[facet][0])
        ):
            return True
    return False
