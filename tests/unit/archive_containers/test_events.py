"""Subscriptions: an archived session launches a command, once, as the right user; scenario S35."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lethe.archive import accounts, containers, events
from lethe.archive.events import delivery

from .conftest import Site, smoke

SESSION_EVENT = "org.nrg.xnat.eventservice.events.SessionEvent"


def subscription(site: Site, wrapper: int, **changes: Any) -> dict[str, Any]:
    """Return a subscription of P for archived sessions, with the key that the archive offers."""
    actions = site.send(
        "GET", "/projects/P/events/actionsbyevent", "owner", params={"event-type": SESSION_EVENT}
    ).json()
    (key,) = [one["action-key"] for one in actions if one["action-key"].endswith(f":{wrapper}")]
    wish = {"event-type": SESSION_EVENT, "status": "CREATED", "project-ids": ["P"]}
    return {
        "name": "s:1",
        "active": True,
        "act-as-event-user": False,
        "action-key": key,
        "attributes": {"OUT": "event.txt"},
        "event-filter": {**wish, **changes.pop("filter", {})},
        **changes,
    }


def archived(site: Site, accession: str, login: str = "member") -> None:
    """Tell that a session was archived."""
    uri = f"/archive/experiments/{accession}"
    events.emit(
        site.ctx, "SessionEvent", "CREATED", project="P", uri=uri, xsi_type="xnat:mrSessionData", login=login
    )


def delivered(site: Site, seconds: float = 30.0) -> dict[str, Any]:
    """Wait until the newest delivery is worked off; return it."""
    deadline = time.monotonic() + seconds
    while True:
        rows = site.send("POST", "/projects/P/events/delivered", "owner", json={"page": 1}).json()
        if rows and rows[0]["status"][-1]["status"].startswith(
            ("ACTION_S", "ACTION_F", "OBJECT_FILTER_M", "SUBSCRIPTION_D")
        ):
            return dict(rows[0])
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def ready(site: Site) -> tuple[Site, int]:
    """An archive whose event service is on, and a wrapper that is enabled in P."""
    assert site.send("PUT", "/events/prefs", json={"enabled": True}).status_code == 200
    return site, site.register(smoke())[1]


@pytest.mark.requirement("M-31", "A-89")
def test_an_archived_session_launches_the_command_once(ready: tuple[Site, int]) -> None:
    site, wrapper = ready
    answer = site.send("POST", "/projects/P/events/subscription", "owner", json=subscription(site, wrapper))
    assert (answer.status_code, answer.text.rsplit(":", 1)) == (201, ["s:1", "1"])
    archived(site, site.session)
    found = delivered(site)
    assert found["status"][-1]["message"] == "Container queued."
    assert found["trigger"] == {
        "label": "E1",
        "xsi-type": "xnat:mrSessionData",
        "uri": f"/archive/experiments/{site.session}",
    }
    (row,) = site.send("GET", "/projects/P/containers", "owner").json()
    assert row["user-id"] == "owner"
    assert site.wait(int(row["workflow-id"])) == "Complete"
    assert site.files("OUT") == {"event.txt": b"hello"}
    assert site.send("GET", "/projects/P/events/delivered/count", "owner").json() == 1
    assert site.send("GET", "/projects/P/events/delivered/summary", "owner").json()[0]["count"] == 1


def test_act_as_event_user_runs_as_who_archived(ready: tuple[Site, int]) -> None:
    site, wrapper = ready
    wish = subscription(site, wrapper, **{"act-as-event-user": True})
    assert site.send("POST", "/events/subscription", json=wish).status_code == 201
    archived(site, site.session)
    delivered(site)
    assert site.send("GET", "/projects/P/containers").json()[0]["user-id"] == "member"


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ('(@.xsiType == "xnat:mrSessionData")', "ACTION_STEP"),
        ('(@.xsiType == "xnat:ctSessionData")', "OBJECT_FILTER_MISMATCH_HALT"),
    ],
)
def test_the_payload_filter_decides(ready: tuple[Site, int], payload: str, status: str) -> None:
    site, wrapper = ready
    wish = subscription(site, wrapper, filter={"payload-filter": payload})
    assert site.send("POST", "/projects/P/events/subscription", "owner", json=wish).status_code == 201
    archived(site, site.session)
    assert delivered(site)["status"][-1]["status"] == status


def test_a_subscription_that_is_off_or_of_another_project_or_status_hears_nothing(
    ready: tuple[Site, int],
) -> None:
    site, wrapper = ready
    site.send("POST", "/projects/P/events/subscription", "owner", json=subscription(site, wrapper))
    site.send("POST", "/projects/P/events/subscription/1/deactivate", "owner")
    archived(site, site.session)
    site.send("POST", "/projects/P/events/subscription/1/activate", "owner")
    uri = f"/archive/experiments/{site.session}"
    events.emit(
        site.ctx, "SessionEvent", "MERGED", project="P", uri=uri, xsi_type="xnat:mrSessionData", login="owner"
    )
    events.emit(
        site.ctx,
        "SessionEvent",
        "CREATED",
        project="Q",
        uri=uri,
        xsi_type="xnat:mrSessionData",
        login="owner",
    )
    site.send("PUT", "/events/prefs", json={"enabled": False})
    archived(site, site.session)
    assert delivery.listing(site.ctx) == []


def test_an_owner_who_left_launches_nothing(ready: tuple[Site, int]) -> None:
    site, wrapper = ready
    site.send("POST", "/projects/P/events/subscription", "owner", json=subscription(site, wrapper))
    accounts.set_membership(site.ctx, "P", "owner", None)
    archived(site, site.session)
    deadline = time.monotonic() + 30
    while (
        not delivery.listing(site.ctx)
        or delivery.listing(site.ctx)[0]["status"][-1]["status"] != "ACTION_FAILED"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert site.send("GET", "/projects/P/containers").json() == []


def test_what_was_noted_before_a_crash_is_delivered_at_the_next_start(make_site: Any) -> None:
    site: Site = make_site()
    site.send("PUT", "/events/prefs", json={"enabled": True})
    _, wrapper = site.register(smoke())
    site.send("POST", "/projects/P/events/subscription", "owner", json=subscription(site, wrapper))
    archived(site, site.session)  # nobody works it off: the server is not started
    assert site.send("GET", "/projects/P/containers").json() == []
    containers.start(site.ctx)
    try:
        delivered(site)
        (row,) = site.send("GET", "/projects/P/containers").json()
        assert site.wait(int(row["workflow-id"])) == "Complete"
    finally:
        containers.stop(site.ctx)
        site.ctx.store.close()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"filter": {"event-type": "org.x.NoEvent"}}, "no such event type"),
    ({"filter": {"status": "FROZEN"}}, "one of CREATED, MERGED, DELETED"),
    ({"filter": {"project-ids": ["Q"]}}, "names that project only"),
    ({"filter": {"payload-filter": "@.x =="}}, "cannot be read"),
    ({"filter": {"event-type": "org.nrg.xnat.eventservice.events.ScanEvent"}}, "not launched on a Scan"),
    ({"action-key": "org.nrg.containers.services.CommandActionProvider:99"}, "no such action"),
    ({"action-key": "nonsense"}, "no such action"),
    ({"attributes": [1]}, "JSON object"),
]


@pytest.mark.parametrize(("changes", "sentence"), WRONG)
def test_a_subscription_that_cannot_work_is_refused(
    ready: tuple[Site, int], changes: Any, sentence: str
) -> None:
    site, wrapper = ready
    wish = subscription(site, wrapper, **changes)
    answer = site.send("POST", "/projects/P/events/subscription", "owner", json=wish)
    assert answer.status_code == 400
    assert sentence in answer.text


def test_a_fresh_archive_has_the_event_service_off(site: Site) -> None:
    assert site.send("GET", "/events/prefs").json() == {"enabled": False}
    assert site.send("POST", "/events/subscription", json={}).status_code == 405
    answer = site.send("GET", "/events/subscriptions")
    assert (answer.status_code, answer.text) == (200, "")


def test_a_subscription_can_be_read_changed_and_deleted(ready: tuple[Site, int]) -> None:
    site, wrapper = ready
    base = "/projects/P/events/subscription"
    wish = subscription(site, wrapper)
    site.send("POST", base, "owner", json=wish)
    found = site.send("GET", f"{base}/1", "owner").json()
    assert (found["subscription-owner"], found["valid"], found["event-filter"]["project-ids"]) == (
        "owner",
        True,
        ["P"],
    )
    assert site.send("PUT", f"{base}/1", "owner", json={**wish, "name": "n"}).status_code == 200
    assert site.send("GET", f"{base}/1", "owner").json()["name"] == "n"
    assert [one["id"] for one in site.send("GET", "/projects/P/events/subscriptions", "owner").json()] == [1]
    assert site.send("DELETE", f"{base}/1", "owner").status_code == 204
    assert site.send("GET", f"{base}/1", "owner").status_code == 404
    names = {one["id"] for one in site.send("GET", "/events/events", "member").json()}
    assert SESSION_EVENT in names


@pytest.mark.requirement("A-89")
def test_an_event_is_noted_in_the_very_transaction_of_what_happened(ready: tuple[Site, int]) -> None:
    site, wrapper = ready
    wish = subscription(site, wrapper)
    assert site.send("POST", "/projects/P/events/subscription", "owner", json=wish).status_code == 201
    count = "SELECT COUNT(*) AS n FROM ev_delivery"

    def happens(*, dies: bool) -> int:
        with site.ctx.store.write():
            archived(site, site.session)
            noted = int(site.ctx.store.read().execute(count).fetchone()["n"])
            if dies:
                raise RuntimeError  # as if the server died before the commit
        return noted

    with pytest.raises(RuntimeError):
        happens(dies=True)
    assert site.ctx.store.read().execute(count).fetchone()["n"] == 0
    assert happens(dies=False) == 1
    assert delivered(site)["status"][-1]["message"] == "Container queued."
