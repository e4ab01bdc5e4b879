"""A real server process, to be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import requests

from kit.ports import free_port

PASSWORDS = {"admin": "admin", "alice": "alice", "bob": "bob"}


class Server:
    """``lethe archive serve`` on a free port."""

    def __init__(self, folder: Path, backend: str = "process") -> None:
        self.root = folder / "archive"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.backend = backend
        self.log = folder / "server.log"
        self.users = folder / "users.json"
        users = {login: {"password": word, "admin": login == "admin"} for login, word in PASSWORDS.items()}
        self.users.write_text(json.dumps(users))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [sys.executable, "-m", "lethe.cli", "archive", "serve", "--root", str(self.root)]
        command += ["--http", str(self.port), "--users", str(self.users), "--backend", self.backend]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                requests.get(self.url + "/data/version", timeout=5)
                return
            except (requests.ConnectionError, requests.Timeout):
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise AssertionError(self.log.read_text()[-2000:])

    def kill(self) -> None:
        """Kill the server process alone, as a power cut or the kernel would: no clean-up of any kind."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the server politely."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def rq(self, method: str, path: str, user: str | None = "admin", **more: Any) -> requests.Response:
        """Send one request."""
        login = (user, PASSWORDS[user]) if user else None
        return requests.request(method, self.url + path, auth=login, timeout=30, **more)

    def new_project(self, owner: str = "admin") -> str:
        """Make a project with a fresh id."""
        project = "P" + uuid.uuid4().hex[:8].upper()
        assert self.rq("PUT", f"/data/projects/{project}", owner).status_code == 200
        return project

    def session(self, project: str, label: str = "S1_MR1", user: str = "admin") -> str:
        """Make a session with a resource IN; return its accession id."""
        self.rq("PUT", f"/data/projects/{project}/subjects/S1", user)
        path = f"/data/projects/{project}/subjects/S1/experiments/{label}"
        answer = self.rq("PUT", f"{path}?xsiType=xnat:mrSessionData&date=2024-05-01", user)
        assert answer.status_code in (200, 201), answer.text
        accession = answer.text.strip()
        self.rq(
            "PUT", f"/data/experiments/{accession}/resources/IN/files/a.txt?inbody=true", user, data=b"hello"
        )
        return accession

    def register(self, command: dict[str, Any], project: str) -> int:
        """Register and enable a command; return its wrapper id."""
        command = {**command, "name": "smoke-" + uuid.uuid4().hex[:8]}
        answer = self.rq("POST", "/xapi/commands", json=command)
        assert answer.status_code == 201, answer.text
        wrapper = int(self.rq("GET", f"/xapi/commands/{answer.json()}").json()["xnat"][0]["id"])
        assert self.rq("PUT", f"/xapi/wrappers/{wrapper}/enabled").status_code == 200
        assert self.rq("PUT", f"/xapi/projects/{project}/wrappers/{wrapper}/enabled").status_code == 200
        return wrapper

    def launch(self, project: str, wrapper: int, accession: str, **inputs: str) -> str:
        """Launch on a session; return the workflow id."""
        path = f"/xapi/projects/{project}/wrappers/{wrapper}/root/session/launch"
        body = {"session": f"/archive/experiments/{accession}", **inputs}
        answer = self.rq("POST", path, json=body).json()
        assert answer["status"] == "success", answer
        return str(answer["workflow-id"])

    def status(self, workflow: str) -> str:
        """Return the status line of a workflow."""
        answer = self.rq("GET", f"/data/workflows/{workflow}?format=json")
        return str(answer.json()["items"][0]["data_fields"]["status"])

    def wait(self, workflow: str, *until: str, seconds: float = 120) -> str:
        """Poll until the workflow has one of these statuses, or has ended."""
        deadline = time.monotonic() + seconds
        status = ""
        while time.monotonic() < deadline:
            status = self.status(workflow)
            if status in until or status == "Complete" or status.startswith(("Failed", "Killed")):
                return status
            time.sleep(0.05)
        raise AssertionError(f"still {status}: {self.log.read_text()[-2000:]}")

    def files(self, accession: str, label: str) -> dict[str, bytes]:
        """Return name -> bytes of a resource of a session."""
        base = f"/data/experiments/{accession}/resources/{label}/files"
        answer = self.rq("GET", f"{base}?format=json")
        if answer.status_code != 200:
            return {}
        rows = answer.json()["ResultSet"]["Result"]
        return {row["Name"]: self.rq("GET", row["URI"]).content for row in rows}
