"""Only what passed every gate may leave the intake project."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.errors import Misconfigured, Refused
from lethe.governance.collection import Collection
from lethe.governance.gates import FACELESS_SLAB_MM, Gate, SeriesRecord, series_gate, session_gate
from lethe.governance.terms import Terms, Validity

PASSED = SeriesRecord("deface", converted=True, verdict="pass", defaced=True, modality="CT")

records = st.builds(
    SeriesRecord,
    lane=st.sampled_from([None, "deface", "convert", "header-only", "quarantine", "unheard-of"]),
    converted=st.booleans(),
    verdict=st.sampled_from([None, "pass", "no-face", "review", "fail", "unheard-of"]),
    defaced=st.booleans(),
    cleaned=st.booleans(),
    modality=st.sampled_from(["CT", "MR", "XA", ""]),
    coverage_mm=st.one_of(st.none(), st.floats(0, 400)),
    grade=st.sampled_from(["", "usable", "questionable", "unusable"]),
)


@pytest.mark.requirement("M-24", "T-11")
@settings(derandomize=True)
@given(records)
def test_no_raw_image_and_nothing_with_an_open_verdict_ever_leaves(record):
    decision = series_gate(record)
    assert "DICOM" not in decision.resources
    if record.lane == "deface":
        assert decision.resources in ((), ("NIFTI_DEFACED",))
        if decision.published:
            assert record.verdict in ("pass", "no-face")
            assert record.defaced
            assert record.converted
    if "NIFTI" in decision.resources:
        assert record.lane == "convert"
    if record.lane in (None, "quarantine", "unheard-of"):
        assert not decision.published
    assert decision.reason
    assert decision.published == (decision.gate is None)
    assert decision.gate is None or decision.gate.remedy


@pytest.mark.requirement("A-04")
def test_what_was_graded_unusable_stays_and_holds_nobody_else():
    unusable = replace(PASSED, grade="unusable")
    held, free = session_gate([unusable, PASSED], clinical_row=True)
    assert (held.published, held.gate, free.published) == (False, Gate.QUALITY, True)
    failed = replace(unusable, verdict="fail")
    assert series_gate(failed).gate is Gate.DEFACE  # a face outweighs


@pytest.mark.requirement("M-24")
@settings(derandomize=True)
@given(st.lists(records, min_size=1, max_size=5))
def test_one_open_series_keeps_its_whole_session_back(session):
    decisions = session_gate(session, clinical_row=True)
    if any(series_gate(record).holds_session for record in session):
        assert not any(decision.published for decision in decisions)
    else:
        assert decisions == [series_gate(record) for record in session]


def test_a_patient_without_a_clinical_row_is_not_published():
    assert not any(decision.published for decision in session_gate([PASSED], clinical_row=False))


@pytest.mark.requirement("M-22")
@pytest.mark.parametrize(
    ("record", "published"),
    [
        (SeriesRecord("header-only", cleaned=True, modality="XA"), True),
        (SeriesRecord("header-only", cleaned=True, modality="CT", coverage_mm=FACELESS_SLAB_MM), True),
        (SeriesRecord("header-only", cleaned=True, modality="CT", coverage_mm=FACELESS_SLAB_MM + 1), False),
        (SeriesRecord("header-only", cleaned=True, modality="CT", coverage_mm=None), False),
        (SeriesRecord("header-only", cleaned=False, modality="XA"), False),
    ],
)
def test_what_stays_dicom_leaves_only_when_it_can_hold_no_face(record, published):
    assert series_gate(record).published is published


@pytest.mark.requirement("M-66", "M-67")
def test_agreement_and_ethics_must_be_in_force_on_the_day():
    year = Validity(date(2026, 1, 1), date(2026, 12, 31))
    terms = Terms(agreement=year, ethics=year)
    terms.check(date(2026, 12, 31))
    for faulty, code in (
        (replace(terms, ethics=None), "ethics-missing"),
        (replace(terms, agreement=None), "agreement-missing"),
        (replace(terms, ethics=Validity(date(2025, 1, 1), date(2025, 12, 31))), "ethics-expired"),
    ):
        with pytest.raises(Refused) as refused:
            faulty.check(date(2026, 6, 1))
        assert refused.value.code == code
        assert refused.value.remedy


@pytest.mark.parametrize("name", ["", "1A", "A B", "A/B", "X_INTAKE", "x_intake", "A" * 60])
def test_a_collection_name_must_make_two_distinct_project_ids(name):
    with pytest.raises(Misconfigured):
        Collection(name)
