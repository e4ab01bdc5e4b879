"""XNAT's Event Service: a subscription launches a command when something happens.

Whoever changes the archive publishes on its bus, inside of the transaction, and need not know this room:
the note that something shall be launched is committed with the change itself. A session that was archived,
whether by import, C-STORE or from the prearchive, is told once::

    ctx.events.publish(
        Event("SessionEvent", "CREATED", project, "/archive/experiments/XNAT_E00001", xsi_type, login))

and each of its scans with ``Event("ScanEvent", "CREATED", project, ".../scans/1", xsi_type, login)``.
`emit` does the same by hand.
"""

from __future__ import annotations

from starlette.routing import Route

from lethe.archive.containers.runner import Runner
from lethe.archive.context import Context, Event
from lethe.archive.events import api
from lethe.archive.events.delivery import Deliverer
from lethe.archive.events.tables import SCRIPT

_PART = "events"


def emit(ctx: Context, kind: str, status: str, *, project: str, uri: str, xsi_type: str, login: str) -> None:
    """Tell the archive that something happened; `kind` and `status` as in `lethe.archive.context.Event`."""
    ctx.events.publish(Event(kind, status, project, uri, xsi_type, login))


def routes(ctx: Context, runner: Runner) -> list[Route]:
    """Return the routes below ``/xapi`` and begin to listen."""
    if _PART not in ctx.parts:
        ctx.store.add_tables(SCRIPT)
        deliverer = ctx.parts[_PART] = Deliverer(ctx, runner)
        ctx.events.subscribe(deliverer.hear)
    return api.routes(ctx)


def start(ctx: Context) -> None:
    """Deliver what was noted before the server ended, then what comes."""
    ctx.parts[_PART].start()


def stop(ctx: Context) -> None:
    """Stop delivering; what is noted stays."""
    ctx.parts[_PART].stop()
