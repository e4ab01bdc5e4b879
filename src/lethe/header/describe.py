"""The table of what profiles do, as Markdown; the README of ctp-profiles holds it."""

from __future__ import annotations

from collections.abc import Sequence

from lethe.header.names import keyword
from lethe.header.profile import Profile

REMOVED = "removed"
_MANY = 6


def describe(profiles: Sequence[Profile]) -> str:
    """Return Markdown: a table of the attributes that profiles do more with than remove, and lists.

    What all profiles do alike with many attributes is listed under the table, not row by row.

    Parameters
    ----------
    profiles : sequence of Profile
        One column each.
    """
    names = [profile.name for profile in profiles]
    alike: dict[str, list[str]] = {}
    rows: list[tuple[int, list[str]]] = []
    for tag in sorted({tag for profile in profiles for tag in profile.words}):
        cells = [profile.words.get(tag, REMOVED) for profile in profiles]
        if set(cells) != {REMOVED}:
            rows.append((tag, cells))
        if len(set(cells)) == 1:
            alike.setdefault(cells[0], []).append(keyword(tag))
    listed = {words for words, keywords in alike.items() if len(keywords) >= _MANY and words != REMOVED}
    lines = [_row(["tag", "attribute", *names]), _row(["---"] * (2 + len(names)))]
    for tag, cells in rows:
        if len(set(cells)) > 1 or cells[0] not in listed:
            lines.append(_row([f"({tag >> 16:04X},{tag & 0xFFFF:04X})", keyword(tag), *cells]))
    for place in sorted({place for profile in profiles for place in profile.private if "[" in place}):
        cells = [profile.private.get(place, ("", REMOVED))[1] for profile in profiles]
        lines.append(_row([f"({place[:4]},xx{place[-2:]})", place[5:-3], *cells]))
    lines.append(_row(["all others", "", *[REMOVED] * len(names)]))
    for words in sorted(listed):
        lines += ["", f"**{words[0].upper()}{words[1:]}** (all): {', '.join(alike[words])}."]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
