"""Subscriptions: stored wishes to launch a command when something happens."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lethe.archive import items
from lethe.archive.containers import registry
from lethe.archive.containers.matcher import compile_matcher
from lethe.archive.context import Context, Event
from lethe.archive.events.kinds import PACKAGE, kind_of, wrapper_of
from lethe.archive.problem import Problem
from lethe.errors import Refused

Json = dict[str, Any]
_ENABLED = "events.enabled"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription; `project` is set when a project's owner made it, `projects` is its filter."""

    id: int
    name: str
    project: str
    owner: str
    active: bool
    as_event_user: bool
    action_key: str
    attributes: dict[str, str]
    event_type: str
    status: str
    projects: tuple[str, ...]
    payload_filter: str
    created: float

    @classmethod
    def of(cls, row: sqlite3.Row) -> Subscription:
        """Make the subscription of a row."""
        values = {name: row[name] for name in cls.__slots__}
        values |= {"active": bool(row["active"]), "as_event_user": bool(row["as_event_user"])}
        values |= {
            "attributes": json.loads(row["attributes"]),
            "projects": tuple(json.loads(row["projects"])),
        }
        return cls(**values)

    def wants(self, event: Event) -> bool:
        """Return whether an event passes type, status and projects (not yet the payload filter)."""
        fits = self.active and self.event_type == event.kind and self.status == event.status
        return fits and (not self.projects or event.project in self.projects)

    def document(self) -> Json:
        """Return the subscription as JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "active": self.active,
            "act-as-event-user": self.as_event_user,
            "action-key": self.action_key,
            "attributes": self.attributes,
            "event-filter": {
                "event-type": PACKAGE + self.event_type,
                "status": self.status,
                "project-ids": list(self.projects),
                "payload-filter": self.payload_filter or None,
            },
            "subscription-owner": self.owner,
            "valid": True,
            "validation-message": None,
            "created": round(self.created * 1000),
        }


# ---- on and off -------------------------------------------------------------------------------------------


def enabled(ctx: Context) -> bool:
    """Return whether the event service is on; a fresh archive has it off, as XNAT does."""
    return bool(ctx.store.setting(_ENABLED, False))


def set_enabled(ctx: Context, value: bool) -> None:
    """Switch the event service on or off."""
    ctx.store.set_setting(_ENABLED, value)


# ---- stored -----------------------------------------------------------------------------------------------


def listing(ctx: Context, project: str = "") -> list[Subscription]:
    """Return all subscriptions, or those that concern one project only."""
    rows = ctx.store.read().execute("SELECT * FROM ev_subscription ORDER BY id").fetchall()
    found = [Subscription.of(row) for row in rows]
    return [one for one in found if not project or one.projects == (project,)]


def get(ctx: Context, number: int) -> Subscription | None:
    """Return one subscription."""
    row = ctx.store.read().execute("SELECT * FROM ev_subscription WHERE id = ?", (number,)).fetchone()
    return None if row is None else Subscription.of(row)


def save(
    ctx: Context, document: object, *, owner: str, project: str = "", number: int | None = None
) -> Subscription:
    """Check and store a new subscription, or replace number `number`.

    Parameters
    ----------
    project : str
        Set when a project's owner asks: the filter must name this project and no other.

    Raises
    ------
    Problem
        400 with what is wrong.
    """
    values = _checked(ctx, document, project)
    with ctx.store.write() as db:
        if number is None:
            values |= {"owner": owner, "created": ctx.store.now(), "project": project}
            marks = ",".join("?" * len(values))
            cursor = db.execute(
                f"INSERT INTO ev_subscription ({', '.join(values)}) VALUES ({marks})",  # noqa: S608
                tuple(values.values()),
            )
            number = int(cursor.lastrowid or 0)
        else:
            sets = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE ev_subscription SET {sets} WHERE id = ?", (*values.values(), number))  # noqa: S608
        stored = get(ctx, number)
    if stored is None:
        raise Problem(404, "There is no such subscription.")
    return stored


def set_active(ctx: Context, number: int, active: bool) -> None:
    """Switch one subscription on or off."""
    with ctx.store.write() as db:
        db.execute("UPDATE ev_subscription SET active = ? WHERE id = ?", (int(active), number))


def delete(ctx: Context, number: int) -> None:
    """Remove a subscription; what it delivered stays on record."""
    with ctx.store.write() as db:
        db.execute("DELETE FROM ev_subscription WHERE id = ?", (number,))


def _checked(ctx: Context, document: object, project: str) -> Json:
    if not isinstance(document, Mapping) or not isinstance(document.get("event-filter"), Mapping):
        raise Problem(400, "A subscription is a JSON object with 'name', 'action-key' and 'event-filter'.")
    wish: Mapping[str, Any] = document["event-filter"]
    kind = kind_of(str(wish.get("event-type", "")))
    if kind is None:
        raise Problem(400, "This archive has no such event type.")
    status = str(wish.get("status", ""))
    if status not in kind.statuses:
        raise Problem(400, f"The status of a {kind.name} is one of {', '.join(kind.statuses)}.")
    projects = _projects(ctx, wish.get("project-ids"), project)
    attributes = document.get("attributes") or {}
    if not isinstance(attributes, Mapping):
        raise Problem(400, "'attributes' is a JSON object of texts.")
    return {
        "name": str(document.get("name") or "").strip() or f"{kind.name} {status}",
        "active": int(bool(document.get("active", True))),
        "as_event_user": int(bool(document.get("act-as-event-user", False))),
        "action_key": _action(ctx, str(document.get("action-key", "")), kind.root, projects),
        "attributes": json.dumps({str(key): str(value) for key, value in attributes.items()}),
        "event_type": kind.name,
        "status": status,
        "projects": json.dumps(projects),
        "payload_filter": check_filter(wish.get("payload-filter")),
    }


def _projects(ctx: Context, value: object, project: str) -> list[str]:
    listed = list(value) if isinstance(value, list | tuple) else []
    if project:
        if listed not in ([], [project]):
            raise Problem(400, "A project's subscription names that project only.")
        return [project]
    for one in listed:
        if items.find_project(ctx, str(one)) is None:
            raise Problem(400, "A project of 'project-ids' does not exist.")
    return [str(one) for one in listed]


def _action(ctx: Context, key: str, root: str, projects: list[str]) -> str:
    number = wrapper_of(key)
    found = registry.find_wrapper(ctx, number) if number is not None else None
    if found is None:
        raise Problem(400, "There is no such action; ask for actionsbyevent.")
    if found.wrapper.root is None or found.wrapper.root.type != root:
        raise Problem(400, f"This action is not launched on a {root}.")
    for project in projects or [""]:
        if not registry.runnable(ctx, found.wrapper_id, project):
            raise Problem(400, "The command is not enabled there.")
    return key


def check_filter(value: object) -> str:
    """Return a payload filter that can be read, the empty text for none; 400 otherwise."""
    text = str(value or "").strip()
    try:
        compile_matcher(text or "true == true")
    except Refused as refusal:
        raise Problem(400, "The payload filter cannot be read.") from refusal
    return text
