"""What must be signed before data move: agreement and ethics approval, with validity dates (M-66, M-67)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lethe.errors import Misconfigured, Refused


@dataclass(frozen=True, slots=True)
class Validity:
    """Closed interval of days in which a document holds; `until` None means no end was set."""

    since: date
    until: date | None = None

    def __post_init__(self) -> None:
        if self.until is not None and self.until < self.since:
            raise Misconfigured(
                "validity", "A document cannot end before it starts.", remedy="Swap the dates."
            )

    def holds(self, day: date) -> bool:
        """Tell whether the document is in force on `day`."""
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Terms:
    """A centre's data transfer agreement and ethics approval or waiver."""

    agreement: Validity | None
    ethics: Validity | None

    def check(self, day: date) -> None:
        """Raise `Refused` unless both documents are in force on `day`."""
        for code, name, validity in (
            ("agreement", "data transfer agreement", self.agreement),
            ("ethics", "ethics approval", self.ethics),
        ):
            if validity is None:
                raise Refused(
                    f"{code}-missing",
                    f"No {name} of this centre is recorded.",
                    remedy="Record it with its dates, then start again.",
                )
            if not validity.holds(day):
                raise Refused(
                    f"{code}-expired",
                    f"The {name} of this centre is not in force today.",
                    remedy="Record the renewal, then start again.",
                )
