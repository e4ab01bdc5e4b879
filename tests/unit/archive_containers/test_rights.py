"""Who may do what: one table of senders and requests, and every spelling of a launch."""

from __future__ import annotations

import pytest

from lethe.archive import access, accounts, items

from .conftest import Site, smoke

# request: (guest, other, reader = collaborator, member, owner, admin)
TABLE: list[tuple[str, str, tuple[int, ...]]] = [
    ("GET", "/commands", (403, 200, 200, 200, 200, 200)),
    ("GET", "/commands/1", (403, 200, 200, 200, 200, 200)),
    ("POST", "/commands", (403, 403, 403, 403, 403, 400)),
    ("POST", "/commands/1", (403, 403, 403, 403, 403, 400)),
    ("DELETE", "/commands/9", (403, 403, 403, 403, 403, 204)),
    ("PUT", "/wrappers/1/enabled", (403, 403, 403, 403, 403, 200)),
    ("PUT", "/wrappers/77/enabled", (403, 403, 403, 403, 403, 404)),
    ("GET", "/projects/P/wrappers/1/enabled", (403, 404, 200, 200, 200, 200)),
    ("PUT", "/projects/P/wrappers/1/enabled", (403, 404, 403, 403, 200, 200)),
    ("POST", "/projects/P/wrappers/1/config", (403, 404, 403, 403, 400, 400)),
    ("GET", "/projects/P/containers", (403, 404, 200, 200, 200, 200)),
    ("GET", "/projects/NONE/containers", (403, 404, 404, 404, 404, 404)),
    ("GET", "/containers", (403, 200, 200, 200, 200, 200)),
    ("GET", "/docker/server", (403, 403, 403, 403, 403, 200)),
    ("POST", "/projects/P/wrappers/1/root/session/launch", (403, 404, 403, 200, 200, 200)),
    ("POST", "/projects/P/wrappers/1/root/session/bulklaunch", (403, 404, 403, 200, 200, 200)),
    ("GET", "/events/subscriptions", (403, 403, 403, 403, 403, 200)),
    ("GET", "/projects/P/events/subscriptions", (403, 404, 403, 403, 200, 200)),
    ("PUT", "/events/prefs", (403, 403, 403, 403, 403, 400)),
    ("POST", "/events/subscription", (403, 403, 403, 403, 403, 405)),
]
SENDERS = ("guest", "other", "reader", "member", "owner", "admin")


@pytest.mark.requirement("E-17", "E-29")
def test_every_cell_of_the_table_of_senders_and_requests(site: Site) -> None:
    site.register(smoke())
    uri = f"/archive/experiments/{site.session}"
    body = {"launch": {"session": uri}, "bulklaunch": {"session": f'["{uri}"]'}}
    wrong = []
    for method, path, expected in TABLE:
        for sender, code in zip(SENDERS, expected, strict=True):
            json = body.get(path.rsplit("/", 1)[-1], [] if method in ("POST", "PUT") else None)
            got = site.send(method, path, sender, json=json).status_code
            if got != code:
                wrong.append((method, path, sender, got, code))
    assert not wrong


def test_a_project_that_cannot_be_read_offers_nothing_and_a_reader_nothing_that_writes(site: Site) -> None:
    site.register(smoke())
    query = {"project": "P", "xsiType": "xnat:mrSessionData"}
    rows = {who: site.send("GET", "/commands/available", who, params=query).json() for who in SENDERS[1:]}
    assert {who: len(found) for who, found in rows.items()} == {
        "other": 0,
        "reader": 0,
        "member": 1,
        "owner": 1,
        "admin": 1,
    }


@pytest.mark.parametrize("project", ["", "/projects/P"])
@pytest.mark.parametrize("target", ["/wrappers/1", "/wrapper/1", "/commands/1/wrappers/smoke-session"])
@pytest.mark.parametrize("root", ["/root/session", ""])
def test_every_spelling_of_a_launch_runs_the_same(site: Site, project: str, target: str, root: str) -> None:
    site.register(smoke())
    uri = f"/archive/projects/P/subjects/S1/experiments/{site.session}"
    base = f"{project}{target}{root}"
    posted = site.send("POST", f"{base}/launch", "member", json={"session": uri, "OUT": "j"}).json()
    asked = site.send("POST", f"{base}/launch", "member", params={"session": uri, "OUT": "q"}).json()
    for answer in (posted, asked):
        assert answer["status"] == "success"
        assert answer["command-id"] == (1 if "commands" in target else 0)
        assert site.wait(int(answer["workflow-id"])) == "Complete"
    assert site.files("OUT") == {"j": b"hello", "q": b"hello"}
    bulk = site.send(
        "POST", f"{base}/bulklaunch", "member", json={"session": f'["{uri}"]', "OUT": "b"}
    ).json()
    assert len(bulk["successes"]) == 1


def test_an_object_of_another_project_cannot_be_reached_through_ones_own(site: Site) -> None:
    items.create_project(site.ctx, "Q", login="other")
    theirs = site.add_session("T1", project="Q")
    _, wrapper = site.register(smoke())
    path = f"/projects/P/wrappers/{wrapper}/root/session/launch"
    for who in ("member", "admin"):  # an administrator may read it, but it is not in P
        answer = site.send("POST", path, who, json={"session": f"/archive/experiments/{theirs}"})
        assert answer.status_code == 500
        assert answer.json()["status"] == "failure"
    assert site.send("GET", "/projects/P/containers").json() == []
    answer = site.send("POST", f"/wrappers/{wrapper}/root/session/launch", "other",
                       json={"session": f"/archive/experiments/{theirs}"})  # fmt: skip
    assert site.wait(int(answer.json()["workflow-id"])) == "Failed (Staging)"  # Q did not enable it


def test_a_reader_of_a_public_project_cannot_launch_what_writes(site: Site) -> None:
    access.set_visibility(site.ctx, "P", "public")
    _, wrapper = site.register(smoke())
    body = {"session": f"/archive/experiments/{site.session}"}
    answer = site.send("POST", f"/projects/P/wrappers/{wrapper}/root/session/launch", "other", json=body)
    assert answer.status_code == 403


def test_rights_lost_between_launch_and_start_stop_the_run(site: Site) -> None:
    _, wrapper = site.register(smoke("sleep 0.5; touch /output/x", **{"limit-cpu": 99}))
    body = {"session": f"/archive/experiments/{site.session}"}
    first, second = site.launch(wrapper, body), site.launch(wrapper, body)
    accounts.set_membership(site.ctx, "P", "member", "collaborator")
    # the first may have begun before the right was lost, and then ends at its upload
    assert site.wait(first) in {"Failed (Upload)", "Failed (Staging)"}
    assert site.wait(second) == "Failed (Staging)"
    assert site.files("OUT") == {}


def test_an_unknown_wrapper_is_answered_as_xnat_does_and_nothing_runs(site: Site) -> None:
    answer = site.send(
        "POST", "/projects/P/wrappers/999/root/session/launch", "member", json={"session": "/x"}
    )
    assert (answer.status_code, answer.json()["workflow-id"]) == (200, "To be assigned")
    assert site.send("GET", "/containers").json() == []


def test_a_container_manager_may_register_and_see_all(site: Site) -> None:
    accounts.grant(site.ctx, "other", "ContainerManager")
    assert site.send("POST", "/commands", "other", json=smoke()).status_code == 201


@pytest.mark.parametrize("body", [[1], "x", {"session": ["a"]}, {"session": {"a": 1}}])
def test_a_launch_body_that_is_no_object_of_texts_is_400(site: Site, body: object) -> None:
    _, wrapper = site.register(smoke())
    assert (
        site.send("POST", f"/projects/P/wrappers/{wrapper}/root/session/launch", json=body).status_code == 400
    )


@pytest.mark.parametrize("value", ["/archive/experiments/x", "{}", "[1]", ""])
def test_a_bulk_launch_needs_a_list_in_a_text(site: Site, value: str) -> None:
    _, wrapper = site.register(smoke())
    path = f"/projects/P/wrappers/{wrapper}/root/session/bulklaunch"
    assert site.send("POST", path, json={"session": value}).status_code == 400
