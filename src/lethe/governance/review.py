"""What people said of a de-faced image: the word that counts at the gate.

Pure: assessments in, one word out. In doubt the image stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PASS, FAIL, SECOND = "pass", "fail", "review"


@dataclass(frozen=True, slots=True)
class Assessment:
    """One de-facing QC of a scan.

    Parameters
    ----------
    verdict : str
        ``pass``, ``fail``, ``review`` (asks for a second reader) or ``pending`` (withdrawn).
    reviewer : str
        Who looked; empty for the program.
    stored_by : str
        The account that stored it.
    at : str
        When it was stored; texts that sort as the moments do.
    """

    verdict: str
    reviewer: str
    stored_by: str
    at: str

    @property
    def of_a_person(self) -> bool:
        """Whether a person looked, and stored it under the own account: nobody judges in another's name."""
        return bool(self.reviewer) and self.reviewer == self.stored_by


def reviewed(assessments: Sequence[Assessment]) -> str | None:
    """Return the word of people about the present result of one scan: ``pass``, ``fail``, ``review`` or None.

    The newest word counts. A ``fail`` stays until a person says otherwise, a new run does not lift it. A
    ``pass`` counts only for a result that the program has recorded and not after a newer one; after a reader
    asked for a second one, only the word of another reader passes it.
    """
    words = sorted(
        (one for one in assessments if one.of_a_person and one.verdict in (PASS, FAIL, SECOND)),
        key=lambda one: one.at,
    )
    if not words:
        return None
    last = words[-1]
    if last.verdict != PASS:
        return last.verdict
    results = [one.at for one in assessments if not one.reviewer]
    if not results or last.at < max(results):
        return FAIL if _failed_before(words[:-1]) else None
    askers = {one.reviewer for one in words if one.verdict == SECOND and one.at >= max(results)}
    others = {one.reviewer for one in words if one.verdict == PASS and one.at >= max(results)} - askers
    return PASS if not askers or others else SECOND


def _failed_before(words: Sequence[Assessment]) -> bool:
    return bool(words) and words[-1].verdict == FAIL
