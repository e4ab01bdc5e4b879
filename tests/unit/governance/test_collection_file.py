"""The collection file is read strictly: every fault has its name, its line and a remedy."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given, settings

from lethe.errors import Misconfigured, Refused
from lethe.governance.collection import Collection
from lethe.governance.definition import as_yaml, document, of_document, parse
from lethe.governance.state import RECORDS, Entry
from unit.governance.files import definitions

START = "collection: C\npeople:\n  a: {collection: owner, intake: owner}\n"


def test_the_example_is_a_collection_file_whose_every_line_is_read():
    text = resources.files("lethe.governance").joinpath("example.yaml").read_text("utf-8")
    state = parse(text).state()
    assert {entry.kind for entry in state} >= {*RECORDS, "role", "command", "automation", "field", "events"}


@pytest.mark.requirement("E-21")
def test_what_is_left_out_is_the_safe_way():
    state = parse(START).state()
    assert state[Entry("visibility", "collection")] == "private"
    assert state[Entry("visibility", "intake")] == "private"
    assert state[Entry("arrival", "intake")] == "wait"
    assert state[Entry("demand")] == {"agreement": True}


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (START + "colour: red\n", "unknown-key", "line 4"),
        (START + "centres:\n  Z: {name: Z, phone: 1}\n", "unknown-key", "line 5"),
        (START.replace("intake: owner", "intake: boss"), "unknown-role", "line 3"),
        (START + "collection: D\n", "yaml-doubled", "line 4"),
        (START + "name: &n x\ndescription: *n\n", "yaml-reference", "line 5"),
        (START + "centres:\n  NO: {name: Oslo}\n", "yaml-key", "line 5"),
        (START + "name: [\n", "yaml", "line"),
        (START + "visibility: secret\n", "value", "line 4"),
        (START + "description: ''\n", "value", "line 4"),
        (START + "access: {agreement: perhaps}\n", "value", "line 4"),
        (START + "lookup: {mode: anonymous, width_bits: 8}\n", "value", "line 4"),
        (START + "commands: {intake: [x, x]}\n", "doubled", "line 4"),
        (START + "automation:\n  r: {event: session-archived, command: x}\n", "not-enabled", "line 5"),
        (START.replace("{coll", "{centre: ZRH, coll"), "unknown-centre", "line 3"),
        (START.replace("intake: owner", "intake: member"), "no-owner", "line 2"),
        (START + 'fields: {" funding": x}\n', "value", "line 4"),
        ("people: {}\n", "missing-key", "line 1"),
        ("", "value", ""),
        ("- a\n", "value", "line 1"),
        ("collection: C_INTAKE\npeople: {a: {collection: owner, intake: owner}}\n", "collection-name", ""),
    ],
)
def test_a_fault_is_named_with_its_line(text, code, where):
    with pytest.raises(Misconfigured) as fault:
        parse(text, "stroke.yaml")
    assert fault.value.code == code
    assert where in fault.value.sentence


CENTRE = "centres:\n  Z:\n    name: Z\n    agreement: {{reference: r, since: {}, until: {}, uses: [{}]}}\n"


@pytest.mark.requirement("M-66")
@pytest.mark.parametrize(
    ("since", "until", "uses", "code"),
    [
        ("2026-01-01", "2025-01-01", "access", "validity"),
        ("2026-13-01", "2027-01-01", "access", "value"),
        ("yesterday", "2027-01-01", "access", "value"),
        ("2026-01-01", "2027-01-01", "anything", "value"),
    ],
)
def test_a_document_with_impossible_dates_or_uses_is_refused(since, until, uses, code):
    with pytest.raises(Misconfigured) as fault:
        parse(START + CENTRE.format(since, until, uses))
    assert fault.value.code == code


def test_records_hold_no_mail_address():
    with pytest.raises(Misconfigured):
        parse(START + "centres:\n  Z: {name: Z, contact: someone@example.org}\n")


def test_two_entries_for_one_account_are_refused():
    definition = parse(START.replace("  a:", "  b: {intake: member}\n  a:"))
    with pytest.raises(Misconfigured) as fault:
        definition.with_logins({"a": "same", "b": "same"})
    assert fault.value.code == "person-twice"


@settings(derandomize=True, max_examples=12, deadline=None)
@given(definitions())
def test_a_state_written_as_a_file_is_read_back_the_same(definition):
    state = definition.state()
    assert parse(as_yaml(definition.collection, state)).state() == state


@settings(derandomize=True, max_examples=12, deadline=None)
@given(definitions())
def test_the_document_of_records_is_read_back_the_same(definition):
    state = definition.state()
    kept = {entry: value for entry, value in state.items() if entry.kind in RECORDS}
    assert of_document(document(definition.collection, state), definition.collection) == kept


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ({"format": 1, "collection": "OTHER"}, "wrong-project"),
        ({"format": 2, "collection": "C"}, "records-broken"),
        ({"format": 1, "collection": "C", "more": 1}, "records-broken"),
        ([], "records-broken"),
        (None, "records-broken"),
    ],
)
def test_a_document_that_is_broken_or_anothers_is_refused(raw, code):
    with pytest.raises(Misconfigured) as fault:
        of_document(raw, Collection("C"))
    assert fault.value.code == code


def test_data_go_into_intake_projects_only():
    assert Collection.of_intake("STROKE_INTAKE").name == "STROKE"
    with pytest.raises(Refused) as refused:
        Collection.of_intake("STROKE")
    assert refused.value.code == "wrong-project"
