"""The record of the dictionary and its cross-checks."""

import copy
import json
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from lethe.clinical.crosscheck import faults, holds
from lethe.clinical.dictionary import Dictionary
from lethe.clinical.record import Kind, Record
from lethe.errors import Misconfigured
from lethe.plugin.types import data_types

RAW = yaml.safe_load((files("lethe.clinical") / "dictionaries" / "stroke.yaml").read_text("utf-8"))
VECTORS = json.loads((Path(__file__).parents[2] / "data" / "clinical_cross_checks.json").read_text("utf-8"))
RECORDS = {one.record.element: one.record for one in data_types()}


@pytest.fixture(scope="module")
def record():
    return Record.load()


@pytest.mark.requirement("T-4")
def test_the_stroke_record_has_77_elements_each_with_label_and_role_and_none_holds_a_date(record):
    assert len(record.elements) == 77
    assert all(one.label and one.role for one in record.elements.values())
    assert {one.kind for one in record.elements.values()} == {*Kind} - {Kind.MOMENT}
    assert [one.name for one in record.elements.values() if one.required_for == "inclusion"] == ["mrs_3m"]
    assert record.elements["remarks"].publish == "no"
    assert record.elements["age_years"].publish == "top-code"
    assert record.elements["glucose_mmol_l"].scramble == "bound"
    assert record.elements["mrs_3m"].scramble == "no"


def test_what_an_element_does_not_say_itself_comes_from_the_variable_of_the_table(record):
    variable, element = Dictionary.load().variables["platelets"], record.elements["platelets_g_l"]
    assert (element.label, element.unit, element.role, element.loinc) == (
        variable.label,
        variable.unit,
        variable.role,
        variable.loinc,
    )
    assert (element.minimum, element.maximum) == (0, 3000)


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda one: one["name"])
def test_cross_checks_find_what_the_shared_vectors_say(vector):
    checks = RECORDS[vector["type"]].checks
    assert [check.id for check in faults(checks, vector["record"])] == vector["faults"]


def test_expressions_hold_as_the_shared_vectors_say():
    for one in VECTORS["expressions"]:
        assert holds(one["expression"], one["record"]) is one["holds"], one


def test_every_cross_check_is_found_by_a_vector_and_its_sentence_carries_a_remedy():
    found = {fault for vector in VECTORS["records"] for fault in vector["faults"]}
    checks = [check for record in RECORDS.values() for check in record.checks]
    assert found == {check.id for check in checks}
    assert all(check.sentence.endswith(".") and check.remedy.endswith(".") for check in checks)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("nihss_admission", "43", "outside 0 to 42"),
        ("nihss_admission", "4.5", "not a number of type integer"),
        ("glucose_mmol_l", "5,1", "not a number of type decimal"),
        ("death", "maybe", "not one of the codes"),
        ("mtici", "2B", "not one of the codes"),
        ("remarks", "x" * 2001, "longer than 2000 characters"),
        ("glucose_mmol_l", "5.1", ""),
        ("death", "unknown", ""),
    ],
)
def test_a_cell_is_judged_without_being_repeated(record, name, text, sentence):
    assert record.elements[name].fault(text) == sentence


CHANGES = {
    "no role": lambda r: r["groups"]["outcome"]["elements"]["death"].pop("role"),
    "no label": lambda r: r["groups"]["outcome"]["elements"]["death"].pop("label"),
    "no type": lambda r: r["groups"]["outcome"]["elements"]["death"].pop("type"),
    "a key nobody knows": lambda r: r["groups"]["outcome"]["elements"]["death"].update(colour="red"),
    "a role nobody knows": lambda r: r["groups"]["outcome"]["elements"]["death"].update(role="secret"),
    "from nowhere": lambda r: r["groups"]["outcome"]["elements"]["mrs_3m"].update({"from": "nowhere"}),
    "applies with nothing": lambda r: r["groups"]["outcome"]["elements"]["death"].update(
        applies={"x": ["y"]}
    ),
    "required for fun": lambda r: r["groups"]["outcome"]["elements"]["death"].update(required_for="fun"),
    "codes gone": lambda r: r["groups"]["record"]["elements"]["source"].update(codes={}),
    "there twice": lambda r: r["groups"]["outcome"]["elements"].update(remarks={"from": "comment"}),
    "no title": lambda r: r["groups"]["outcome"].pop("title"),
    "a check of an element that is not there": lambda r: r["checks"][0].update(fault=["filled", "x"]),
    "a check with a word nobody knows": lambda r: r["checks"][0].update(fault=["eval", "death"]),
    "a check that compares with no number": lambda r: r["checks"][0].update(fault=["above", "death", "x"]),
    "a check with too many words": lambda r: r["checks"][0].update(fault=["not", ["filled", "death"], []]),
    "a check without remedy": lambda r: r["checks"][0].pop("remedy"),
    "a check that is there twice": lambda r: r["checks"].append(r["checks"][0]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_record_that_says_too_little_or_contradicts_itself_is_refused(name):
    raw = {**RAW, "record": copy.deepcopy(RAW["record"])}
    CHANGES[name](raw["record"])
    with pytest.raises(Misconfigured):
        Record.parse(raw, Dictionary.parse(RAW))


def test_a_dictionary_without_a_record_is_refused():
    with pytest.raises(Misconfigured):
        Record.parse({key: value for key, value in RAW.items() if key != "record"})
