"""XNAT's Container Service in the embedded archive: commands, launches, runs; and the Event Service.

`routes`, `start` and `stop` are what the archive calls. Whoever archives a session tells the event
service by the archive's bus, once the session's transaction is committed, and need not know this room::

    ctx.events.publish(Event("SessionEvent", "CREATED", project, "/archive/experiments/E", xsi_type, login))
"""

from __future__ import annotations

from starlette.routing import Route

from lethe.archive.containers.api import commands, containers, launches, server
from lethe.archive.containers.runner import Runner
from lethe.archive.containers.tables import SCRIPT
from lethe.archive.context import Context

_PART = "containers"


def runner_of(ctx: Context) -> Runner:
    """Return the archive's runner (made at first use; it works only between `start` and `stop`)."""
    if _PART not in ctx.parts:
        ctx.store.add_tables(SCRIPT)
        ctx.parts[_PART] = Runner(ctx)
    runner: Runner = ctx.parts[_PART]
    return runner


def routes(ctx: Context) -> list[Route]:
    """Return the routes below ``/xapi``."""
    runner = runner_of(ctx)
    return [
        *commands.routes(ctx),
        *launches.routes(ctx, runner),
        *containers.routes(ctx, runner),
        *server.routes(ctx, runner),
    ]


def start(ctx: Context) -> None:
    """Pick up what a former server left and serve the queue."""
    runner_of(ctx).start()


def stop(ctx: Context) -> None:
    """Leave containers running, end child processes; the next start picks up both."""
    runner_of(ctx).stop()
