"""Private elements: their value representation and whether they are listed as safe, by creator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

from lxml import etree

from lethe.errors import Misconfigured


@dataclass(frozen=True)
class PrivateDictionary:
    """Known private elements.

    Parameters
    ----------
    entries : dict
        (group, creator in lower case, element byte) -> (VR, safe).
    """

    entries: dict[tuple[int, str, int], tuple[str, bool]] = field(default_factory=dict)

    def vr(self, tag: int, creator: str | None) -> str | None:
        """Return the VR of a private element, None where it is not listed."""
        entry = self._entry(tag, creator)
        return None if entry is None else entry[0]

    def safe(self, tag: int, creator: str | None) -> bool:
        """Say whether a private element is listed as holding no identifier (code K)."""
        entry = self._entry(tag, creator)
        return entry is not None and entry[1]

    def _entry(self, tag: int, creator: str | None) -> tuple[str, bool] | None:
        if creator is None:
            return None
        return self.entries.get((tag >> 16, creator.lower(), tag & 0xFF))

    def joined(self, other: PrivateDictionary) -> PrivateDictionary:
        """Return this dictionary with the entries of `other` added or put in place."""
        return PrivateDictionary({**self.entries, **other.entries})


@cache
def packaged() -> PrivateDictionary:
    """Return the packaged table (``data/private-elements.json``)."""
    data = json.loads((resources.files("lethe.header") / "data" / "private-elements.json").read_bytes())
    entries = {}
    for creator, elements in data["creators"].items():
        for tag, (vr, code) in elements.items():
            entries[int(tag[:4], 16), creator.lower(), int(tag[4:], 16)] = (vr, code == "K")
    return PrivateDictionary(entries)


def load_private_dictionary(path: Path) -> PrivateDictionary:
    """Read a site's ``PrivateTagDictionary.xml`` (attributes gp, cr, el, vr, code).

    Raises
    ------
    Misconfigured
        The file is missing or is not well-formed XML.
    """
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(path.read_bytes(), parser)
    except (OSError, etree.XMLSyntaxError):
        raise Misconfigured(
            "private-dictionary",
            "The private dictionary cannot be read.",
            remedy="Name a well-formed XML file.",
        ) from None
    entries = {}
    for node in root.iter():
        group, creator, element = node.get("gp"), node.get("cr"), node.get("el")
        if group and creator and element:
            number = int(element.lower().replace("x", "0")[-2:], 16)
            entries[int(group, 16), creator.lower(), number] = (
                node.get("vr") or "UN",
                node.get("code") == "K",
            )
    return PrivateDictionary(entries)
