"""Archives for unit tests at little cost: ready-made tables, one event loop for all clients."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import anyio.from_thread
import starlette.routing
from starlette.testclient import TestClient

from lethe.archive.app import create_app
from lethe.archive.context import open_context

MEMORY = Path("/dev/shm")

# every archive has the same some two hundred addresses; each of them is turned into a pattern once
starlette.routing.compile_path = cache(starlette.routing.compile_path)


@cache
def _template() -> Path:
    """Return the folder of an archive that has its tables and nothing in them."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None, prefix="lethe-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ctx = open_context(folder / "root")
    create_app(ctx.root, ctx=ctx)
    ctx.store.close()
    return folder / "root"


def prepare(root: Path) -> Path:
    """Put tables into a new root; return it."""
    root.mkdir(parents=True)
    shutil.copyfile(_template() / "archive.db", root / "archive.db")
    return root


@cache
def _stack() -> ExitStack:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack


@cache
def _portal() -> anyio.from_thread.BlockingPortal:
    return _stack().enter_context(anyio.from_thread.start_blocking_portal())


def on_one_loop(client: TestClient) -> TestClient:
    """Let a client without a lifespan use the loop of all; else each request starts a thread and a loop."""
    client.portal = _portal()
    return client
