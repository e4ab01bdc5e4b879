"""Collections as code against a served archive: a plan is what is done, and what is done stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from lethe.errors import Outcome, Refused, Unavailable
from lethe.governance.changes import applied
from lethe.governance.collection import Collection
from lethe.governance.definition import Definition, of_data
from lethe.governance.roles import Right, Role, Visibility, rights
from lethe.governance.state import Entry
from lethe.xnat import collections, records
from lethe.xnat.access import Access
from lethe.xnat.client import Archive
from lethe.xnat.found import read_state
from system.collection_site import SIGNED, CollectionSite, file_data, fresh, full_data, renamed
from unit.governance.files import definitions

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectionSite]:
    found = CollectionSite(tmp_path_factory.mktemp("site"))
    for login in ("alice", "bob"):
        found.rq("PUT", f"/xapi/users/{login}", json={"email": f"{login}@example.org"})
    yield found
    found.stop()


def state(site: CollectionSite, name: str) -> dict[Entry, Any]:
    with site.archive() as archive:
        return read_state(archive, Collection(name))


def writes(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that fills with every request that may change something."""
    sent: list[str] = []
    real = archive._send

    def noted(method: str, path: str, what: str, **options: Any) -> Any:
        if method != "GET":
            sent.append(f"{method} {path}")
        return real(method, path, what, **options)

    monkeypatch.setattr(archive, "_send", noted)
    return sent


@pytest.mark.requirement("E-34", "M-81")
def test_the_second_apply_changes_nothing(site, monkeypatch):
    name = fresh()
    data = full_data(name)
    assert len(site.apply(data).plan.changes) >= 20
    before = site.everything(name)
    with site.archive() as archive:
        sent = writes(archive, monkeypatch)
        who = records.caller(archive)
        again = collections.make_plan(archive, of_data(data), who)
        collections.apply_plan(archive, again, who, why="test")
    assert not again.plan.differs
    assert sent == []
    assert site.everything(name) == before


def test_plan_apply_show_and_drift_on_the_command_line(site):
    name = fresh()
    file = site.file(full_data(name))
    planned = json.loads(site.lethe("collection", "plan", file, "--output", "json").stdout)
    assert Entry("project", "intake") not in state(site, name)  # a plan writes nothing
    assert site.lethe("collection", "apply", file, "--dry-run").returncode == 0
    assert Entry("project", "intake") not in state(site, name)
    applied_now = json.loads(site.lethe("collection", "apply", file, "--output", "json").stdout)
    assert applied_now["changes"] == planned["changes"]
    assert len(planned["changes"]) >= 20
    assert site.lethe("collection", "plan", file, "--exit-code").returncode == 0
    shown = site.lethe("collection", "show", name)
    again = site.file(yaml.safe_load(shown.stdout))
    assert site.lethe("collection", "plan", again, "--exit-code").returncode == 0
    assert site.rq("PUT", f"/data/projects/{name}/accessibility/public").status_code == 200
    drift = site.lethe("collection", "plan", file, "--exit-code")
    assert drift.returncode == 6
    assert f"set {name} from public to protected" in drift.stdout


def test_a_plan_is_what_is_then_done(site):
    """Random collections on the real archive end exactly where the pure model says."""

    @settings(
        derandomize=True, max_examples=4, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(definitions(), definitions())
    def check(one: Definition, other: Definition) -> None:
        name = fresh()
        for number, definition in enumerate((one, other)):
            planned = site.apply(renamed(definition, name), prune=number == 1)
            expected = dict(planned.found)
            for change in planned.plan.changes:
                expected = applied(expected, change)
            assert state(site, name) == expected

    check()


@pytest.mark.requirement("E-34")
def test_nothing_is_removed_without_prune(site):
    name = fresh()
    site.apply(full_data(name))
    less = file_data(name)
    del less["people"]["collaborator"]
    kept = site.apply(less)
    assert {change.entry.kind for change in kept.plan.kept} >= {
        "role", "command", "automation", "field", "profile", "deviation", "lookup", "person",
    }  # fmt: skip
    assert Entry("role", "collection", "collaborator") in state(site, name)
    site.apply(less, prune=True)
    after = state(site, name)
    assert {entry.kind for entry in after if entry not in of_data(less).state()} <= {"events"}
    assert Entry("role", "collection", "collaborator") not in after


# ---- the role table ---------------------------------------------------------------------------------------

_DEEDS = {
    Right.SEE: ("GET", "{p}?format=json"),
    Right.READ: ("GET", "{p}/subjects/S1?format=json"),
    Right.CREATE: ("PUT", "{p}/subjects/N{n}"),
    Right.EDIT: ("PUT", "{p}/subjects/S1?group=g"),
    Right.DELETE: ("DELETE", "{p}/subjects/D{n}"),
    Right.MANAGE: ("PUT", "{p}/accessibility/{level}"),
}


@pytest.mark.requirement(
    "E-15", "E-16", "E-17", "E-18", "E-19", "E-20", "E-22", "E-26", "E-27", "E-28", "E-29"
)
def test_after_apply_the_whole_role_table_holds(site):
    name = fresh()
    base = f"/data/projects/{name}"
    who = {
        Role.USER: "stranger",
        Role.COLLABORATOR: "collaborator",
        Role.MEMBER: "member",
        Role.OWNER: "owner",
    }
    number = 0
    for level in Visibility:
        site.apply(file_data(name, visibility=str(level)))
        site.rq("PUT", f"{base}/subjects/S1")
        for role, login in who.items():
            for right, (method, path) in _DEEDS.items():
                number += 1
                site.rq("PUT", f"{base}/subjects/D{number}")
                answer = site.rq(method, path.format(p=base, n=number, level=level), login)
                allowed = right in rights(role, level)
                assert (answer.status_code < 300) == allowed, (role, level, right, answer.status_code)
    intake = f"/data/projects/{name}_INTAKE"
    assert site.rq("GET", f"{intake}/accessibility").text == "private"
    for login, known in (("member", False), ("stranger", False), ("curator", True), ("owner", True)):
        assert (site.rq("GET", f"{intake}?format=json", login).status_code == 200) == known


@pytest.mark.requirement("M-56", "E-23")
def test_records_and_trail_are_read_by_those_of_the_intake_project_only(site):
    name = fresh()
    site.apply(file_data(name, visibility="public"))
    intake = f"/data/projects/{name}_INTAKE"
    for path in (f"{intake}/config/lethe/collection?contents=true", f"{intake}/resources/ACCESS_TRAIL/files"):
        for login, may in (("curator", True), ("owner", True), ("member", False), ("stranger", False)):
            assert (site.rq("GET", path, login).status_code == 200) == may
    assert site.rq("GET", f"/data/projects/{name}/config/lethe/collection", "stranger").status_code == 404


# ---- cut at every step ------------------------------------------------------------------------------------


def test_an_apply_cut_at_any_step_can_be_repeated(site):
    """The connection breaks after a write; a second run ends where an uncut one does.

    A change takes three writes (trail, head of the trail, the change), so that every second write cuts each
    change at least once and all three places in turn.
    """
    data = {
        "centres": {"ZRH": {"name": "Zurich", "agreement": SIGNED}},
        "people": {"owner": {"centre": "ZRH", "collection": "owner", "intake": "owner"}},
        "visibility": "protected",
    }

    def definition(name: str) -> Definition:
        return of_data({**data, "collection": name})

    def reached(name: str) -> dict[Entry, str]:
        return {entry: str(value).replace(name, "") for entry, value in state(site, name).items()}

    first = fresh()
    steps = len(site.apply(definition(first)).plan.changes)
    goal, cuts = reached(first), 0
    while _apply_cut(site, definition(name := fresh()), after=2 * cuts):
        site.apply(definition(name))
        assert reached(name) == goal, f"cut after write {2 * cuts + 1}"
        with site.archive() as archive:
            audit = Access(archive, Collection(name), records.caller(archive)).audit()
        assert (audit.faults, audit.outside) == ([], [])
        cuts += 1
    assert cuts >= steps


def _apply_cut(site: CollectionSite, definition: Definition, *, after: int) -> bool:
    """Apply until `after` writes and one more are done; return whether the connection was cut."""
    with site.archive() as archive, pytest.MonkeyPatch.context() as patch:
        done = writes(archive, patch)
        real = archive._send

        def cut(method: str, path: str, what: str, **options: Any) -> Any:
            answer = real(method, path, what, **options)
            if method != "GET" and len(done) > after:
                raise Unavailable("archive-unreachable", "cut")
            return answer

        patch.setattr(archive, "_send", cut)
        who = records.caller(archive)
        planned = collections.make_plan(archive, definition, who)
        try:
            collections.apply_plan(archive, planned, who, why="test")
        except Unavailable:
            return True
        return False


# ---- bad input --------------------------------------------------------------------------------------------

EXPIRED = {**SIGNED, "until": "2020-12-31"}


def bad(**changes: Any) -> Any:
    return lambda name: file_data(name, **changes)


def _unsigned(name: str) -> dict[str, Any]:
    data = file_data(name)
    del data["people"]["member"]["centre"]
    return data


def _mail(name: str) -> dict[str, Any]:
    data = file_data(name)
    data["people"]["nobody@example.org"] = {"centre": "ZRH", "collection": "member"}
    return data


@pytest.mark.requirement("M-66", "M-67")
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (bad(people={"owner": {"collection": "boss", "intake": "owner"}}), "unknown-role"),
        (
            bad(people={"ghost": {"collection": "owner", "intake": "owner", "centre": "ZRH"}}),
            "person-unknown",
        ),
        (_mail, "person-unknown"),
        (bad(centres={"ZRH": {"name": "Z", "agreement": EXPIRED}}), "agreement-expired"),
        (bad(centres={"ZRH": {"name": "Z", "agreement": {**SIGNED, "uses": ["publish"]}}}), "agreement-use"),
        (bad(centres={"ZRH": {"name": "Z"}}), "agreement-missing"),
        (_unsigned, "no-centre"),
        (bad(commands={"intake": ["no-such-wrapper"]}), "not-registered"),
        (bad(profile={"name": "no-such-profile"}), "profile-name"),
        (bad(name="A taken name"), "name-taken"),
        (lambda name: file_data("TAKEN_INTAKE"), "collection-name"),
        (lambda name: file_data("taken"), "name-taken"),
    ],
)
def test_bad_input_is_named_and_nothing_is_half_done(site, make, code):
    site.rq("PUT", "/data/projects/TAKEN?name=A taken name")
    before = site.everything()
    with pytest.raises(Outcome) as fault:
        site.apply(make(fresh()))
    assert fault.value.code == code
    assert fault.value.remedy
    assert site.everything() == before


def test_the_command_line_says_what_is_wrong_in_one_line(site):
    ran = site.lethe("collection", "apply", site.file(bad(centres={"ZRH": {"name": "Z"}})(fresh())))
    assert ran.returncode == 4
    assert "[agreement-missing]" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_two_owners_with_one_mail_address_are_refused(site):
    name = fresh()
    before = site.everything()
    site.rq("PUT", "/xapi/users/carol", json={"email": "Owner@example.org"})
    try:
        data = file_data(name)
        data["people"]["carol"] = {"collection": "owner", "centre": "ZRH"}
        by_mail = file_data(name)
        by_mail["people"]["owner@example.org"] = by_mail["people"].pop("owner")
        for one in (data, by_mail):
            with pytest.raises(Refused) as refused:
                site.apply(one)
            assert refused.value.code == "same-mail"
            assert "example.org" not in str(refused.value)
    finally:
        site.rq("PUT", "/xapi/users/carol", json={"email": "carol@example.org"})
    assert site.everything() == before


def test_people_may_be_named_by_mail_address_and_are_recorded_by_login(site):
    name = fresh()
    data = file_data(name)
    data["people"]["Curator@example.org"] = data["people"].pop("curator")
    site.apply(data)
    assert state(site, name)[Entry("role", "intake", "curator")] == "member"
    assert "@" not in site.rq("GET", f"/data/projects/{name}_INTAKE/config/lethe/collection").text


@pytest.mark.parametrize("minutes", [-60, 60])
def test_clocks_that_differ_refuse_every_judgement_of_dates(site, minutes):
    with site.archive() as archive:
        with pytest.raises(Refused) as refused:
            records.caller(archive, lambda: datetime.now(UTC) + timedelta(minutes=minutes))
        assert refused.value.code == "clock-skew"
        near = records.caller(archive, lambda: datetime.now(UTC) + timedelta(minutes=5))
        assert abs(near.now - datetime.now(UTC)) < timedelta(seconds=30)  # the archive's clock counts


def test_the_records_of_another_collection_are_not_touched(site):
    one, other = fresh(), fresh()
    site.apply(file_data(one))
    site.apply(file_data(other))
    foreign = site.rq("GET", f"/data/projects/{one}_INTAKE/config/lethe/collection?contents=true").text
    site.rq("PUT", f"/data/projects/{other}_INTAKE/config/lethe/collection?inbody=true", data=foreign)
    with pytest.raises(Outcome) as fault:
        site.apply(file_data(other))
    assert fault.value.code == "wrong-project"


@pytest.mark.requirement("E-16", "E-23")
def test_an_owner_applies_changes_without_being_administrator(site):
    name = fresh()
    site.apply(full_data(name))
    data = full_data(name)
    data["people"]["stranger"] = {"centre": "ZRH", "collection": "collaborator"}
    assert len(site.apply(data, login="owner").plan.changes) == 2
    assert state(site, name)[Entry("role", "collection", "stranger")] == "collaborator"
    data["people"]["ghost"] = {"centre": "ZRH", "collection": "collaborator"}
    with pytest.raises(Refused) as refused:  # owners may not list accounts: found when it did not hold
        site.apply(data, login="owner")
    assert refused.value.code == "person-unknown"
    del data["people"]["owner"], data["people"]["ghost"]
    data["people"]["carol"] = {"centre": "ZRH", "collection": "owner", "intake": "owner"}
    with pytest.raises(Refused) as refused:
        site.apply(data, login="owner")
    assert refused.value.code == "own-role"


def test_others_cannot_apply(site):
    name = fresh()
    site.apply(file_data(name))
    before = site.everything(name)
    for login in ("member", "collaborator", "stranger", "curator"):
        with pytest.raises(Refused):
            site.apply(file_data(name, visibility="public"), login=login)
    assert site.everything(name) == before
