"""Import, prearchive, DICOM receiver: everything that brings objects into the archive."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from starlette.routing import BaseRoute

from lethe.archive.context import Context
from lethe.archive.intake import http_import, http_prearchive, http_scp, http_services
from lethe.archive.intake.net import HeaderCheck, Net
from lethe.archive.intake.receive import Intake
from lethe.archive.intake.runtime import DEFAULT_TITLE, Runtime, receiver_rows
from lethe.archive.intake.secondnet import SecondNet

__all__ = ["HEADER_CHECK", "intake_of", "routes", "runtime_of", "start", "stop"]

_PART = "intake"
HEADER_CHECK = "header_check"
"""Key of ``ctx.parts`` under which another header check than the bundled net may be given."""


def runtime_of(ctx: Context) -> Runtime:
    """Return the receivers and the rebuilder of an archive; made at the first call."""
    if _PART not in ctx.parts:
        check: HeaderCheck = ctx.parts.get(HEADER_CHECK) or SecondNet()
        ctx.parts[_PART] = Runtime(Intake(ctx, Net(ctx, check)))
    runtime: Runtime = ctx.parts[_PART]
    return runtime


def intake_of(ctx: Context) -> Intake:
    """Return the prearchive of an archive."""
    return runtime_of(ctx).intake


def routes(ctx: Context) -> Sequence[BaseRoute]:
    """Return the routes of this part."""
    runtime = runtime_of(ctx)
    return [
        *http_import.routes(ctx, runtime.intake),
        *http_prearchive.routes(ctx, runtime.intake),
        *http_services.routes(ctx, runtime.intake),
        *http_scp.routes(ctx, runtime),
    ]


def start(ctx: Context) -> None:
    """Recover, listen on ``ctx.dicom_port`` and the configured receivers, start the rebuilder."""
    runtime = runtime_of(ctx)
    if ctx.dicom_port is not None:
        ctx.dicom_port = ctx.dicom_port or _free_port()
        rows = [row for row in receiver_rows(ctx) if row["aeTitle"] == DEFAULT_TITLE]
        values = rows[0] if rows else {**http_scp.DEFAULTS, "aeTitle": DEFAULT_TITLE}
        http_scp.save(ctx, {**values, "port": ctx.dicom_port}, int(rows[0]["id"]) if rows else None)
    runtime.start()


def stop(ctx: Context) -> None:
    """Close the receivers and end the rebuilder."""
    runtime_of(ctx).stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
