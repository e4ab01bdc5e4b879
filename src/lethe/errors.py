"""Outcomes by name: what can go wrong, said with a code, a sentence and a remedy.

A message never carries a value from a patient's data: it names columns, row numbers, tags, rules.
"""

from __future__ import annotations

from typing import ClassVar


class Outcome(Exception):
    """An expected ending that is not success.

    Parameters
    ----------
    code : str
        Short stable name in kebab case, for programs (``"ethics-expired"``).
    sentence : str
        What is the case, for people; never a value from the data.
    remedy : str
        What the reader can do about it.

    Examples
    --------
    >>> str(Refused("no-dicom", "The folder holds no DICOM object.", remedy="Name the folder of a study."))
    'The folder holds no DICOM object. Name the folder of a study. [no-dicom]'
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, sentence: str, *, remedy: str = "") -> None:
        super().__init__(code, sentence, remedy)
        self.code = code
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(part for part in (self.sentence, self.remedy, f"[{self.code}]") if part)

    def as_dict(self) -> dict[str, str]:
        """Return code, sentence and remedy for ``--output json`` and reports."""
        return {"code": self.code, "sentence": self.sentence, "remedy": self.remedy}


class Misconfigured(Outcome):
    """The program was set up or called wrongly; the data were not touched."""

    exit_code = 2


class Quarantined(Outcome):
    """The object may not go on; it is kept aside for a person to look at."""

    exit_code = 3


class Refused(Outcome):
    """A rule forbids what was asked, or the input cannot be worked on safely."""

    exit_code = 4


class Unavailable(Outcome):
    """Something that is needed does not answer now; a later try may succeed."""

    exit_code = 5
