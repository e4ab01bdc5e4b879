"""The publication plan covers every series once and says why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.governance.gates import SeriesRecord
from lethe.release.publication import IntakeSeries, plan_publication, verdict_of_files

PASSED = SeriesRecord("deface", converted=True, verdict="pass", defaced=True, modality="CT")
REVIEW = SeriesRecord("deface", converted=True, verdict="review", defaced=True, modality="CT")


def test_sessions_are_judged_apart():
    series = [
        IntakeSeries("00A1", "S1", "1", "CT", PASSED),
        IntakeSeries("00A1", "S1", "2", "CT", REVIEW),
        IntakeSeries("00A1", "S2", "1", "CT", PASSED),
        IntakeSeries("00B2", "S1", "1", "CT", PASSED),
    ]
    plan = {
        (one.series.prid, one.series.session, one.series.scan): one
        for one in plan_publication(series, frozenset({"00A1"}))
    }
    assert len(plan) == len(series)
    assert not plan["00A1", "S1", "1"].published
    assert "another series" in plan["00A1", "S1", "1"].reason
    assert plan["00A1", "S2", "1"].resources == ("NIFTI_DEFACED",)
    assert not plan["00B2", "S1", "1"].published


@pytest.mark.requirement("M-24")
@settings(derandomize=True)
@given(st.lists(st.sampled_from(["pass", "no-face", "review", "fail", "?", "None"]), max_size=5))
def test_the_worst_verdict_of_a_scan_counts_and_an_unknown_one_fails(verdicts):
    worst = verdict_of_files([{"verdict": verdict} for verdict in verdicts])
    if not verdicts:
        assert worst is None
    elif worst in ("pass", "no-face"):
        assert set(verdicts) <= {"pass", "no-face"}
    else:
        assert worst == "fail" or "fail" not in verdicts
