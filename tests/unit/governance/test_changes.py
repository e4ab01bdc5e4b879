"""A plan leads from what is there to what is wanted, in a safe order, and says each step."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings

from lethe.errors import Refused
from lethe.governance.changes import Change, applied, check_terms, difference
from lethe.governance.collection import Collection
from lethe.governance.definition import parse
from lethe.governance.roles import OUTSIDE, Visibility
from lethe.governance.state import INTAKE, Entry
from unit.governance.files import definitions

DAY = date(2026, 6, 1)
COLL = Collection("COLL")


def after(state, changes):
    for change in changes:
        state = applied(state, change)
    return state


@settings(derandomize=True, max_examples=15, deadline=None)
@given(definitions(), definitions())
def test_a_plan_done_leaves_nothing_to_do(one, other):
    found, wanted = one.state(), other.state()
    plan = difference(found, wanted)
    reached = after(found, plan.changes)
    assert difference(reached, wanted).changes == ()
    assert all(reached[entry] == value for entry, value in wanted.items())
    assert all(reached[change.entry] == found[change.entry] for change in plan.kept)


@settings(derandomize=True, max_examples=15, deadline=None)
@given(definitions(), definitions())
def test_with_prune_only_what_is_wanted_stays(one, other):
    found, wanted = one.state(), other.state()
    plan = difference(found, wanted, prune=True)
    assert not plan.kept
    left = set(after(found, plan.changes)) - set(wanted)
    assert left <= {Entry("events")}  # a switch of the whole archive is not this collection's to turn off


@settings(derandomize=True, max_examples=15, deadline=None)
@given(definitions(), definitions())
def test_doors_close_before_they_open(one, other):
    plan = difference(one.state(), other.state(), prune=True)
    narrowing = [number for number, change in enumerate(plan.changes) if change.narrows]
    assert narrowing == list(range(len(narrowing)))
    for number, change in enumerate(plan.changes):
        if change.entry.kind == "visibility" and not change.narrows:
            assert all(
                later.entry.kind == "visibility" or later.new is None for later in plan.changes[number:]
            )


@settings(derandomize=True, max_examples=15, deadline=None)
@given(definitions())
def test_a_new_collection_begins_with_its_intake_project_and_is_private_until_the_end(definition):
    found = {Entry("visibility", place): "private" for place in ("collection", "intake")}
    changes = difference(found, definition.state()).changes
    assert changes[0].entry == Entry("project", INTAKE)
    for change in changes[:-1]:
        assert change.entry.kind != "visibility"


@settings(derandomize=True, max_examples=15, deadline=None)
@given(definitions(), definitions())
def test_every_change_has_a_sentence_of_its_own(one, other):
    plan = difference(one.state(), other.state(), prune=True)
    sentences = [change.sentence(COLL) for change in plan.changes]
    assert len(set(sentences)) == len(sentences)
    assert all("{" not in sentence for sentence in sentences)


def test_the_last_own_right_goes_last():
    role = {Entry("role", place, "me"): "owner" for place in ("collection", "intake")}
    found = {**role, Entry("field", "", "x"): "1"}
    plan = difference(found, {Entry("field", "", "y"): "2"}, prune=True, own="me")
    assert [change.entry for change in plan.changes[-2:]] == sorted(role)


def test_an_owner_by_creation_alone_is_let_go_without_prune():
    found = {Entry("role", "intake", "me"): "owner", Entry("role", "intake", "x"): "owner"}
    plan = difference(found, {Entry("demand"): {"agreement": True}}, own="me", founded=["intake"])
    assert [change.entry.name for change in plan.changes if change.new is None] == ["me"]
    assert [change.entry.name for change in plan.kept] == ["x"]


FILE = """
collection: COLL
people:
  a: {{collection: owner, intake: owner, centre: ZRH}}
  b: {{collection: member{person}}}
centres:
  ZRH:
    name: Zurich
    agreement: {{reference: r, since: 2026-01-01, until: {until}, uses: [{uses}]}}
access: {{agreement: {demand}}}
"""


def state_of(*, person=", centre: ZRH", until="2026-12-31", uses="access", demand="true"):
    return parse(FILE.format(person=person, until=until, uses=uses, demand=demand)).state()


@pytest.mark.requirement("M-66", "M-67")
@pytest.mark.parametrize(
    ("faulty", "code"),
    [
        ({"until": "2026-05-31"}, "agreement-expired"),
        ({"uses": "contribute"}, "agreement-use"),
        ({"person": ""}, "no-centre"),
    ],
)
def test_no_role_is_granted_that_no_agreement_covers(faulty, code):
    plan = difference({}, state_of(**faulty))
    with pytest.raises(Refused) as refused:
        check_terms({}, plan, DAY)
    assert refused.value.code == code
    assert refused.value.remedy
    free = state_of(**faulty, demand="false")
    assert not check_terms({}, difference({}, free), DAY).warnings


@pytest.mark.requirement("M-67")
def test_who_holds_a_role_when_an_agreement_ends_is_named():
    lapsed = state_of(until="2026-05-31")
    plan = check_terms(lapsed, difference(lapsed, lapsed), DAY)
    assert not plan.changes
    assert [line.split()[0] for line in plan.warnings] == ["a", "b"]


def test_an_agreement_that_ends_soon_is_told_before():
    soon = state_of(until="2026-06-20")
    assert check_terms(soon, difference(soon, soon), DAY).warnings == (
        "The agreement of centre ZRH ends soon.",
    )


def test_a_narrower_visibility_takes_rights_away():
    for old in Visibility:
        for new in Visibility:
            change = Change(Entry("visibility", "collection"), str(old), str(new))
            assert change.narrows == (OUTSIDE[new] < OUTSIDE[old])
