"""What is wrong with a table, told by column and row and never by value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lethe.errors import Refused

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong.

    Attributes
    ----------
    code : str
        Short stable name of the rule.
    column : str
        Column name, empty when the row or the table is meant.
    row : int
        Row as a spreadsheet counts: the header is row 1. 0 when the column or the table is meant.
    sentence : str
        The rule that is broken, without the value.
    """

    code: str
    column: str
    row: int
    sentence: str

    def __str__(self) -> str:
        where = [f"column {self.column}"] if self.column else []
        where += [f"row {self.row}"] if self.row else []
        place = ", ".join(where)
        return f"{place[:1].upper()}{place[1:]}: {self.sentence}" if place else self.sentence

    def as_dict(self) -> dict[str, Any]:
        """Return the issue as JSON values."""
        return asdict(self)


def refuse(issues: Sequence[Issue], remedy: str = "Correct the table at its source.") -> None:
    """Raise `Refused` with the first few of `issues`; do nothing when there is none."""
    if not issues:
        return
    shown = "; ".join(map(str, issues[:_SHOWN]))
    more = f"; and {len(issues) - _SHOWN} more" if len(issues) > _SHOWN else ""
    raise Refused(issues[0].code, f"{shown}{more}.", remedy=remedy)
