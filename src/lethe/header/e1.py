"""Table E.1-1 of DICOM PS3.15: what the standard demands for each attribute, option by option."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from lethe.errors import Misconfigured

PRIVATE = "private"
EDITION = "2026c"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Parameters
    ----------
    tag : str
        Eight hex digits, ``x`` where any digit fits; ``private`` for all private attributes.
    basic : str
        Action of the Basic Profile, letters of the standard joined with ``/``.
    options : mapping of str to str
        Actions by method code (CID 7050).
    """

    tag: str
    basic: str
    options: Mapping[str, str]

    @property
    def single(self) -> bool:
        """Whether the row is about one attribute."""
        return self.tag != PRIVATE and "x" not in self.tag

    def demand(self, chosen: Iterable[str]) -> frozenset[str]:
        """Return the letters that are allowed with the chosen options.

        An option's own action takes the place of the Basic Profile's. Where two chosen options differ, either
        is allowed.
        """
        actions = [self.options[code] for code in chosen if code in self.options] or [self.basic]
        return frozenset("/".join(actions).split("/"))


@dataclass(frozen=True)
class Table:
    """The table of one edition."""

    edition: str
    source: Mapping[str, str]
    options_unknown: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def attributes(self) -> tuple[Row, ...]:
        """The rows about one attribute; curves, overlays and private attributes are not among them."""
        return tuple(row for row in self.rows if row.single)


@cache
def load_table(edition: str = EDITION) -> Table:
    """Return the table of an edition.

    Raises
    ------
    Misconfigured
        There is no table of that edition.
    """
    data = json.loads((resources.files("lethe.header") / "data/table-e1-1.json").read_bytes())
    if data["edition"] != edition:
        raise Misconfigured(
            "edition",
            "There is no table of that edition of PS3.15.",
            remedy=f"The edition at hand is {data['edition']}.",
        )
    rows = tuple(
        Row(tag, entry["basic"], MappingProxyType(entry.get("options", {})))
        for tag, entry in data["attributes"].items()
    )
    return Table(edition, MappingProxyType(data["source"]), tuple(data["options_unknown"]), rows)
