import json

import pytest

from kit.people import people
from lethe.clinical.check import check_table
from lethe.clinical.eligibility import RuleSet
from lethe.clinical.page import as_page
from lethe.errors import Misconfigured, Refused

from .conftest import put, save


@pytest.fixture
def rules(dictionary):
    return RuleSet.load(dictionary)


@pytest.fixture
def check(tmp_path, rows, dictionary, rules):
    return lambda: check_table(save(rows, tmp_path / "t.csv"), dictionary, rules)


@pytest.mark.requirement("A-22", "M-10")
def test_a_table_without_a_fault_is_complete_and_eligible(check):
    report = check()
    assert (report.rows, report.eligible, report.issues) == (12, 12, ())
    assert report.mean_completeness == 1.0


@pytest.mark.requirement("M-06", "M-07", "M-08", "M-09", "M-12", "M-14")
@pytest.mark.parametrize(
    ("column", "text", "rule"),
    [
        ("opt_out", "1", "opt-out"),
        ("occlusion_site", "none", "large-vessel-occlusion"),
        ("occlusion_site", "", "large-vessel-occlusion"),
        ("first_modality", "", "acute-imaging"),
        ("imaging_datetime", "", "imaging-time"),
        ("mrs_3m", "", "outcome"),
        ("onset_datetime", "", "period"),
    ],
)
def test_a_row_that_does_not_belong_is_excluded_with_its_reason(check, rows, column, text, rule):
    put(rows, column, 7, text)
    report = check()
    assert report.excluded == ((7, (rule,)),)
    assert report.counts()[rule] == 1
    assert report.reasons[rule]


@pytest.mark.requirement("M-07")
@pytest.mark.parametrize(
    ("day", "kept"),
    [("2019-12-31", False), ("2020-01-01", True), ("2023-12-31", True), ("2024-01-01", False)],
)
def test_the_period_includes_its_first_and_last_day(rules, day, kept):
    (period,) = [rule for rule in rules.rules if rule.name == "period"]
    assert period._keeps(f"{day} 23:59") is kept


@pytest.mark.requirement("M-10")
def test_a_row_needs_more_than_nine_tenths_of_its_variables(check, rows, dictionary):
    spared = {
        "mrs_3m",
        "first_modality",
        "imaging_datetime",
        "onset_datetime",
        "occlusion_site",
        "patient_id",
    }
    names = [
        name
        for name in ("glucose", "hba1c", "creatinine", "urea", "sodium", "potassium", "ldl", "hdl")
        if name not in spared
    ]
    names += ["hypertension", "diabetes", "smoking", "statin", "toast", "side", "weight", "height", "sex"]
    for name in names:
        put(rows, name, 3, "")
    put(rows, "glucose", 4, "")
    report = check()
    assert report.excluded == ((3, ("completeness",)),)
    assert report.completeness["glucose"] == pytest.approx(10 / 12)
    assert report.completeness["crp"] == 1.0


@pytest.mark.requirement("M-54")
def test_variables_of_a_treatment_count_only_where_it_was_given(check, rows):
    for row in range(2, 14):
        put(rows, "acute_treatment", row, "conservative" if row < 8 else "evt")
        for name in ("groin_datetime", "recanalisation_datetime", "mtici", "evt_passes"):
            if row < 8:
                put(rows, name, row, "")
    report = check()
    assert report.completeness["mtici"] == 1.0
    assert "ivt_agent" not in report.completeness
    assert report.eligible == 12


@pytest.mark.requirement("A-22")
def test_moments_in_an_impossible_order_are_named(check, rows):
    onset = rows[4][rows[0].index("onset_datetime")]
    put(rows, "admission_datetime", 5, f"2019{onset[4:]}")
    report = check()
    assert ("order", "admission_datetime", 5) in [
        (issue.code, issue.column, issue.row) for issue in report.issues
    ]


def test_a_day_without_a_time_does_not_precede_a_time_of_the_same_day(check, rows):
    put(rows, "discharge_date", 5, rows[4][rows[0].index("admission_datetime")][:10])
    assert check().issues == ()


def test_all_faults_are_told_at_once(check, rows):
    put(rows, "glucose", 3, "6,1")
    put(rows, "sex", 4, "woman")
    put(rows, "patient_id", 6, rows[2][0])
    put(rows, "discharge_date", 8, "1.2.2021")
    told = [(issue.row, issue.code) for issue in check().issues]
    assert told == [(3, "decimal-comma"), (4, "code"), (6, "patient-duplicate"), (8, "date")]


@pytest.mark.requirement("M-11", "M-02")
def test_each_centre_reads_its_own_figures_and_no_value_is_repeated(check, rows):
    put(rows, "centre", 2, "Quellenbrunnli")
    report = check()
    assert sum(one.rows for one in report.centres.values()) == 12
    assert report.centres["unknown"].rows == 1
    assert "Quellenbrunnli" not in json.dumps(report.as_dict())


@pytest.mark.requirement("M-54", "M-14")
def test_the_page_says_the_same_and_needs_nothing_else(check, rows, dictionary):
    put(rows, "glucose", 3, "6,1")
    put(rows, "opt_out", 9, "1")
    page = as_page(check(), dictionary.title)
    assert page.startswith("<!doctype html>")
    assert "use of routine data was refused" in page
    assert "decimal comma" in page
    assert "http" not in page.replace("http-equiv", "")
    assert not any(text in page for person in people(12) for text in person.planted())


@pytest.mark.requirement("M-13")
def test_another_rule_set_admits_other_strokes(tmp_path, rows, dictionary):
    put(rows, "occlusion_site", 7, "none")
    text = "name: wide\nrules:\n  - {name: refusal, reason: refused, variable: opt_out, not_in: ['1']}\n"
    (tmp_path / "r.yaml").write_text(text)
    wide = RuleSet.load(dictionary, tmp_path / "r.yaml")
    assert check_table(save(rows, tmp_path / "t.csv"), dictionary, wide).eligible == 12


@pytest.mark.parametrize(
    "rule",
    [
        "{name: a, reason: b}",
        "{name: a, reason: b, variable: shoe_size, filled: true}",
        "{name: a, reason: b, variable: sex, in: [X]}",
        "{name: a, reason: b, variable: sex, first: 2020-01-01}",
        "{name: a, reason: b, variable: onset_datetime, first: soon}",
        "{name: a, reason: b, variable: sex, above: 0.5}",
        "{name: a, reason: b, filled: true}",
        "{name: a, variable: sex, filled: true}",
        "{name: a, reason: b, variable: sex, filled: true, unless: c}",
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(tmp_path, dictionary, rule):
    (tmp_path / "r.yaml").write_text(f"name: x\nrules:\n  - {rule}\n")
    with pytest.raises(Misconfigured):
        RuleSet.load(dictionary, tmp_path / "r.yaml")


def test_a_file_that_is_no_table_is_refused(tmp_path, dictionary, rules):
    (tmp_path / "t.csv").write_text("patient_id\n")
    with pytest.raises(Refused):
        check_table(tmp_path / "t.csv", dictionary, rules)
