"""An archive in a temporary folder, with users of every role, behind an in-process client."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kit.quick_archive import on_one_loop, prepare
from lethe.archive import accounts, items
from lethe.archive.app import create_app
from lethe.archive.context import Context, open_context

USERS = ("admin", "olga", "max", "cora", "una")
"""Logins by role: administrator, owner, member, collaborator, no role. Password = login."""


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_COST", {"n": 2, "r": 1, "p": 1})


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.seconds = datetime(2024, 5, 1, 10, 15, tzinfo=UTC).timestamp()

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one: these tests wait for no disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder) / "root"


@pytest.fixture
def ctx(root: Path, clock: Clock) -> Iterator[Context]:
    context = open_context(prepare(root), clock=clock)
    for login in USERS:
        accounts.create_user(context, login, login, admin=login == "admin", email=f"{login}@example.org")
    yield context
    context.store.close()


class Client:
    """Requests as one of the users (``guest`` sends no credentials)."""

    def __init__(self, ctx: Context) -> None:
        self.http = on_one_loop(TestClient(create_app(ctx.root, ctx=ctx), raise_server_exceptions=True))

    def __call__(self, method, path, user="admin", **more):
        self.http.cookies.clear()
        auth = None if user == "guest" else (user, user)
        return self.http.request(method, path, auth=auth, follow_redirects=False, **more)


@pytest.fixture
def client(ctx: Context) -> Client:
    return Client(ctx)


_NAMES = itertools.count(1)


@pytest.fixture
def project(ctx: Context) -> str:
    """Make a project with an owner, a member and a collaborator; a subject S1, a session E1 and a scan 1."""
    name = f"P{next(_NAMES)}"
    items.create_project(ctx, name, login="olga")
    accounts.set_membership(ctx, name, "max", "member")
    accounts.set_membership(ctx, name, "cora", "collaborator")
    subject, _ = items.ensure_subject(ctx, name, "S1", login="olga")
    session, _ = items.ensure_experiment(ctx, name, subject, "E1", "xnat:mrSessionData", login="olga")
    items.ensure_scan(ctx, session, "1", "xnat:mrScanData", login="olga", data={"type": "T1"})
    return name
