"""Irregularities of a series by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A named irregularity; `fatal` ones forbid a NIfTI, `remedy` says what can be done about them."""

    code: str
    sentence: str
    remedy: str = ""
    fatal: bool = True

    def as_dict(self) -> dict[str, str | bool]:
        """Return the finding for reports."""
        return {"code": self.code, "sentence": self.sentence, "fatal": self.fatal}
