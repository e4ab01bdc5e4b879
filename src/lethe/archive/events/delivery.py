"""Delivered events: noted in the transaction of what happened, worked off by one thread."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from typing import Any

from lethe.archive import accounts, uris
from lethe.archive.containers import launch, registry
from lethe.archive.containers.matcher import matches
from lethe.archive.containers.objects import item_object, resource_object
from lethe.archive.containers.runner import Runner
from lethe.archive.context import Context, Event
from lethe.archive.events import subscriptions
from lethe.archive.events.kinds import PACKAGE, wrapper_of
from lethe.archive.events.subscriptions import Subscription
from lethe.archive.model import User
from lethe.errors import Outcome, Refused

Json = dict[str, Any]
_LOOK_SECONDS = 5.0
_STOP_SECONDS = 5.0


class Deliverer:
    """Listens to the archive's bus and launches what subscriptions ask for."""

    def __init__(self, ctx: Context, runner: Runner) -> None:
        self._ctx, self._runner = ctx, runner
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lethe-events", daemon=True)

    def start(self) -> None:
        """Work off what was noted before, then what comes."""
        self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """End after the delivery at hand."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def hear(self, event: Event) -> None:
        """Note an event for every subscription that it concerns, within the transaction that is open."""
        if not subscriptions.enabled(self._ctx):
            return
        wanted = [one for one in subscriptions.listing(self._ctx) if one.wants(event)]
        if not wanted:
            return
        with self._ctx.store.write() as db:
            for one in wanted:
                number = _insert(db, one, event, self._ctx.store.now())
                _step(self._ctx, db, number, "SUBSCRIPTION_TRIGGERED")
            self._ctx.store.after_commit(self._wake.set)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()
            try:
                self._work_off()
            except sqlite3.OperationalError:
                self._ctx.logger.error("events could not be delivered; next try in %g s", _LOOK_SECONDS)

    def _work_off(self) -> None:
        rows = (
            self._ctx.store.read()
            .execute("SELECT * FROM ev_delivery WHERE pending = 1 ORDER BY id")
            .fetchall()
        )
        for row in rows:
            if self._stopping.is_set():
                return
            self._deliver(row)

    def _deliver(self, row: sqlite3.Row) -> None:
        """Launch for one delivery; launch and the note of it are one transaction."""
        ctx = self._ctx
        try:
            with ctx.store.write() as db:
                one = subscriptions.get(ctx, row["subscription"])
                if one is None or not one.active:
                    self._halt(db, row, "SUBSCRIPTION_DISABLED_HALT", "The subscription is switched off.")
                    return
                self._launch(db, row, one)
        except Outcome as outcome:
            with ctx.store.write() as db:
                self._halt(db, row, "ACTION_FAILED", outcome.sentence, error=True)
        self._runner.wake()

    def _launch(self, db: sqlite3.Connection, row: sqlite3.Row, one: Subscription) -> None:
        ctx, number = self._ctx, row["id"]
        place = uris.resolve_uri(ctx, row["uri"])
        if place.resource is not None:
            found_object = resource_object(ctx, place.item, place.resource)
        else:
            found_object = item_object(ctx, place.item, children=True)
        _step(ctx, db, number, "OBJECT_SERIALIZED")
        if not matches(one.payload_filter, found_object):
            self._halt(db, row, "OBJECT_FILTER_MISMATCH_HALT", "The object does not meet the payload filter.")
            return
        _step(ctx, db, number, "OBJECT_FILTERED")
        _step(ctx, db, number, "RESOLVING_ATTRIBUTES")
        found = registry.find_wrapper(ctx, wrapper_of(one.action_key) or 0)
        if found is None or found.wrapper.root is None:
            raise Refused("no-wrapper", "The command of this subscription no longer exists.")
        project = one.projects[0] if len(one.projects) == 1 else row["project"]
        if not registry.runnable(ctx, found.wrapper_id, project):
            raise Refused("not-enabled", "The command is not enabled in this project and on this site.")
        params = {**one.attributes, found.wrapper.root.name: str(found_object["uri"])}
        _step(ctx, db, number, "ACTION_CALLED")
        run = launch.queue(ctx, self._user(row, one), found, params, project=project)
        db.execute(
            "UPDATE ev_delivery SET pending = 0, run = ?, inputs = ?, label = ? WHERE id = ?",
            (run.id, json.dumps(params), found_object["label"], number),
        )
        _step(ctx, db, number, "ACTION_STEP", "Container queued.")

    def _user(self, row: sqlite3.Row, one: Subscription) -> User:
        login = row["login"] if one.as_event_user else one.owner
        user = accounts.find_user(self._ctx, login)
        if user is None or not user.enabled:
            raise Refused("no-user", "The user for this subscription may not work here.")
        return user

    def _halt(
        self, db: sqlite3.Connection, row: sqlite3.Row, status: str, message: str, error: bool = False
    ) -> None:
        db.execute("UPDATE ev_delivery SET pending = 0, error = ? WHERE id = ?", (int(error), row["id"]))
        _step(self._ctx, db, row["id"], status, message)


def _insert(db: sqlite3.Connection, one: Subscription, event: Event, moment: float) -> int:
    cursor = db.execute(
        "INSERT INTO ev_delivery (subscription, subscription_name, event_type, event_status, project, uri,"
        " xsi_type, login, created) VALUES (?,?,?,?,?,?,?,?,?)",
        (
            one.id,
            one.name,
            event.kind,
            event.status,
            event.project,
            event.uri,
            event.xsi_type,
            event.login,
            moment,
        ),
    )
    return int(cursor.lastrowid or 0)


def _step(ctx: Context, db: sqlite3.Connection, number: int, status: str, message: str = "") -> None:
    db.execute(
        "INSERT INTO ev_step (delivery, status, time, message) VALUES (?,?,?,?)",
        (number, status, ctx.store.now(), message),
    )


# ---- what was delivered -----------------------------------------------------------------------------------


FILTERS = {"id": "id", "subscription": "subscription", "project": "project", "user": "login",
           "event-type": "event_type", "status": "event_status", "error": "error"}  # fmt: skip
"""Filters of the list of deliveries, and their columns."""


def listing(
    ctx: Context, project: str = "", *, number: int | None = None, filters: Mapping[str, object] = {},
    limit: int = -1, offset: int = 0,
) -> list[Json]:  # fmt: skip
    """Return deliveries as JSON, newest first; of one project, or one delivery, or those of `filters`."""
    where, values = ("project = ?" if project else "1 = 1"), list[object]([project] if project else [])
    if number is not None:
        filters = {**filters, "id": number}
    for name, value in filters.items():
        where += f" AND {FILTERS[name]} = ?"
        values.append(str(value).removeprefix(PACKAGE) if isinstance(value, str) else value)
    rows = ctx.store.read().execute(
        f"SELECT * FROM ev_delivery WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?",  # noqa: S608
        [*values, limit, offset],
    )
    return [_document(ctx, row) for row in rows.fetchall()]


def count(ctx: Context, project: str = "") -> int:
    """Return how many deliveries there are, of one project if named."""
    row = ctx.store.read().execute(
        "SELECT COUNT(*) AS n FROM ev_delivery WHERE ? = '' OR project = ?", (project, project)
    ).fetchone()  # fmt: skip
    return int(row["n"])


def _document(ctx: Context, row: sqlite3.Row) -> Json:
    steps = (
        ctx.store.read()
        .execute("SELECT * FROM ev_step WHERE delivery = ? ORDER BY id", (row["id"],))
        .fetchall()
    )
    status = [
        {
            "status": step["status"],
            "timestamp": round(step["time"] * 1000),
            "message": step["message"] or None,
        }
        for step in steps
    ]
    return {
        "id": row["id"],
        "event": {"event-type": PACKAGE + row["event_type"], "status": row["event_status"]},
        "event-type": PACKAGE + row["event_type"],
        "timestamp": round(row["created"] * 1000),
        "subscription": {"id": row["subscription"], "name": row["subscription_name"]},
        "user": row["login"],
        "project": row["project"],
        "inputs": json.loads(row["inputs"]),
        "trigger": {"label": row["label"], "xsi-type": row["xsi_type"], "uri": row["uri"]},
        "status": status,
        "status-message": (status[-1]["message"] or status[-1]["status"]) if status else None,
        "error": bool(row["error"]),
    }
