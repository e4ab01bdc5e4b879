"""What runs while the server runs: the receivers and the thread that builds sessions that came to rest."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from lethe.archive import accounts
from lethe.archive.context import Context
from lethe.archive.intake import commit, prearchive, scp
from lethe.archive.intake.commit import Overwrite
from lethe.archive.intake.importer import archive_mode
from lethe.archive.intake.prearchive import BUSY, Row, Status
from lethe.archive.intake.receive import Arrival, Intake, Told
from lethe.archive.intake.routing import Rules
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.errors import Outcome, Refused, Unavailable

DEFAULT_TITLE = "XNAT"
EXPRESSIONS = ("projectRoutingExpression", "subjectRoutingExpression", "sessionRoutingExpression")
_SHORTEST_TICK, _LONGEST_TICK = 0.05, 5.0
_BUILT_IN_RECEIVER = User(login="receiver", number=0, site_roles=frozenset({"Administrator"}))


@dataclass(slots=True)
class Runtime:
    """Receivers and rebuilder of one archive.

    Parameters
    ----------
    intake : Intake
        Where received objects go.
    interval_minutes : float or None
        Rest after which a session is built; None reads the site's ``sessionXmlRebuilderInterval``.
    """

    intake: Intake
    interval_minutes: float | None = None
    _receivers: dict[int, scp.Receiver] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Recover what a crash left, open the receivers, start the rebuilder."""
        recover(self.intake)
        self.open_receivers()
        self._thread = threading.Thread(target=self._loop, name="rebuilder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the receivers and end the rebuilder."""
        self._stop.set()
        self.close_receivers()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def open_receivers(self) -> None:
        """Listen as configured: close ports that are gone or changed, open the others."""
        ctx = self.intake.ctx
        with self._lock:
            self._close()
            for port, titles in scp.ports_of(receiver_rows(ctx)).items():
                spool = ctx.store.root / "tmp"
                try:
                    self._receivers[port] = scp.Receiver(
                        titles, port, spool, self._store, admit=self._admit, host=_host(ctx)
                    )
                except OSError as error:
                    raise Unavailable(
                        "dicom-port",
                        f"The DICOM port {port} cannot be opened ({error.strerror or 'taken'}).",
                        remedy="Free the port or configure another one.",
                    ) from error
                ctx.logger.info("DICOM receiver listens on port %d", port)

    def close_receivers(self) -> None:
        """Stop listening."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        for receiver in self._receivers.values():
            receiver.stop()
        self._receivers.clear()

    def tick(self) -> None:
        """Build and archive every session that came to rest."""
        rest = self._interval() * 60
        now = self.intake.ctx.store.now()
        for row in prearchive.with_status(self.intake.ctx, Status.RECEIVING):
            if not row.private and now - self.intake.quiet_since(row) >= rest:
                settle(self.intake, row.pk)

    def _loop(self) -> None:
        while not self._stop.wait(min(max(self._interval() * 15, _SHORTEST_TICK), _LONGEST_TICK)):
            try:
                self.tick()
            except (Outcome, OSError, sqlite3.Error) as error:
                self.intake.ctx.logger.error("rebuilder: %s", type(error).__name__)

    def _interval(self) -> float:
        if self.interval_minutes is not None:
            return self.interval_minutes
        return float(self.intake.ctx.settings.get("sessionXmlRebuilderInterval") or 0)

    def _admit(self, called: str, calling: str, address: str) -> bool:
        row = _receiver_called(self.intake.ctx, called)
        if row is None or not row.get("whitelistEnabled"):
            return row is not None
        return any(
            entry in {calling, address, f"{calling}@{address}"} for entry in row.get("whitelist") or ()
        )

    def _store(self, delivery: scp.Delivery) -> tuple[int, str]:
        ctx = self.intake.ctx
        row = _receiver_called(ctx, delivery.called) or {}
        try:
            arrival = Arrival(receiver_user(ctx), rules=_rules(row), source="dicom")
            receipt = self.intake.accept(delivery.path, arrival, expected_uid=delivery.sop_instance_uid)
        except Refused as refusal:
            known = {"unparsable": scp.NOT_UNDERSTOOD, "http-400": scp.MISMATCH}
            return known.get(refusal.code, scp.PROCESSING_FAILURE), refusal.code
        except Outcome as outcome:
            ctx.logger.error("receiver: %s", outcome.code)
            return scp.PROCESSING_FAILURE, outcome.code
        except OSError as error:
            ctx.logger.error("receiver: cannot write (%s)", error.errno)
            return scp.OUT_OF_RESOURCES, "cannot write"
        except sqlite3.Error as error:
            ctx.logger.error("receiver: database (%s)", type(error).__name__)
            return scp.OUT_OF_RESOURCES, "database"
        finally:
            delivery.path.unlink(missing_ok=True)
        if receipt.told is Told.CONFLICT:
            return scp.DUPLICATE_OBJECT, "same UID, other content"
        if receipt.told is Told.QUARANTINED:
            return scp.NOT_AUTHORIZED, f"kept aside: {receipt.code}"
        return scp.SUCCESS, ""


def settle(intake: Intake, pk: int, *, archive: bool | None = None) -> None:
    """Build a session and archive it if its project wants that; a conflict is left for a person.

    Parameters
    ----------
    archive : bool or None
        Whether to archive; None lets the object's wish and the project's code decide.
    """
    try:
        onward = wants_archive(intake.ctx, prearchive.by_pk(intake.ctx, pk)) if archive is None else archive
        # A state of its own: killed between building and archiving, it goes on at the next start.
        row = intake.build(pk, Status.QUEUED_ARCHIVING if onward else Status.READY)
        if row.status == Status.QUEUED_ARCHIVING:
            commit.archive(intake, pk, auto_request(intake.ctx, row))
    except Problem as problem:
        if problem.sentence == commit.TRANSIENT:
            prearchive.change(intake.ctx, pk, status=Status.RECEIVING)
        intake.ctx.logger.warning("a session stays in the prearchive: %d", problem.status)
    except (Outcome, OSError) as error:
        prearchive.change(intake.ctx, pk, status=Status.ERROR, message="The session could not be built.")
        intake.ctx.logger.error("building a session failed: %s", type(error).__name__)


def wants_archive(ctx: Context, row: Row) -> bool:
    """Tell whether a received session goes on to the archive by itself."""
    kept = row.words.get("prevent_auto_commit") == "true"
    if kept or prearchive.is_unassigned(row) or row.auto_archive == "false":
        return False
    return row.auto_archive == "true" or archive_mode(ctx, row.project) in (4, 5)


def auto_request(ctx: Context, row: Row) -> commit.Request:
    """Return how a received session is archived: late objects join, code 5 lets them replace."""
    replace = archive_mode(ctx, row.project) == 5
    return commit.Request(login=row.login, overwrite=Overwrite.DELETE if replace else Overwrite.APPEND)


def recover(intake: Intake) -> None:
    """Put right what a killed server left: unanswered uploads go, other sessions come to rest anew."""
    ctx = intake.ctx
    for row in prearchive.listing(ctx):
        if row.private or row.status == Status.DELETING:
            prearchive.change(ctx, row.pk, status=Status.READY)
            intake.delete(row.pk)
        elif row.status in {*BUSY, Status.RECEIVING, Status.QUEUED_ARCHIVING}:
            prearchive.change(ctx, row.pk, status=Status.RECEIVING)


def receiver_user(ctx: Context) -> User:
    """Return in whose name received objects are stored: site setting ``receivedFileUser``, else built in."""
    login = ctx.settings.get("receivedFileUser")
    found = accounts.find_user(ctx, str(login)) if login else None
    return found or _BUILT_IN_RECEIVER


def receiver_rows(ctx: Context) -> list[dict[str, Any]]:
    """Return the configured receivers as ``/xapi/dicomscp`` shows them."""
    rows = ctx.store.read().execute("SELECT id, title, port, data FROM intake_receiver ORDER BY id")
    return [
        {**json.loads(row["data"]), "id": row["id"], "aeTitle": row["title"], "port": row["port"]}
        for row in rows
    ]


def _receiver_called(ctx: Context, title: str) -> Mapping[str, Any] | None:
    return next((row for row in receiver_rows(ctx) if row["aeTitle"] == title and row.get("enabled")), None)


def _rules(row: Mapping[str, Any]) -> Rules:
    if not row.get("routingExpressionsEnabled"):
        return Rules()
    return Rules.parse(*(str(row.get(name) or "") for name in EXPRESSIONS))


def _host(ctx: Context) -> str:
    """Listen where the web server listens: on this machine alone, or on every interface."""
    name = urlsplit(ctx.http_url).hostname or ""
    return "127.0.0.1" if name in {"127.0.0.1", "localhost", "::1"} else ""
