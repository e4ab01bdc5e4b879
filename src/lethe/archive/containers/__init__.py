"""XNAT's Container Service in the embedded archive: commands, launches, runs; and the Event Service.

`routes`, `start` and `stop` are what the archive calls; they include those of `lethe.archive.events`.
"""

from __future__ import annotations

from starlette.routing import Route

from lethe.archive import events
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
        *events.routes(ctx, runner),
    ]


def start(ctx: Context) -> None:
    """Pick up what a former server left and serve the queue."""
    runner_of(ctx).start()
    if "events" in ctx.parts:
        events.start(ctx)


def stop(ctx: Context) -> None:
    """Leave containers running, end child processes; the next start picks up both."""
    if "events" in ctx.parts:
        events.stop(ctx)
    runner_of(ctx).stop()
