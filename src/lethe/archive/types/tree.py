"""An item with all that hangs on it, ready to be written as JSON or XML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lethe.archive.model import Data
from lethe.archive.types import protocol
from lethe.archive.types.node import Node, leaves
from lethe.archive.types.table import XsiType, target_of


@dataclass(slots=True)
class Tree:
    """One element of an item document.

    `values` holds attribute and element paths with their text, `below` the child documents by path
    (``scans/scan``), `meta` what JSON says beside the fields, `raw` the XML of a study protocol, which
    stands for all of that.
    """

    type: XsiType
    values: Data
    below: dict[str, list[Tree]] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    raw: str = ""


def lists(nodes: tuple[Node, ...], prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Yield path and node of every list whose entries live in the item."""
    for node in nodes:
        if node.many and node.stored:
            yield prefix + node.path, node
        elif not node.many and not node.ref:
            yield from lists(node.children, prefix + node.path + "/")


def references(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Yield the single-valued elements of another type (``demographics``)."""
    return (node for node in nodes if node.ref and not node.many)


def part(data: Data, node: Node) -> Data:
    """Return the fields below a reference, with the prefix taken off."""
    prefix = node.path + "/"
    return {path[len(prefix) :]: value for path, value in data.items() if path.startswith(prefix)}


def to_json(tree: Tree) -> dict[str, Any]:
    """Return the item as XNAT's JSON: ``meta``, ``data_fields`` and ``children``."""
    if tree.raw:
        return protocol.as_json(tree.raw)
    fields: dict[str, Any] = {}
    kinds = dict(leaves(tree.type.nodes))
    for path, value in tree.values.items():
        if isinstance(value, Mapping):
            continue
        node = kinds.get(path)
        if node is not None:
            fields[path] = number(node.type, value)
        elif "/" not in path:
            fields[path] = value
    children = [
        {"field": path, "items": [to_json(child) for child in trees]}
        for path, trees in _below(tree).items()
        if trees
    ]
    for path, node in lists(tree.type.nodes):
        entries = tree.values.get(path, {})
        if entries:
            meta = {"isHistory": False, "xsi:type": _entry_type(tree.type, path)}
            rows = [{"children": [], "meta": meta, "data_fields": _entry(node, e)} for e in entries.values()]
            children.append({"field": path, "items": rows})
    return {
        "children": children,
        "meta": {"isHistory": False, "xsi:type": tree.type.name, **tree.meta},
        "data_fields": fields,
    }


def _entry(node: Node, entry: Mapping[str, str]) -> dict[str, str]:
    return dict(entry)


def _entry_type(owner: XsiType, path: str) -> str:
    first = owner.lineage[-1] if path == "fields/field" else owner.name
    return f"{first}_{path.split('/')[-1]}"


def _below(tree: Tree) -> dict[str, list[Tree]]:
    """Return the child documents, with references such as ``demographics`` first."""
    found: dict[str, list[Tree]] = {}
    for node in references(tree.type.nodes):
        values = part(tree.values, node)
        if values:
            found[node.path] = [Tree(target_of(node), values)]
    return {**found, **tree.below}


def number(kind: str, value: Any) -> Any:
    """Return the text of a number field as a number."""
    try:
        if kind == "integer":
            return int(value)
        if kind == "float":
            return float(value)
    except (TypeError, ValueError):
        return value
    return value
