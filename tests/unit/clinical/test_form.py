"""The record as a custom form and as an empty table."""

import csv
import io
import json

from typer.testing import CliRunner

from lethe.cli.clinical import app
from lethe.clinical.form import custom_form, template
from lethe.clinical.record import Record

RECORD = Record.load()


def components(form):
    return {one["key"]: one for panel in form["builder"]["components"] for one in panel["components"]}


def test_the_form_has_every_element_once_with_its_choices_limits_and_conditions():
    form = custom_form(RECORD, "STROKE")
    found = components(form)
    assert list(found) == list(RECORD.elements)
    assert [one["value"] for one in found["mtici"]["data"]["values"]] == ["0", "1", "2a", "2b", "2c", "3"]
    assert found["inr"]["validate"] == {"min": 0.0, "max": 20.0, "integer": False}
    assert found["remarks"]["validate"] == {"maxLength": 2000}
    assert found["evt_passes"]["conditional"] == {"show": True, "when": "evt", "eq": "yes"}
    assert "conditional" not in found["sex"]
    assert form["submission"]["data"]["xnatProject"] == [{"label": "STROKE", "value": "STROKE"}]


def test_without_a_project_the_form_is_for_the_site():
    data = custom_form(RECORD)["submission"]["data"]
    assert (data["isThisASiteWideConfiguration"], data["xnatProject"]) == ("yes", [])


def test_the_table_has_a_column_for_the_subject_and_each_element():
    rows = list(csv.reader(io.StringIO(template(RECORD, ["A1", "A2"]))))
    assert rows[0] == ["subject", *RECORD.elements]
    assert [row[0] for row in rows[1:]] == ["A1", "A2"]
    assert {len(row) for row in rows} == {78}


def test_the_command_line_prints_both():
    printed = CliRunner().invoke(app, ["form", "--project", "STROKE"]).stdout
    assert json.loads(printed) == custom_form(RECORD, "STROKE")
    assert CliRunner().invoke(app, ["form", "--csv"]).stdout.split() == template(RECORD).split()
