"""Fields of an exported item as parameters of a PUT, and which of them the target lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
FORMER = "lethe_former_id"
"""Custom variable that keeps the accession id of the archive an item came from: XNAT gives its own."""

_TYPED = {"demographics": "xnat:demographicData", "metadata": "xnat:subjectMetadata"}
_AT_ONCE, _LONGEST = 25, 6000  # servers refuse addresses beyond 8,000 characters


@dataclass(frozen=True, slots=True)
class Difference:
    """What an item of the target lacks, and which of its fields have another value (by path, no values)."""

    missing: Mapping[str, str] = field(default_factory=dict)
    other: tuple[str, ...] = ()


def wanted(node: Json) -> dict[str, str]:
    """Return plain path -> text of everything that an exported item says of itself."""
    found = {path: str(text) for path, text in node["fields"].items() if str(text)}
    for path, entries in node["lists"].items():
        for key, entry in entries.items():
            test = f"name={key}" if "name" in entry else key
            for name, text in entry.items():
                if name != "name" and str(text):
                    found[f"{path}[{test}]/{name}"] = str(text)
    if node["kind"] in {"subject", "experiment", "assessor"}:
        found[f"fields/field[name={FORMER}]/field"] = node["id"]
    return found


def present(item: Json | None) -> dict[str, str]:
    """Return plain path -> text of an item of the target, from its JSON."""
    if item is None:
        return {}
    found = {path: str(value) for path, value in item["data_fields"].items()}
    for child in item["children"]:
        for number, row in enumerate(child["items"]):
            values = row["data_fields"]
            name = values.get("name")
            for path, value in values.items():
                if name is not None:
                    found[f"{child['field']}[name={str(name).lower()}]/{path}"] = str(value)
                    found[f"{child['field']}[name={name}]/{path}"] = str(value)
                else:
                    found[f"{child['field']}[{number}]/{path}"] = str(value)
                    found.setdefault(f"{child['field']}/{path}", str(value))
    return found


def difference(node: Json, item: Json | None) -> Difference:
    """Compare an exported item with the one of the target; `item` is None where there is none."""
    there = present(item)
    missing, other = {}, []
    for path, text in wanted(node).items():
        if path not in there:
            missing[path] = text
        elif not _same(text, there[path]):
            other.append(path)
    return Difference(missing, tuple(other))


def pieces(xsi_type: str, values: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the parameters of as many PUTs as the length of an address asks for."""
    piece: dict[str, str] = {}
    length = 0
    for path in sorted(values):
        head, slash, rest = path.partition("/")
        typed = f"{head}[@xsi:type={_TYPED[head]}]{slash}{rest}" if head in _TYPED else path
        size = len(typed) + 3 * len(values[path].encode())
        if piece and (len(piece) >= _AT_ONCE or length + size > _LONGEST):
            yield piece
            piece, length = {}, 0
        piece[f"{xsi_type}/{typed}"] = values[path]
        length += size
    if piece:
        yield piece


def _same(one: str, other: str) -> bool:
    if one.strip() == other.strip():
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False
