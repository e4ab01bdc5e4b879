"""What people said of a de-faced image decides over the program, and in doubt the image stays."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.governance.gates import SeriesRecord, series_gate
from lethe.governance.review import Assessment, reviewed

REVIEW = SeriesRecord("deface", converted=True, verdict="review", defaced=True, modality="CT")
PASSED = replace(REVIEW, verdict="pass")


def result(at):
    return Assessment("review", "", "runner", at)


def word(verdict, reviewer, at, stored_by=None):
    return Assessment(verdict, reviewer, stored_by or reviewer, at)


CASES = {
    "nobody looked": ([result("1")], None),
    "one passed it": ([result("1"), word("pass", "rita", "2")], "pass"),
    "one failed it": ([result("1"), word("fail", "rita", "2")], "fail"),
    "the newest word counts": ([result("1"), word("fail", "rita", "2"), word("pass", "tom", "3")], "pass"),
    "a later fail counts": ([result("1"), word("pass", "rita", "2"), word("fail", "tom", "3")], "fail"),
    "the order of the list does not matter": (
        [word("fail", "tom", "3"), word("pass", "rita", "2"), result("1")],
        "fail",
    ),
    "one asks for another": ([result("1"), word("review", "rita", "2")], "review"),
    "the same one cannot be the second": (
        [result("1"), word("review", "rita", "2"), word("pass", "rita", "3")],
        "review",
    ),
    "a second one passes": ([result("1"), word("review", "rita", "2"), word("pass", "tom", "3")], "pass"),
    "withdrawn": ([result("1"), word("pending", "rita", "2")], None),
    "in the name of another": ([result("1"), word("pass", "rita", "2", stored_by="tom")], None),
    "a fail in the name of another": ([result("1"), word("fail", "rita", "2", stored_by="tom")], None),
    "of an older result": ([word("pass", "rita", "1"), result("2")], None),
    "a fail is not lifted by a new run": ([word("fail", "rita", "1"), result("2")], "fail"),
    "failed, passed, run anew": ([word("fail", "rita", "1"), word("pass", "rita", "2"), result("3")], "fail"),
    "a result that nobody recorded": ([word("pass", "rita", "1")], None),
    "a fail needs no record": ([word("fail", "rita", "1")], "fail"),
}


@pytest.mark.requirement("M-24", "E-68")
@pytest.mark.parametrize("name", CASES)
def test_the_word_that_counts(name):
    said, counts = CASES[name]
    assert reviewed(said) == counts


@pytest.mark.requirement("M-24")
def test_a_reviewers_pass_lets_an_open_series_out_and_a_fail_holds_a_passed_one():
    assert not series_gate(REVIEW).published
    out = series_gate(replace(REVIEW, reviewed="pass"))
    assert out.resources == ("NIFTI_DEFACED",)
    assert "passed by a reviewer" in out.reason
    for verdict in ("pass", "no-face", "review"):
        held = series_gate(replace(REVIEW, verdict=verdict, reviewed="fail"))
        assert not held.published
        assert held.holds_session
        assert "reviewer failed it" in held.reason
    asked = series_gate(replace(PASSED, reviewed="review"))
    assert not asked.published
    assert "second reader" in asked.reason


@pytest.mark.requirement("M-24", "T-11")
@settings(derandomize=True)
@given(
    st.sampled_from([None, "pass", "no-face", "review", "fail", "unheard-of"]),
    st.sampled_from([None, "pass", "fail", "review"]),
    st.booleans(),
    st.booleans(),
)
def test_nobody_lets_out_what_the_program_failed_or_what_is_not_there(verdict, word, defaced, converted):
    record = SeriesRecord("deface", converted=converted, verdict=verdict, defaced=defaced, reviewed=word)
    if series_gate(record).published:
        assert converted
        assert defaced
        assert verdict in ("pass", "no-face") or (verdict == "review" and word == "pass")
        assert word in (None, "pass")
