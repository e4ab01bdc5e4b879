import copy
import csv
import io
from collections import Counter
from importlib.resources import files

import pytest
import yaml

from lethe.clinical import Dictionary, Role, Type
from lethe.clinical.describe import as_markdown, as_redcap
from lethe.errors import Misconfigured

RAW = yaml.safe_load((files("lethe.clinical") / "dictionaries" / "stroke.yaml").read_text("utf-8"))
GROUPS = {
    "demographics", "prestroke", "risk_factors", "medication", "prehospital", "timings", "vital_signs",
    "laboratory", "scores", "imaging", "treatment", "complications", "outcome",
}  # fmt: skip


@pytest.mark.requirement("M-41", "M-53", "M-40")
def test_the_stroke_dictionary_holds_the_groups_of_the_paper_and_more_than_ninety_released_variables(
    dictionary,
):
    assert {variable.group for variable in dictionary.variables.values()} >= GROUPS
    released = [v for v in dictionary.variables.values() if v.role not in (Role.IDENTIFIER, Role.FREE_TEXT)]
    assert len(released) >= 90
    assert {"ivt", "evt", "both", "conservative"} == set(dictionary.variables["acute_treatment"].codes)
    assert {"visit", "telephone"} == set(dictionary.variables["mrs_3m_mode"].codes)


@pytest.mark.requirement("M-45", "T-4")
def test_what_names_a_patient_has_the_role_identifier(dictionary):
    names = {
        "patient_id",
        "patient_name",
        "birth_date",
        "nationality",
        "address",
        "postcode",
        "phone",
        "physician",
    }
    assert names <= set(dictionary.with_role(Role.IDENTIFIER))


@pytest.mark.requirement("M-46", "M-49", "T-4")
def test_roles_of_timings_outcomes_and_scores(dictionary):
    variables = dictionary.variables
    assert variables["door_to_groin_min"].role is Role.TIMING
    assert all(name in dictionary.outcomes for name in ("mrs_3m", "mrs_3m_mode", "mtici", "symptomatic_ich"))
    assert variables["nihss_admission"].role is Role.NUMERIC


def test_every_variable_has_a_label_and_codes_of_standards_are_well_formed(dictionary):
    for variable in dictionary.variables.values():
        assert variable.label
        assert not variable.loinc or luhn(variable.loinc.replace("-", ""))
        assert not variable.snomed or verhoeff(variable.snomed)


def luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def verhoeff(digits: str) -> bool:
    """The check digit of SNOMED CT identifiers, in the dihedral group of ten elements."""
    swap = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = swap[value]
        flip, base = divmod(check, 5)
        turn, step = divmod(value, 5)
        check = (base + (-step if flip else step)) % 5 + 5 * (flip ^ turn)
    return check == 0


def test_check_digits_notice_a_wrong_code():
    assert luhn("307746") is False
    assert verhoeff("38341003")
    assert not verhoeff("38341004")


@pytest.mark.requirement("T-4")
@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["glucose"].pop("role"),
        lambda v: v["glucose"].pop("type"),
        lambda v: v["glucose"].update(role="secret"),
        lambda v: v["glucose"].pop("resolution"),
        lambda v: v["glucose"].update(resolution=0),
        lambda v: v["glucose"].update(minimum=100),
        lambda v: v["glucose"].update(rule="x"),
        lambda v: v["glucose"].update(minimum="low"),
        lambda v: v["glucose"].update(type="text"),
        lambda v: v["glucose"].update(role="date"),
        lambda v: v["glucose"].update(after="nowhere"),
        lambda v: v["glucose"].update(ceiling=9),
        lambda v: v.update(Upper=v.pop("glucose")),
        lambda v: v.update(patient_id=v.pop("glucose")),
    ],
)
def test_a_dictionary_that_says_too_little_or_contradicts_itself_is_refused(change):
    raw = copy.deepcopy(RAW)
    change(raw["groups"]["laboratory"])
    with pytest.raises(Misconfigured):
        Dictionary.parse(raw)


@pytest.mark.parametrize(
    "text", [b"", b"- a", b"name: [", b"\xff\xfe", b"name: a\ngroups: {}\npatient_column: b"]
)
def test_a_file_that_is_no_dictionary_is_refused(tmp_path, text):
    (tmp_path / "d.yaml").write_bytes(text)
    with pytest.raises(Misconfigured):
        Dictionary.load(tmp_path / "d.yaml")
    with pytest.raises(Misconfigured):
        Dictionary.load(tmp_path / "absent.yaml")


@pytest.mark.requirement("M-13")
def test_another_cohort_brings_its_own_file(tmp_path):
    text = "name: dementia\npatient_column: id\ngroups:\n  a:\n"
    text += "    id: {label: Id, type: text, role: identifier}\n"
    (tmp_path / "d.yaml").write_text(text + "    mmse: {label: MMSE, type: integer, role: outcome}\n")
    assert Dictionary.load(tmp_path / "d.yaml").outcomes == ["mmse"]


@pytest.mark.requirement("M-53")
def test_the_released_dictionary_tells_nothing_of_dropped_columns(dictionary):
    told = dictionary.as_dict(released=True)
    assert "patient_column" not in told
    assert told["prid"]["type"] == "text"  # a spreadsheet would read 1E05 as a number
    assert Counter(v["role"] for v in told["variables"]).keys().isdisjoint({"identifier", "free_text"})


@pytest.mark.requirement("M-53", "A-20")
def test_the_dictionary_prints_as_markdown_and_as_redcap(dictionary):
    lines = as_markdown(dictionary).splitlines()
    assert sum(line.startswith(f"| {name} |") for name in dictionary.variables for line in lines) == len(
        dictionary.variables
    )
    rows = list(csv.DictReader(io.StringIO(as_redcap(dictionary))))
    assert [row["Variable / Field Name"] for row in rows] == list(dictionary.variables)
    kinds = {row["Variable / Field Name"]: row["Field Type"] for row in rows}
    assert (kinds["mrs_3m"], kinds["hypertension"], kinds["glucose"], kinds["comment"]) == (
        "radio",
        "yesno",
        "text",
        "notes",
    )


def test_types_and_roles_are_those_of_the_contract():
    assert [role.value for role in Role] == [
        "identifier", "date", "timing", "outcome", "numeric", "categorical", "free_text",
    ]  # fmt: skip
    assert Type("decimal") is Type.DECIMAL
