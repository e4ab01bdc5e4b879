"""Field paths as clients write them (``xnat:subjectData/fields/field[name=mrs]/field``): find and set."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from lethe.archive.model import Data
from lethe.archive.problem import Problem
from lethe.archive.types.node import Node
from lethe.archive.types.table import XsiType, target_of, type_of

_SEGMENT = re.compile(r"(?P<name>[^/\[\]]+)(?:\[(?P<test>[^\]]*)\])?")
_TEST = re.compile(r"@?(?P<name>[\w:.-]+)\s*=\s*(?P<quote>['\"]?)(?P<value>.*)(?P=quote)\s*")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one value lives: `path`, and for a list the `key` of the entry and the `attribute` in it."""

    path: str
    node: Node
    key: str | None = None
    attribute: str = ""


def segments(path: str) -> list[tuple[str, str]]:
    """Split a path at slashes outside of brackets into names and the tests in brackets.

    Examples
    --------
    >>> segments("fields/field[name=a/b]/field")
    [('fields', ''), ('field', 'name=a/b'), ('field', '')]
    """
    return [(m["name"], m["test"] or "") for m in _SEGMENT.finditer(path)]


def split_type(path: str) -> tuple[XsiType | None, str]:
    """Split ``xnat:subjectData/note`` into its type (None if there is no prefix) and the path below."""
    head, _, rest = path.partition("/")
    name = head.partition("[")[0]
    return (type_of(name), rest) if ":" in name else (None, path)


def locate(xsi_type: XsiType, path: str) -> Spot | None:
    """Find where a path below a type lives; None for a field that the type does not have.

    Names compare whatever their letter case. ``[@xsi:type=...]`` tests are ignored.
    """
    return _walk(xsi_type.nodes, segments(path), "")


def _walk(nodes: tuple[Node, ...], rest: list[tuple[str, str]], prefix: str) -> Spot | None:
    if not rest:
        return None
    for node in nodes:
        words = node.path.lower().split("/")
        if [word.lower() for word, _ in rest[: len(words)]] != words:
            continue
        test = rest[len(words) - 1][1]
        return _inside(node, rest[len(words) :], prefix + node.path, test)
    return None


def _inside(node: Node, rest: list[tuple[str, str]], path: str, test: str) -> Spot | None:
    if node.many:
        return _entry(node, rest, path, test) if node.stored else None
    if node.ref:
        return _walk(target_of(node).nodes, rest, path + "/")
    if not rest:
        return None if node.children else Spot(path, node)
    return _walk((*node.attributes, *node.children), rest, path + "/")


def _entry(node: Node, rest: list[tuple[str, str]], path: str, test: str) -> Spot | None:
    match = _TEST.fullmatch(test)
    key = match["value"] if match and match["name"].lower() == "name" else (test if test.isdecimal() else "0")
    if path == "fields/field":
        key = key.lower()
    if not rest or rest[0][0].lower() in {node.name.lower(), "addfield"}:
        return Spot(path, node, key, text_name(node))
    for attribute in node.attributes:
        if attribute.name.lower() == rest[0][0].lower():
            return Spot(path, attribute, key, attribute.name)
    return None


def text_name(node: Node) -> str:
    """Return under which name JSON and paths speak of the text of a list entry."""
    return "addField" if node.name == "addParam" else node.name


def get(data: Data, spot: Spot) -> str | None:
    """Return the value at a spot, or None."""
    if spot.key is None:
        value = data.get(spot.path)
        return None if value is None else str(value)
    found: str | None = data.get(spot.path, {}).get(spot.key, {}).get(spot.attribute)
    return found


def put(data: Data, spot: Spot, value: str) -> None:
    """Set the value at a spot in place; ``NULL`` and the empty text remove it.

    Raises
    ------
    Problem
        400 for a value that its field cannot hold.
    """
    if spot.key is None:
        if value in {"NULL", ""}:
            data.pop(spot.path, None)
        else:
            data[spot.path] = checked(spot.node, value)
        return
    entries = dict(data.get(spot.path, {}))
    entry = dict(entries.get(spot.key, {}))
    if value == "NULL":
        entries.pop(spot.key, None)
    elif spot.attribute == "name" and value.lower() != spot.key.lower():
        entries[value] = {**entry, "name": value}
        entries.pop(spot.key, None)
    else:
        if any(a.name == "name" for a in spot.node.attributes):
            entry.setdefault("name", spot.key)
        entry[spot.attribute] = checked(spot.node, value)
        entries[spot.key] = entry
    if entries:
        data[spot.path] = entries
    else:
        data.pop(spot.path, None)


def checked(node: Node, value: str) -> str:
    """Return a value as the field of `node` keeps it.

    Raises
    ------
    Problem
        400, naming the field and never the value.
    """
    if node.enum and value not in node.enum:
        raise Problem(400, f"The value of {node.name} is not one of {', '.join(node.enum)}.")
    try:
        match node.type:
            case "integer":
                _limited(node, float(value))
                return str(int(float(value))) if float(value) == int(float(value)) else _bad(node)
            case "float":
                if not math.isfinite(float(value)):  # JSON has no word for these
                    _bad(node)
                _limited(node, float(value))
                return repr(float(value))
            case "dateTime":
                moment = datetime.fromisoformat(value)
                moment = moment.astimezone(UTC) if moment.tzinfo else moment
                return moment.replace(tzinfo=None).isoformat(timespec="seconds")
            case "date":
                return date.fromisoformat(_iso(value)).isoformat()
            case "time":
                return time.fromisoformat(value).isoformat()
            case "boolean":
                return "true" if value.lower() in {"true", "1"} else "false"
    except (ValueError, OverflowError):
        _bad(node)
    if node.most is not None and len(value) > node.most:
        raise Problem(400, f"The value of {node.name} is longer than {node.most:.0f} characters.")
    return value


def _limited(node: Node, number: float) -> None:
    low, high = node.least, node.most
    if (low is not None and not number >= low) or (high is not None and not number <= high):
        limits = " to ".join("any" if limit is None else f"{limit:g}" for limit in (low, high))
        raise Problem(400, f"The value of {node.name} lies outside {limits}.")


def _iso(value: str) -> str:
    """Turn ``05/31/2024`` and ``20240531`` into ``2024-05-31``."""
    match = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", value)
    return f"{match[3]}-{int(match[1]):02d}-{int(match[2]):02d}" if match else value


def _bad(node: Node) -> str:
    raise Problem(400, f"The value of {node.name} is not a valid {node.type}.")


_EXPERIMENT = """ID visit_id visit protocol date time note project label scanner operator dcmAccessionNumber
 dcmPatientId dcmPatientName session_type modality UID coil fieldStrength marker stabilization subject_ID
 acquisition_site age duration delay version original"""
_SCAN = """ID type UID note quality condition series_description documentation scanner modality frames
 operator coil fieldStrength marker stabilization series_class"""


def _named(text: str, **more: str) -> dict[str, tuple[str, str]]:
    return {name.lower(): (name, name) for name in text.split()} | {
        k.lower(): (k, v) for k, v in more.items()
    }


_PI = {"pi_firstname": "investigator/firstname", "pi_lastname": "investigator/lastname"}
_VALIDATION = {f"validation_{name}": f"validation/{name}" for name in ("method", "status", "date", "notes")}
_DEMOGRAPHICS = """dob yob age gender handedness ses education educationDesc race ethnicity weight height
 gestational_age post_menstrual_age birth_weight employment"""

SHORTCUTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "project": _named(
        "ID secondary_ID name description keywords type", alias="aliases/alias", note="description",
        pi_firstname="PI/firstname", pi_lastname="PI/lastname",
    ),
    "subject": _named("project label ID group src initials", **_PI)
    | {name.lower(): (name, f"demographics/{name}") for name in _DEMOGRAPHICS.split()},
    "experiment": _named(
        _EXPERIMENT, studyInstanceUID="UID", tracer_name="tracer/name", tracer_starttime="tracer/startTime",
        tracer_dose="tracer/dose", **_PI, **_VALIDATION,
    ),
    "scan": _named(_SCAN, scanTime="startTime", orientation="parameters/orientation",
                   scanSequence="parameters/scanSequence", **_VALIDATION),
    "reconstruction": _named("ID type baseScanType image_session_ID"),
}  # fmt: skip
"""Short names of fields (key in lower case) by kind of item: canonical name and path."""
SHORTCUTS = {**SHORTCUTS, "assessor": SHORTCUTS["experiment"]}


def find(kind: str, xsi_type: XsiType, name: str) -> Spot | None:
    """Find a field by short name, by typed path or by bare path."""
    prefix, path = split_type(name)
    if prefix is None and ":" in re.split(r"[/\[]", name, maxsplit=1)[0]:
        return None
    short = SHORTCUTS[kind].get(path.lower()) if prefix is None else None
    return locate(xsi_type, short[1] if short else path)


def heading(kind: str, xsi_type: XsiType, name: str) -> str:
    """Return under which name a list shows the column a client asked for.

    A path that has a short name comes back under it, in its canonical spelling; any other as it was asked.
    """
    asked = SHORTCUTS[kind].get(name.lower())
    if asked is not None:
        return asked[0]
    spot = find(kind, xsi_type, name)
    if spot is None or spot.key is not None:
        return name
    return next((short for short, path in SHORTCUTS[kind].values() if path == spot.path), name)
