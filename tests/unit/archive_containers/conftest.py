"""An archive in a temporary folder, with this room's routes behind a door that believes the sender's name."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from kit.quick_archive import on_one_loop, prepare
from lethe.archive import accounts, containers, content, items, workflows
from lethe.archive.containers import runs
from lethe.archive.context import open_context
from lethe.archive.model import GUEST
from lethe.archive.problem import Problem

Json = dict[str, Any]


class Site:
    """A small archive: project P with session E1 of two scans, users admin, owner, member, reader, other."""

    def __init__(self, root: Path) -> None:
        self.ctx = open_context(root if root.exists() else prepare(root))
        self.ctx.backend = "process"
        self.ctx.http_url = "http://127.0.0.1:8080"
        self.client = on_one_loop(TestClient(self._app(), raise_server_exceptions=True))
        for login in ("admin", "owner", "member", "reader", "other"):
            accounts.create_user(self.ctx, login, login, admin=login == "admin")
        items.create_project(self.ctx, "P", login="owner")
        accounts.set_membership(self.ctx, "P", "member", "member")
        accounts.set_membership(self.ctx, "P", "reader", "collaborator")
        self.session = self.add_session("E1")

    def _app(self) -> Starlette:
        ctx = self.ctx

        class Door(BaseHTTPMiddleware):
            async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
                name = request.headers.get("X-User", "")
                request.state.user = accounts.find_user(ctx, name) or GUEST
                return await call_next(request)

        def refuse(_: Request, problem: Exception) -> Response:
            assert isinstance(problem, Problem)
            return Response(problem.sentence, problem.status)

        app = Starlette(routes=containers.routes(ctx), exception_handlers={Problem: refuse})
        app.add_middleware(Door)
        return app

    def add_session(self, label: str, project: str = "P", **files: bytes) -> str:
        """Add a session with scans 1 and 2, each with DICOM/a.txt; return its accession id."""
        subject, _ = items.ensure_subject(self.ctx, project, "S1", login="owner")
        session, _ = items.ensure_experiment(
            self.ctx, project, subject, label, "xnat:mrSessionData", login="owner"
        )
        for number in ("1", "2"):
            scan, _ = items.ensure_scan(
                self.ctx, session, number, "xnat:mrScanData", login="owner", data={"type": f"T{number}"}
            )
            self.put(scan, "DICOM", "a.txt", b"hello")
        self.put(session, "IN", "a.txt", b"hello")
        return session.id

    def put(self, item: Any, label: str, path: str, data: bytes) -> None:
        """Store one file."""
        resource, _ = content.ensure_resource(self.ctx, item, label, login="owner")
        temporary = self.ctx.root / "tmp" / "put"
        temporary.write_bytes(data)
        content.add_file(self.ctx, resource, path, temporary, login="owner", overwrite=True)
        temporary.unlink()

    def send(self, method: str, path: str, user: str = "admin", **more: Any) -> Any:
        """Send a request below /xapi."""
        return self.client.request(method, f"/xapi{path}", headers={"X-User": user}, **more)

    def register(self, command: Json, *, project: str = "P") -> tuple[int, int]:
        """Register a command and enable its first wrapper; return command id and wrapper id."""
        answer = self.send("POST", "/commands", json=command)
        assert answer.status_code == 201, answer.text
        number = int(answer.json())
        wrapper = int(self.send("GET", f"/commands/{number}").json()["xnat"][0]["id"])
        assert self.send("PUT", f"/wrappers/{wrapper}/enabled").status_code == 200
        assert self.send("PUT", f"/projects/{project}/wrappers/{wrapper}/enabled").status_code == 200
        return number, wrapper

    def launch(self, wrapper: int, body: Json, root: str = "session", user: str = "member") -> int:
        """Launch in P; return the workflow number."""
        answer = self.send("POST", f"/projects/P/wrappers/{wrapper}/root/{root}/launch", user, json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["workflow-id"])

    def wait(self, workflow: int, seconds: float = 60.0) -> str:
        """Wait for the end of a workflow; return its status."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = workflows.workflow(self.ctx, workflow)
            assert found is not None
            if found.status == "Complete" or found.status.startswith(("Failed", "Killed")):
                return found.status
            time.sleep(0.02)
        raise AssertionError(f"still {found.status}")

    def run_of(self, workflow: int) -> runs.Run:
        """Return the run of a workflow."""
        return runs.listing(self.ctx, "workflow = ?", [workflow])[0]

    def history(self, workflow: int) -> list[str]:
        """Return the status words of a run."""
        return [row["status"] for row in runs.history(self.ctx, self.run_of(workflow).id)]

    def message(self, workflow: int) -> str:
        """Return the last message of a run."""
        return str(runs.history(self.ctx, self.run_of(workflow).id)[-1]["message"])

    def files(self, label: str, session: str = "", scan: str = "") -> dict[str, bytes]:
        """Return path -> bytes of a resource of a session or scan."""
        item = items.find_experiment(self.ctx, session or self.session)
        assert item is not None
        if scan:
            item = items.find_scan(self.ctx, item, scan)
            assert item is not None
        resource = content.find_resource(self.ctx, item, label)
        if resource is None:
            return {}
        entries = content.list_files(self.ctx, resource)
        return {entry.path: content.file_path(self.ctx, resource, entry).read_bytes() for entry in entries}


def smoke(line: str = "cp /input/a.txt /output/#OUT#", **changes: Any) -> Json:
    """Return the command of scenario S34 with another command line."""
    return {
        "name": "smoke",
        "type": "docker",
        "schema-version": "1.0",
        "version": "1",
        "image": "alpine:3.20",
        "override-entrypoint": True,
        "command-line": line,
        "mounts": [
            {"name": "i", "writable": False, "path": "/input"},
            {"name": "o", "writable": True, "path": "/output"},
        ],
        "inputs": [{"name": "OUT", "type": "string", "default-value": "b.txt", "required": True}],
        "outputs": [{"name": "out", "mount": "o", "path": "", "required": True}],
        "xnat": [
            {
                "name": "smoke-session",
                "contexts": ["xnat:imageSessionData"],
                "external-inputs": [
                    {"name": "session", "type": "Session", "required": True, "load-children": True}
                ],
                "derived-inputs": [
                    {
                        "name": "res",
                        "type": "Resource",
                        "derived-from-wrapper-input": "session",
                        "matcher": "@.label == 'IN'",
                        "provides-files-for-command-mount": "i",
                    }
                ],
                "output-handlers": [
                    {
                        "name": "h",
                        "type": "Resource",
                        "accepts-command-output": "out",
                        "as-a-child-of": "session",
                        "label": "OUT",
                    }
                ],
            }
        ],
        **changes,
    }


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are not what is tested here."""
    monkeypatch.setitem(accounts._COST, "n", 2)


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A temporary folder in memory where the machine has one: an fsync costs nothing there."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="lethe-"))
    yield folder
    deadline = time.monotonic() + 30
    while folder.exists():  # a run that is ending just now may still write
        assert time.monotonic() < deadline
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def site(quick_path: Path) -> Iterator[Site]:
    """A running archive on the process backend."""
    found = Site(quick_path / "archive")
    containers.start(found.ctx)
    yield found
    containers.stop(found.ctx)
    found.ctx.store.close()


@pytest.fixture
def python() -> str:
    """Path of this Python, for command lines."""
    return sys.executable


@pytest.fixture
def make_site(quick_path: Path) -> Callable[[], Site]:
    """Open an archive without starting its runner."""
    return lambda: Site(quick_path / "archive")
