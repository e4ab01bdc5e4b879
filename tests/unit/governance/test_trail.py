"""The audit trail: whatever is done to a record shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.errors import Misconfigured
from lethe.governance.state import Entry
from lethe.governance.trail import START, Head, Record, outside, reason, role_deed, roles_of, stamp, verify

PROJECTS = {"collection": "C", "intake": "C_INTAKE"}


def chain(number: int) -> list[Record]:
    records: list[Record] = []
    for n in range(number):
        draft = Record(0, START, "2026-01-01T00:00:00Z", "anna", role_deed("C", f"p{n}", "member"), "asked")
        records.append(draft.after(records[-1] if records else None))
    return records


def files(records: list[Record]) -> dict[str, bytes]:
    return {record.file: record.data for record in records}


def heads(records: list[Record]) -> list[Head]:
    return [Head(record.number, record.digest) for record in records]


def test_an_untouched_trail_has_no_fault():
    records = chain(5)
    found, faults = verify(
        files(records), heads=heads(records), authors=dict.fromkeys(files(records), "anna"),
        noted=records[1].digest,
    )  # fmt: skip
    assert (found, faults) == (records, [])


def test_an_empty_trail_has_no_fault():
    assert verify({}) == ([], [])


@settings(derandomize=True, max_examples=40)
@given(st.integers(2, 6), st.data())
def test_a_changed_byte_a_lost_or_a_strange_record_shows(number, data):
    records = chain(number)
    stored = files(records)
    name = data.draw(st.sampled_from(sorted(stored)))
    match data.draw(st.sampled_from(["byte", "lost", "content", "between", "swapped"])):
        case "byte":
            at = data.draw(st.integers(0, len(stored[name]) - 1))
            old = stored[name][at]
            stored[name] = stored[name][:at] + bytes([old ^ 1]) + stored[name][at + 1 :]
        case "lost":
            del stored[name]
        case "content":
            stored[name] = replace(Record.read(stored[name]), why="another reason").data
        case "between":
            stored[name.replace(".json", "b.json")] = stored[name]
        case "swapped":
            other = data.draw(st.sampled_from(sorted(set(stored) - {name})))
            stored[name], stored[other] = stored[other], stored[name]
    assert verify(stored, heads=heads(records))[1]


def test_a_whole_new_chain_shows_by_the_recorded_heads():
    records, forged = chain(3), [replace(chain(1)[0], who="eve")]
    assert verify(files(forged))[1] == []
    assert len(verify(files(forged), heads=heads(records))[1]) == 3
    assert verify(files(forged), noted=records[0].digest)[1] == ["the noted digest is not in the chain"]


def test_a_record_in_anothers_name_shows_by_the_catalogue():
    records = chain(2)
    (fault,) = verify(files(records), authors={records[1].file: "eve"})[1]
    assert "stored by eve but speaks of anna" in fault


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"null", b'{"number": 1}'])
def test_what_is_no_record_is_not_read(data):
    assert Record.read(data) is None
    assert verify({"00000001.json": data})[1]


def test_the_trail_tells_the_roles_and_what_was_done_outside_of_it():
    deeds = [("a", "member"), ("b", "owner"), ("a", None), ("c", "member")]
    records: list[Record] = []
    for login, role in deeds:
        draft = Record(0, START, "2026-01-01T00:00:00Z", "anna", role_deed("C", login, role), "why")
        records.append(draft.after(records[-1] if records else None))
    assert roles_of(records) == {("C", "b"): "owner", ("C", "c"): "member"}
    state = {Entry("role", "collection", "b"): "owner", Entry("role", "intake", "z"): "owner"}
    assert outside(records, state, PROJECTS) == [
        "c in C: the trail says member, the archive none",
        "z in C_INTAKE: the trail says none, the archive owner",
    ]


def test_moments_are_written_in_utc():
    moment = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert stamp(moment) == "2025-12-31T23:00:00Z"
    assert stamp(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 301, "asked by someone@example.org"])
def test_a_reason_is_one_line_without_a_mail_address(text):
    with pytest.raises(Misconfigured):
        reason(text)


def test_a_reason_is_kept_in_one_line():
    assert reason(" project 12\n was approved ") == "project 12 was approved"
