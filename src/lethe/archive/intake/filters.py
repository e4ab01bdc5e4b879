"""Series that a site or project does not want (config ``seriesImportFilter``), recognised by their header."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from lethe.archive.context import Context
from lethe.archive.intake.routing import text_of
from lethe.errors import Misconfigured

TOOL, PATH = "seriesImportFilter", "config"
_DESCRIPTION = 0x0008103E
_HEX = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


@dataclass(frozen=True, slots=True)
class SeriesFilter:
    """Keep only series that match (whitelist) or none that match (blacklist).

    Each line of the list is an expression searched for in SeriesDescription, ignoring case; a line
    ``[Keyword]`` turns to another attribute; ``EXISTS`` and ``!EXISTS`` ask whether it is there.
    """

    keep_matching: bool
    patterns: Mapping[int, Sequence[re.Pattern[str]]]

    @classmethod
    def parse(cls, text: str) -> SeriesFilter | None:
        """Read the stored JSON; None if it is switched off.

        Raises
        ------
        Misconfigured
            ``series-filter`` if it cannot be understood: then nothing can be imported until it is mended.
        """
        try:
            stored = json.loads(text)
            if str(stored.get("enabled", "true")).lower() != "true":
                return None
            mode, lines = str(stored["mode"]).lower(), str(stored.get("list", "")).splitlines()
        except (ValueError, KeyError, AttributeError) as error:
            raise _broken() from error
        if mode not in {"whitelist", "blacklist"}:
            raise _broken()
        return cls(mode == "whitelist", _patterns(lines))

    @property
    def tags(self) -> Sequence[int]:
        """Tags that the filter looks at."""
        return tuple(self.patterns)

    def accepts(self, header: Dataset) -> bool:
        """Tell whether the object may come in."""
        return self.keep_matching == any(
            _matches(pattern, header, tag) for tag, patterns in self.patterns.items() for pattern in patterns
        )


def filters_of(ctx: Context, project: str) -> list[SeriesFilter]:
    """Return the filters that apply to a project: the site's first, then its own."""
    sql = (
        "SELECT contents, status FROM config WHERE tool = ? AND path = ? AND project = ?"
        " ORDER BY version DESC LIMIT 1"
    )
    found: list[SeriesFilter] = []
    for owner in dict.fromkeys(("", project)):
        row = ctx.store.read().execute(sql, (TOOL, PATH, owner)).fetchone()
        if row is not None and row["status"] == "enabled" and row["contents"].strip():
            parsed = SeriesFilter.parse(row["contents"])
            found.extend([parsed] if parsed else [])
    return found


def _patterns(lines: Sequence[str]) -> dict[int, list[re.Pattern[str]]]:
    found: dict[int, list[re.Pattern[str]]] = {}
    tag = _DESCRIPTION
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            tag = _tag(line[1:-1])
            continue
        try:
            found.setdefault(tag, []).append(re.compile(line, re.IGNORECASE))
        except re.error as error:
            raise _broken() from error
    return found


def _matches(pattern: re.Pattern[str], header: Dataset, tag: int) -> bool:
    if pattern.pattern in {"EXISTS", "!EXISTS"}:
        return (tag in header) == (pattern.pattern == "EXISTS")
    return tag in header and pattern.search(text_of(header, tag)) is not None


def _tag(word: str) -> int:
    found = _HEX.fullmatch(word)
    tag = int(found[1] + found[2], 16) if found else tag_for_keyword(word)
    if tag is None:
        raise _broken()
    return tag


def _broken() -> Misconfigured:
    return Misconfigured(
        "series-filter",
        "The series import filter cannot be read.",
        remedy="Store a whitelist or a blacklist of expressions, one per line.",
    )
