"""The state of an intake session: its settings, which anyone may read, and its link, which nobody may."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lethe.errors import Refused
from lethe.identity import vault
from lethe.identity.lookup import Assignment


class Mode(StrEnum):
    """What becomes of the link.

    ``anonymous``: it is destroyed by sealing. ``pseudonymous``: the site keeps it, real dates stay, patients
    can be added, queried and withdrawn; such a session is never sealed, its cases are promoted to an
    anonymous one.
    """

    ANONYMOUS = "anonymous"
    PSEUDONYMOUS = "pseudonymous"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session draws; fixed when it is opened.

    A pseudonymous session shifts no date, whatever its window.
    """

    width_bits: int = 16
    max_occupancy: float = 0.5
    window_days: int = 21
    mode: Mode = Mode.ANONYMOUS


@dataclass(slots=True)
class Link:
    """The decrypted state; lives only inside a method that holds the lock."""

    assignments: dict[str, Assignment] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    lookup_tables: list[str] = field(default_factory=list)
    noise_key: str = ""
    signing_key: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        given = {key: [value.prid, value.shift_days, value.salt] for key, value in self.assignments.items()}
        names = ("taken", "lookup_tables", "noise_key", "signing_key")
        return {"assignments": given, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Link:
        """Build the state from what `as_dict` returned."""
        given = {key: Assignment(*value) for key, value in values.pop("assignments").items()}
        return cls(assignments=given, **values)

    def draw_salts(self, rng: random.Random) -> int:
        """Give every patient without a salt one of 128 random bits; return how many got one."""
        unsalted = [name for name, given in self.assignments.items() if not given.salt]
        for name in unsalted:
            self.assignments[name] = replace(self.assignments[name], salt=f"{rng.getrandbits(128):032x}")
        return len(unsalted)

    @classmethod
    def load(cls, link_file: Path, key_file: Path, session: str) -> Link:
        """Read the state; raise `Refused` when file or key is missing or does not fit."""
        if not link_file.exists():
            raise Refused(
                "no-link", "The link of this session is missing.", remedy="Restore it from a backup."
            )
        return cls.from_dict(vault.read_encrypted(link_file, vault.read_key(key_file, session), session))

    def save(self, link_file: Path, key_file: Path, session: str) -> None:
        """Write the state encrypted, whole or not at all; raise like `load`."""
        vault.write_encrypted(link_file, self.as_dict(), vault.read_key(key_file, session), session)
