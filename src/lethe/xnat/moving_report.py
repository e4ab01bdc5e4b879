"""What came of a move: counts, comparison with the target, and everything that was not done, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Receipt:
    """The end of a move.

    Attributes
    ----------
    seal : str
        SHA-256 of the export's manifest.
    counts : dict
        Items of each kind, files and bytes of the export.
    sent : int
        Files sent now.
    changes : int
        Changes made now; a second run makes none.
    compared, without_digest : int
        Files whose listing agrees, and how many of them by size alone as the target computes no digest.
    refused : list
        Files that the target does not take, each with place and reason.
    differs : list
        What has another value at the target and was left as it is there.
    people_missing, people_other_mail, people_made : list of str
        Logins without an account (their roles are not given), with an account of another mail address
        (not given either: it may be somebody else), and made now (disabled, with a password nobody knows).
    not_kept : list of str
        What an XNAT cannot take over, and what the export left behind.
    """

    seal: str
    counts: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    changes: int = 0
    compared: int = 0
    without_digest: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    people_missing: list[str] = field(default_factory=list)
    people_other_mail: list[str] = field(default_factory=list)
    people_made: list[str] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)
    listing: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything of the export is at the target with equal values."""
        return not self.refused and not self.differs

    def count(self, kind: str, number: int = 1) -> None:
        """Count items, files or bytes."""
        self.counts[kind] = self.counts.get(kind, 0) + number

    def as_dict(self) -> dict[str, Any]:
        """Return the receipt as it is written and printed."""
        return {name: getattr(self, name) for name in self.__slots__} | {"complete": self.complete}


class Listing:
    """Two listings of the same files, the export's and the target's, as one digest each."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {"export": [], "target": []}

    def add(self, resource: str, name: str, ours: Mapping[str, Any], theirs: Mapping[str, str]) -> None:
        """Add one file; where the target computes no digest both lines bear the size alone."""
        digest = theirs.get("digest", "")
        self._lines["export"].append(f"{resource}/{name} {ours['size']} {ours['md5'] if digest else '-'}")
        self._lines["target"].append(f"{resource}/{name} {theirs['Size']} {digest or '-'}")

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of both listings; they are equal when the files are."""
        return {
            side: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
            for side, lines in self._lines.items()
        }
