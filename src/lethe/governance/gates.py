"""The gates before publication: from what was recorded about a series to what may leave the intake project.

Pure: evidence in, decision with its reason out. A missing record holds a series back (fail closed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# A CT perfusion slab this thin cannot show a face from brow to chin; a thicker one may, and a person
# has to look first, since the lane that stays DICOM is never de-faced (M-22, T-11).
FACELESS_SLAB_MM = 100.0

LEAVES = frozenset({"pass", "no-face"})
UNUSABLE = "unusable"
_OTHER = "held: another series of this session was not passed"


class Gate(StrEnum):
    """Which gate holds a series back."""

    TERMS = "terms"
    CLINICAL = "clinical-row"
    CONVERSION = "conversion"
    LANE = "lane"
    HEADER = "header"
    SIGN_OFF = "sign-off"
    DEFACE = "deface"
    REVIEW = "review"
    QUALITY = "quality"
    SESSION = "session"
    STORED = "stored"

    @property
    def remedy(self) -> str:
        """What helps, as one sentence."""
        return _REMEDIES[self]


_REMEDIES = {
    Gate.TERMS: "Record the renewal with lethe collection apply, then publish again.",
    Gate.CLINICAL: "Link and upload a table with this patient, scramble it, then publish again.",
    Gate.CONVERSION: "Launch dicom-to-nifti on it; the log of a failed run tells why.",
    Gate.LANE: "Nothing: it stays in the intake project.",
    Gate.HEADER: "Launch clean-header on it.",
    Gate.SIGN_OFF: "Nothing yet: it stays in the intake project.",
    Gate.DEFACE: "Launch deface on it, or look at its verdict on the page Review.",
    Gate.REVIEW: "Let a second reader decide on the page Review, or leave the session out.",
    Gate.QUALITY: "Send the series again, or leave it out.",
    Gate.SESSION: "Clear the series that holds the session.",
    Gate.STORED: "Remove the resource from the collection as an owner, then publish again.",
}


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """What the intake project knows of one series after the commands have run.

    Parameters
    ----------
    lane : str or None
        Lane written by ``dicom-to-nifti``; None when the command has not run or failed.
    converted : bool
        A NIFTI that passed the conservation check exists.
    verdict : str or None
        De-face verdict (``pass``, ``no-face``, ``review``, ``fail``); None when there is none.
    defaced : bool
        The resource NIFTI_DEFACED exists.
    reviewed : str or None
        What people said of the de-faced image (`lethe.governance.review.reviewed`); None when nobody did.
    cleaned : bool
        The resource DICOM_CLEAN exists.
    modality : str
        DICOM modality of the series.
    coverage_mm : float or None
        Extent of the slices along their normal; None when unknown or not applicable.
    grade : str
        Grade of ``check-quality``; empty when it was not launched: it is no duty.
    """

    lane: str | None
    converted: bool = False
    verdict: str | None = None
    defaced: bool = False
    reviewed: str | None = None
    cleaned: bool = False
    modality: str = ""
    coverage_mm: float | None = None
    grade: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which resources of a series may be published, and why (not); `gate` is None where it may leave."""

    resources: tuple[str, ...]
    reason: str
    holds_session: bool = False
    gate: Gate | None = None

    @property
    def published(self) -> bool:
        """True when at least one resource may leave the intake project."""
        return bool(self.resources)


def _header_only(record: SeriesRecord) -> Decision:
    if not record.cleaned:
        return Decision((), "header cleaning has not been done", gate=Gate.HEADER)
    if record.modality == "XA":
        return Decision(("DICOM_CLEAN",), "projection image, header cleaned")
    if record.coverage_mm is not None and record.coverage_mm <= FACELESS_SLAB_MM:
        return Decision(
            ("DICOM_CLEAN",), f"header cleaned; slab of {record.coverage_mm:.0f} mm holds no face"
        )
    reason = "may hold a face and cannot be de-faced: needs visual sign-off"
    return Decision((), reason, gate=Gate.SIGN_OFF)


def series_gate(record: SeriesRecord) -> Decision:
    """Decide about one series, without regard to the others of its session.

    Returns
    -------
    Decision
        ``holds_session`` is set where a face could leave by another series of the same session.
    """
    decision = _by_lane(record)
    if decision.published and record.grade == UNUSABLE:
        return Decision((), "its quality is graded unusable", gate=Gate.QUALITY)
    return decision


def _by_lane(record: SeriesRecord) -> Decision:
    if record.lane is None:
        reason = "no lane decided: conversion has not run or failed"
        return Decision((), reason, holds_session=True, gate=Gate.CONVERSION)
    if record.lane == "quarantine":
        return Decision((), "quarantined by its lane", gate=Gate.LANE)
    if record.lane == "header-only":
        return _header_only(record)
    if not record.converted:
        return Decision((), "not converted", record.lane == "deface", Gate.CONVERSION)
    if record.lane == "convert":
        return Decision(("NIFTI",), "no head in the image")
    if record.lane != "deface":
        return Decision((), "unknown lane", holds_session=True, gate=Gate.LANE)
    return _defaced(record)


def _defaced(record: SeriesRecord) -> Decision:
    """Decide by the verdict of the program and the word of people: a person's ``fail`` outweighs all."""
    verdict = record.verdict or "missing"
    if record.reviewed == "fail":
        reason = f"a reviewer failed it (de-face verdict is {verdict})"
        return Decision((), reason, holds_session=True, gate=Gate.REVIEW)
    if record.reviewed == "review":
        return Decision((), "a reviewer asks for a second reader", holds_session=True, gate=Gate.REVIEW)
    passed = verdict == "review" and record.reviewed == "pass"
    if not record.defaced or not (passed or record.verdict in LEAVES):
        return Decision((), f"de-face verdict is {verdict}", holds_session=True, gate=Gate.DEFACE)
    return Decision(("NIFTI_DEFACED",), f"de-face verdict is {verdict}" + ", passed by a reviewer" * passed)


def session_gate(records: Sequence[SeriesRecord], *, clinical_row: bool) -> list[Decision]:
    """Decide about all series of a session.

    One series whose face may not be gone keeps the whole session back, never only itself; a patient
    without a clinical row is incomplete (M-09, M-10).

    Parameters
    ----------
    records : sequence of SeriesRecord
        All series of one session.
    clinical_row : bool
        The released clinical table has a row for this patient.

    Returns
    -------
    list of Decision
        In the order of `records`.
    """
    decisions = [series_gate(record) for record in records]
    if not clinical_row:
        return [Decision((), "no clinical row for this patient", gate=Gate.CLINICAL) for _ in decisions]
    if any(decision.holds_session for decision in decisions):
        return [
            decision
            if decision.holds_session or not decision.published
            else Decision((), f"{_OTHER} ({decision.reason})", gate=Gate.SESSION)
            for decision in decisions
        ]
    return decisions
