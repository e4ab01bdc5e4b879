"""What scrambling did, in counts: nothing in here is a value of a patient."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lethe.clinical.utility import FEW, Utility

NOTES = {
    "bound": "No value moved by more than 5 % of itself, after rounding to the resolution.",
    "zero": "Zero stays zero.",
    "rounded_back": "Values so small or so coarsely recorded that every change within 5 % rounds to nothing "
    "leave unchanged; they are counted per variable.",
    "label": 'The label ">90 years" covers patients of 90 and more, decided on the true age.',
    "noise": "The noise of a patient and variable is the same in every release.",
    "few": "Changes of a variable are told only where at least 20 patients have it.",
    "model": "The model of outcome is fitted to the true and to the scrambled values of the same patients.",
    "risk": "Five per cent of noise does not hide a patient from someone who knows several true values.",
}


@dataclass(frozen=True, slots=True)
class VariableReport:
    """What one variable went through.

    Attributes
    ----------
    name, role, treatment : str
        Treatment is ``kept``, ``shifted`` or ``scrambled``.
    filled : int
        Cells that are not missing.
    changed, rounded_back, zeros, labelled, clipped : int
        Scrambled cells: another value now; unchanged by rounding; zero; replaced by the label of the
        ceiling; held back at the end of the valid range.
    largest_change : float
        Largest relative change, at most 0.05.
    """

    name: str
    role: str
    treatment: str
    filled: int
    changed: int = 0
    rounded_back: int = 0
    zeros: int = 0
    labelled: int = 0
    clipped: int = 0
    largest_change: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what may be published: with few patients the largest change would tell a patient's noise."""
        shown = math.ceil(self.largest_change * 1000) / 1000 if self.filled >= FEW else None
        return {**asdict(self), "largest_change": shown}

    @property
    def no_op(self) -> bool:
        """Whether scrambling changed nothing although there was something to scramble."""
        return self.treatment == "scrambled" and self.rounded_back > 0 and self.changed == 0


@dataclass(frozen=True, slots=True)
class ScrambleReport:
    """What a table went through."""

    dictionary: str
    dictionary_version: str
    rows: int
    variables: tuple[VariableReport, ...]
    utility: Utility

    @property
    def no_ops(self) -> list[str]:
        """Names of the variables in which rounding undid all noise."""
        return [variable.name for variable in self.variables if variable.no_op]

    @property
    def largest_change(self) -> float:
        """Largest relative change of any value."""
        return max((variable.largest_change for variable in self.variables), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "dictionary": self.dictionary,
            "dictionary_version": self.dictionary_version,
            "rows": self.rows,
            "columns": len(self.variables) + 1,
            "largest_change": round(self.largest_change, 2),
            "no_ops": self.no_ops,
            "notes": NOTES,
            "utility": self.utility.as_dict(),
            "variables": [variable.as_dict() for variable in self.variables],
        }
