"""What a check noticed, and what that means for the use of a series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How far a series can be used; XNAT's own words for the quality of a scan."""

    USABLE = "usable"
    QUESTIONABLE = "questionable"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Note:
    """One observation.

    Attributes
    ----------
    code : str
        Short stable name.
    sentence : str
        What is the case; never a value that could identify a patient.
    grade : Grade
        What it makes of the series; ``usable`` for remarks.
    """

    code: str
    sentence: str
    grade: Grade = Grade.USABLE

    def as_dict(self) -> dict[str, str]:
        """Return the note for reports."""
        return {"code": self.code, "sentence": self.sentence, "grade": str(self.grade)}


def worst(notes: Iterable[Note]) -> Grade:
    """Return the grade of a series: that of its worst note."""
    order = list(Grade)
    return max((note.grade for note in notes), key=order.index, default=Grade.USABLE)
