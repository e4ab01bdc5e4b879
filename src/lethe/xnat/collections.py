"""Collections as code on an XNAT: plan what differs, then do it change by change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lethe.errors import Misconfigured, Refused
from lethe.governance.changes import Change, Plan, applied, check_terms, difference
from lethe.governance.collection import Collection
from lethe.governance.definition import EVENTS, Definition
from lethe.governance.roles import GROUPS
from lethe.governance.state import INTAKE, PLACES, RECORDS, Entry, State, Value, of_kind
from lethe.governance.trail import role_deed
from lethe.xnat import precheck, projects, records
from lethe.xnat.client import Archive
from lethe.xnat.found import project_of, read_state, registered_wrappers, subscriptions
from lethe.xnat.records import Caller
from lethe.xnat.trail import Trail
from lethe.xnat.wrappers import enable

Progress = Callable[[int, int], None]
_CODES = {"wait": "0", "archive": "4"}


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, checked against the archive.

    Attributes
    ----------
    collection : Collection
    plan : Plan
    found : State
        What was there.
    """

    collection: Collection
    plan: Plan
    found: State


def make_plan(archive: Archive, definition: Definition, who: Caller, *, prune: bool = False) -> Planned:
    """Return what `apply_plan` would do, after checking everything that can be checked beforehand.

    Raises
    ------
    Refused, Misconfigured
        Somebody or something of the file does not exist, a name is taken, no agreement covers a role, ...
        Nothing has been done.
    """
    definition = precheck.with_logins(archive, definition)
    collection = definition.collection
    found = read_state(archive, collection, creator=who.login)
    wanted = definition.state()
    founded = _founded(archive, collection, found, who)
    plan = difference(found, wanted, prune=prune, own=who.login, founded=founded)
    if plan.changes:
        precheck.caller_may(who, wanted, plan)
        precheck.names_free(archive, collection, found, wanted)
        precheck.commands_registered(archive, wanted)
        precheck.profile_holds(wanted, who.today)
    return Planned(collection, check_terms(found, plan, who.today), found)


def _founded(archive: Archive, collection: Collection, found: State, who: Caller) -> list[str]:
    """Return the places where the caller is owner only because XNAT makes the creator of a project one."""
    if not who.administrator or records.read(archive, collection) is not None:
        return []
    return [place for place in PLACES if of_kind(found, "role", place) == {who.login: "owner"}]


def apply_plan(
    archive: Archive, planned: Planned, who: Caller, *, why: str, progress: Progress | None = None
) -> None:
    """Do every change of a plan; each is in the audit trail before it is done.

    A run that was cut can be repeated: what is done already is found done, and the plan is shorter.

    Parameters
    ----------
    why : str
        Goes into the audit trail.
    """
    edge = _Edge(archive, planned.collection, who)
    trail = Trail(archive, planned.collection, who)
    for number, change in enumerate(planned.plan.changes, start=1):
        first = change.entry == Entry("project", INTAKE)  # the trail lies in this project
        if not first:
            trail.append(deed(change, planned.collection), why)
        edge.do(change)
        if first:
            trail.append(deed(change, planned.collection), why)
        if progress is not None:
            progress(number, len(planned.plan.changes))


def deed(change: Change, collection: Collection) -> dict[str, Any]:
    """Return what the audit trail says of a change."""
    kind, place, name = change.entry
    if kind == "role":
        role = None if change.new is None else str(change.new)
        return role_deed(project_of(collection, place), name, role)
    return {"deed": kind, "verb": change.verb, "sentence": change.sentence(collection)}


class _Edge:
    """Does changes by REST."""

    def __init__(self, archive: Archive, collection: Collection, who: Caller) -> None:
        self._archive, self._collection, self._who = archive, collection, who

    def do(self, change: Change) -> None:
        """Do one change."""
        kind, place, name = change.entry
        project = project_of(self._collection, place)
        if kind in RECORDS:
            present = records.read(self._archive, self._collection) or {}
            records.write(self._archive, self._collection, applied(present, change))
            return
        match kind:
            case "project":
                self._create(project)
            case "name" | "description":
                self._put(f"/data/projects/{project}", "change the project", {kind: str(change.new)})
            case "visibility":
                projects.set_visibility(self._archive, project, str(change.new))
            case "arrival":
                code = _CODES[str(change.new)]
                self._put(f"/data/projects/{project}/prearchive_code/{code}", "set the prearchive mode")
            case "field":
                key = f"xnat:projectData/fields/field[name={name}]/field"
                text = "NULL" if change.new is None else str(change.new)
                self._put(f"/data/projects/{project}", "change a field", {key: text})
            case "command":
                self._command(project, name, change.new is not None)
            case "events":
                self._archive.request(
                    "PUT", "/xapi/events/prefs", "switch the event service on", json={"enabled": True}
                )
            case "automation":
                self._automation(project_of(self._collection, INTAKE), change)
            case "role":
                set_role(self._archive, project, name, change.old, change.new)

    def _put(self, path: str, what: str, params: Mapping[str, str] | None = None) -> None:
        self._archive.request("PUT", path, what, params=params)

    def _create(self, project: str) -> None:
        try:
            self._put(f"/data/projects/{project}", "create the project", {"accessibility": "private"})
        except Refused as refused:
            if refused.code != "conflict":
                raise
            raise precheck.name_taken(project) from None

    def _command(self, project: str, name: str, wanted: bool) -> None:
        wrapper = registered_wrappers(self._archive)[name]
        if wanted:
            enable(self._archive, project, wrapper)
            return
        self._put(f"/xapi/projects/{project}/wrappers/{wrapper.wrapper_id}/disabled", "disable a command")

    def _automation(self, project: str, change: Change) -> None:
        name = change.entry.name
        rows = subscriptions(self._archive, project) or []
        number = next((row["id"] for row in rows if row["name"] == name), None)
        path = f"/xapi/projects/{project}/events/subscription"
        if not isinstance(change.new, Mapping):
            if number is not None:
                self._archive.request("DELETE", f"{path}/{number}", "remove a subscription")
            return
        body = self._subscription(project, name, change.new)
        if number is None:
            self._archive.request("POST", path, "make a subscription", json=body)
        else:
            self._archive.request("PUT", f"{path}/{number}", "change a subscription", json=body)

    def _subscription(self, project: str, name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
        event, status = EVENTS[rule["event"]]
        wrapper = registered_wrappers(self._archive)[rule["command"]]
        actions = self._archive.request(
            "GET",
            f"/xapi/projects/{project}/events/actionsbyevent",
            "list the actions of an event",
            params={"event-type": event},
        ).json()
        end = f":{wrapper.wrapper_id}"
        key = next((row["action-key"] for row in actions if str(row["action-key"]).endswith(end)), None)
        if key is None:
            raise Misconfigured(
                "automation-action",
                f"{rule['command']} cannot follow the event {rule['event']}.",
                remedy="A session event starts commands of sessions, a scan event those of scans.",
            )
        return {
            "name": name,
            "active": rule["active"],
            "act-as-event-user": False,
            "action-key": key,
            "attributes": dict(rule["inputs"]),
            "event-filter": {"event-type": event, "status": status, "project-ids": [project]},
        }


def set_role(archive: Archive, project: str, login: str, old: Value | None, new: Value | None) -> None:
    """Give, change or take a role, and look whether it holds: XNAT passes over unknown logins in silence.

    Raises
    ------
    Refused
        The archive took the request but the person has not the role.
    """
    if new is None:
        if str(old) not in GROUPS:
            raise Refused(
                "custom-group",
                f"{login} is in a group of {project} that is none of the three roles.",
                remedy="Take the person out of it on the project's page.",
            )
        projects.revoke(archive, project, login, str(old))
        return
    projects.grant(archive, project, login, str(new))
    if projects.roles(archive, project).get(login) != str(new):
        raise precheck.person_unknown(login)
