"""The gates before publication: from what was recorded about a series to what may leave the intake project.

Pure: evidence in, decision with its reason out. A missing record holds a series back (fail closed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A CT perfusion slab this thin cannot show a face from brow to chin; a thicker one may, and a person
# has to look first, since the lane that stays DICOM is never de-faced (M-22, T-11).
FACELESS_SLAB_MM = 100.0

LEAVES = frozenset({"pass", "no-face"})


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
    """

    lane: str | None
    converted: bool = False
    verdict: str | None = None
    defaced: bool = False
    reviewed: str | None = None
    cleaned: bool = False
    modality: str = ""
    coverage_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Which resources of a series may be published, and why (not)."""

    resources: tuple[str, ...]
    reason: str
    holds_session: bool = False

    @property
    def published(self) -> bool:
        """True when at least one resource may leave the intake project."""
        return bool(self.resources)


def _header_only(record: SeriesRecord) -> Decision:
    if not record.cleaned:
        return Decision((), "header cleaning has not been done")
    if record.modality == "XA":
        return Decision(("DICOM_CLEAN",), "projection image, header cleaned")
    if record.coverage_mm is not None and record.coverage_mm <= FACELESS_SLAB_MM:
        return Decision(
            ("DICOM_CLEAN",), f"header cleaned; slab of {record.coverage_mm:.0f} mm holds no face"
        )
    return Decision((), "may hold a face and cannot be de-faced: needs visual sign-off")


def series_gate(record: SeriesRecord) -> Decision:
    """Decide about one series, without regard to the others of its session.

    Returns
    -------
    Decision
        ``holds_session`` is set where a face could leave by another series of the same session.
    """
    if record.lane is None:
        return Decision((), "no lane decided: conversion has not run or failed", holds_session=True)
    if record.lane == "quarantine":
        return Decision((), "quarantined by its lane")
    if record.lane == "header-only":
        return _header_only(record)
    if not record.converted:
        return Decision((), "not converted", holds_session=record.lane == "deface")
    if record.lane == "convert":
        return Decision(("NIFTI",), "no head in the image")
    if record.lane != "deface":
        return Decision((), "unknown lane", holds_session=True)
    return _defaced(record)


def _defaced(record: SeriesRecord) -> Decision:
    """Decide by the verdict of the program and the word of people: a person's ``fail`` outweighs all."""
    verdict = record.verdict or "missing"
    if record.reviewed == "fail":
        return Decision((), f"a reviewer failed it (de-face verdict is {verdict})", holds_session=True)
    if record.reviewed == "review":
        return Decision((), "a reviewer asks for a second reader", holds_session=True)
    passed = verdict == "review" and record.reviewed == "pass"
    if not record.defaced or not (passed or record.verdict in LEAVES):
        return Decision((), f"de-face verdict is {verdict}", holds_session=True)
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
        return [Decision((), "no clinical row for this patient") for _ in decisions]
    if any(decision.holds_session for decision in decisions):
        return [
            decision
            if decision.holds_session or not decision.published
            else Decision((), f"held: another series of this session was not passed ({decision.reason})")
            for decision in decisions
        ]
    return decisions
