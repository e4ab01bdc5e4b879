"""What must be signed before data move: agreement and ethics approval, with validity dates (M-66, M-67)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from lethe.errors import Misconfigured, Refused

SOON_DAYS = 30


class Use(StrEnum):
    """What an agreement may cover."""

    CONTRIBUTE = "contribute"
    """The centre sends data into the intake project."""
    PUBLISH = "publish"
    """What passed the gates goes from the intake project to the collection."""
    ACCESS = "access"
    """People of the centre get a role in the collection."""


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
    """A centre's data transfer agreement and ethics approval or waiver.

    Parameters
    ----------
    agreement, ethics : Validity or None
        None: not on record.
    uses : frozenset of Use
        What the agreement covers.
    centre : str
        Code of the centre, for messages.
    """

    agreement: Validity | None
    ethics: Validity | None
    uses: frozenset[Use] = frozenset(Use)
    centre: str = ""

    def check(self, day: date, use: Use = Use.CONTRIBUTE) -> None:
        """Raise `Refused` unless everything that `use` needs is in force on `day`.

        People may have access under the agreement alone; data move under an ethics approval as well.
        """
        whose = f"centre {self.centre}" if self.centre else "this centre"
        needed = [("agreement", "data transfer agreement", self.agreement)]
        if use is not Use.ACCESS:
            needed.append(("ethics", "ethics approval", self.ethics))
        for code, name, validity in needed:
            if validity is None:
                raise Refused(
                    f"{code}-missing",
                    f"No {name} of {whose} is recorded.",
                    remedy="Record it with its dates, then start again.",
                )
            if not validity.holds(day):
                raise Refused(
                    f"{code}-expired",
                    f"The {name} of {whose} is not in force on {day.isoformat()}.",
                    remedy="Record the renewal, then start again.",
                )
        if use not in self.uses:
            raise Refused(
                "agreement-use",
                f"The data transfer agreement of {whose} does not cover the use '{use}'.",
                remedy="Have the agreement extended and record it, then start again.",
            )

    def ends_soon(self, day: date) -> list[str]:
        """Return which of the two documents end within `SOON_DAYS` days of `day`."""
        last = day + timedelta(days=SOON_DAYS)
        pairs = (("agreement", self.agreement), ("ethics approval", self.ethics))
        return [
            name
            for name, one in pairs
            if one is not None and one.holds(day) and one.until and one.until <= last
        ]


def terms_of(centre: str, agreement: Mapping[str, Any] | None, ethics: Mapping[str, Any] | None) -> Terms:
    """Return the terms of a centre from its records (dates as ``YYYY-MM-DD``)."""
    uses = frozenset(Use(word) for word in (agreement or {}).get("uses", ()))
    return Terms(_validity(agreement), _validity(ethics), uses, centre)


def _validity(record: Mapping[str, Any] | None) -> Validity | None:
    if record is None:
        return None
    until = record.get("until")
    return Validity(date.fromisoformat(record["since"]), date.fromisoformat(until) if until else None)
