"""What a check of a script says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is."""

    FATAL = "fatal"
    PHI = "phi"
    INFO = "info"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing a script does wrong.

    Parameters
    ----------
    line : int
        Line of the script file; 0 where it has none.
    severity : Severity
        ``fatal`` and ``phi`` are errors.
    rule : str
        Short name of the check.
    sentence, remedy : str
        What is the case, and what to do.
    """

    line: int
    severity: Severity
    rule: str
    sentence: str
    remedy: str

    def as_dict(self) -> dict[str, str | int]:
        """Return the finding for JSON."""
        return asdict(self)
