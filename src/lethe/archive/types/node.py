"""One field of a data type, and the short notation in which the type table is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lethe.errors import Misconfigured

_TOKEN = re.compile(r"[{}]|[^\s{}]+")
_WORD = re.compile(
    r"(?P<at>@?)(?P<wrap>\w+/)?(?P<name>[\w-]+)(?P<many>\*?)"
    r"(?:->(?P<ref>\w+)|:(?P<type>\w+)(?:\((?P<enum>[^)]*)\))?)?"
)


@dataclass(frozen=True, slots=True)
class Node:
    """An attribute or element of a type.

    Attributes
    ----------
    name : str
        Name as spelled in the schema.
    type : str
        ``string``, ``integer``, ``float``, ``boolean``, ``date``, ``time`` or ``dateTime``.
    attribute : bool
        Whether it is an XML attribute.
    wrapper : str
        Name of the element around a list (``scans`` of ``scans/scan``), else empty.
    many : bool
        Whether it may come many times.
    ref : str
        Name of the complex type of the element (``demographicData``), else empty.
    enum : tuple of str
        The only values allowed, if any.
    least, most : float or None
        Limits of a number, or of the length of a text.
    attributes, children : tuple of Node
        What an element without `ref` holds.
    """

    name: str
    type: str = "string"
    attribute: bool = False
    wrapper: str = ""
    many: bool = False
    ref: str = ""
    enum: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    attributes: tuple[Node, ...] = ()
    children: tuple[Node, ...] = ()

    @property
    def path(self) -> str:
        """Return the path below the parent: ``scans/scan``, ``note``."""
        return f"{self.wrapper}/{self.name}" if self.wrapper else self.name

    @property
    def keyed(self) -> bool:
        """Whether entries of this list are named (``field[name=x]``)."""
        return self.many and not self.ref and any(a.name == "name" for a in self.attributes)

    @property
    def stored(self) -> bool:
        """Whether values live in the item itself, not in rows of their own (scans, resources, shares)."""
        return not (self.many and (self.ref or self.name == "share"))


def parse(text: str) -> tuple[Node, ...]:
    """Read the notation of the type table.

    ``@ID`` an attribute, ``name`` an element, ``age:integer`` typed, ``gender:enum(male|female)`` with
    the only values allowed, ``score:integer(0..42)`` and ``note:string(..255)`` with limits,
    ``scanner{@manufacturer @model}`` with attributes or children, ``fields/field*{@name}`` a list inside a
    wrapper, ``PI->investigatorData`` of another type.
    """
    tokens = _TOKEN.findall(text)
    nodes, rest = _parse(tokens)
    if rest:
        raise Misconfigured("type-table", "A brace of the type table is closed twice.")
    return nodes


def _parse(tokens: list[str]) -> tuple[tuple[Node, ...], list[str]]:
    nodes: list[Node] = []
    while tokens and tokens[0] != "}":
        match = _WORD.fullmatch(tokens[0])
        if match is None:
            raise Misconfigured("type-table", f"The type table has a word it cannot read: {tokens[0]}")
        tokens = tokens[1:]
        inside: tuple[Node, ...] = ()
        if tokens and tokens[0] == "{":
            inside, tokens = _parse(tokens[1:])
            tokens = tokens[1:]
        facet = match["enum"] or ""
        low, dots, high = facet.partition("..")
        enum = tuple(facet.split("|")) if facet and not dots else ()
        nodes.append(
            Node(
                name=match["name"],
                type="string" if enum else (match["type"] or "string"),
                attribute=bool(match["at"]),
                wrapper=(match["wrap"] or "").rstrip("/"),
                many=bool(match["many"]),
                ref=match["ref"] or "",
                enum=enum,
                least=float(low) if dots and low else None,
                most=float(high) if dots and high else None,
                attributes=tuple(n for n in inside if n.attribute),
                children=tuple(n for n in inside if not n.attribute),
            )
        )
    return tuple(nodes), tokens


def leaves(nodes: tuple[Node, ...], prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Yield path and node of every single-valued leaf that lives in the item (no lists, no references)."""
    for node in nodes:
        if node.many or node.ref:
            continue
        path = prefix + node.path
        if not node.children:
            yield path, node
        for attribute in node.attributes:
            yield f"{path}/{attribute.name}", attribute
        yield from leaves(node.children, path + "/")
