"""What an XNAT holds of a collection, read fact by fact into a state."""

from __future__ import annotations

from typing import Any

from lethe.governance.collection import Collection
from lethe.governance.definition import EVENTS
from lethe.governance.roles import GROUPS, Visibility
from lethe.governance.state import COLLECTION, INTAKE, PLACES, Entry, Value
from lethe.xnat import projects, records
from lethe.xnat.client import Archive
from lethe.xnat.wrappers import Wrapper, is_enabled, wrapper_of

_ARRIVAL = {"0": "wait", "4": "archive", "5": "archive"}


def project_of(collection: Collection, place: str) -> str:
    """Return the project id of a place."""
    return collection.intake if place == INTAKE else collection.name


def read_state(archive: Archive, collection: Collection, *, creator: str = "") -> dict[Entry, Value]:
    """Return everything a collection file can say, as it is now.

    Parameters
    ----------
    creator : str
        Who would create missing projects: XNAT makes this person their owner.
    """
    found: dict[Entry, Value] = {}
    wrappers = registered_wrappers(archive)
    for place in PLACES:
        project = project_of(collection, place)
        if not archive.exists(f"/data/projects/{project}", "look for the project"):
            found[Entry("name", place)] = project
            found[Entry("visibility", place)] = Visibility.PRIVATE.value
            if place == INTAKE:
                found[Entry("arrival", place)] = "archive"
            if creator:
                found[Entry("role", place, creator)] = "owner"
            continue
        found |= _project(archive, project, place)
        for wrapper in wrappers.values():
            if is_enabled(archive, project, wrapper):
                found[Entry("command", place, wrapper.name)] = "enabled"
    if _events_on(archive):
        found[Entry("events")] = "on"
    if Entry("project", INTAKE) in found:
        found |= _automation(archive, collection, wrappers)
        found |= records.read(archive, collection) or {}
    return found


def registered_wrappers(archive: Archive) -> dict[str, Wrapper]:
    """Return wrapper name -> the newest wrapper of that name; empty without a Container Service."""
    answer = archive.request("GET", "/xapi/commands", "list commands", ok=(200, 404))
    found: dict[str, Wrapper] = {}
    if answer.status_code == 404:
        return found
    for command in answer.json():
        for one in command.get("xnat") or ():
            if one.get("external-inputs"):
                wrapper = wrapper_of(command, one)
                if wrapper.name not in found or found[wrapper.name].wrapper_id < wrapper.wrapper_id:
                    found[wrapper.name] = wrapper
    return found


def _project(archive: Archive, project: str, place: str) -> dict[Entry, Value]:
    base = f"/data/projects/{project}"
    item = archive.request("GET", base, "read the project", params={"format": "json"}).json()["items"][0]
    data = item["data_fields"]
    found: dict[Entry, Value] = {Entry("project", place): "there"}
    found[Entry("name", place)] = str(data.get("name") or project)
    if data.get("description"):
        found[Entry("description", place)] = " ".join(str(data["description"]).split())
    level = archive.request("GET", f"{base}/accessibility", "read the visibility").text.strip()
    found[Entry("visibility", place)] = level
    for login, role in projects.roles(archive, project).items():
        if role in GROUPS:  # a custom group is not for a collection file to say
            found[Entry("role", place, login)] = role
    if place == INTAKE:
        code = archive.request("GET", f"{base}/prearchive_code", "read the prearchive mode").text.strip()
        found[Entry("arrival", place)] = _ARRIVAL.get(code, code)
    if place == COLLECTION:
        for child in item.get("children") or ():
            if child["field"] == "fields/field":
                for one in child["items"]:
                    values = one["data_fields"]
                    found[Entry("field", "", str(values["name"]).lower())] = str(values.get("field", ""))
    return found


def subscriptions(archive: Archive, project: str) -> list[dict[str, Any]] | None:
    """Return the event subscriptions of a project; None while the event service is off."""
    answer = archive.request(
        "GET", f"/xapi/projects/{project}/events/subscriptions", "list subscriptions", ok=(200, 403, 404)
    )
    if answer.status_code != 200 or not answer.content:
        return None
    rows: list[dict[str, Any]] = answer.json()
    return rows


def _events_on(archive: Archive) -> bool:
    """Tell whether the event service is on, as far as the caller may know."""
    answer = archive.request(
        "GET", "/xapi/events/prefs", "read the preferences of events", ok=(200, 401, 403, 404)
    )
    return answer.status_code == 200 and answer.json().get("enabled") is True


def _automation(archive: Archive, collection: Collection, wrappers: dict[str, Wrapper]) -> dict[Entry, Value]:
    rows = subscriptions(archive, collection.intake)
    if rows is None:
        return {}
    names = {str(wrapper.wrapper_id): name for name, wrapper in wrappers.items()}
    words = {pair: word for word, pair in EVENTS.items()}
    found: dict[Entry, Value] = {Entry("events"): "on"}  # also where the preferences may not be read
    for row in rows:
        filtered = row["event-filter"]
        number = str(row["action-key"]).rsplit(":", 1)[-1]
        event = words.get((str(filtered["event-type"]), str(filtered["status"])))
        if event is None or number not in names:
            continue  # made by somebody for something a collection file cannot say
        found.setdefault(
            Entry("automation", "", str(row["name"])),
            {
                "active": bool(row["active"]),
                "inputs": {str(key): str(text) for key, text in (row.get("attributes") or {}).items()},
                "event": event,
                "command": names[number],
            },
        )
    return found
