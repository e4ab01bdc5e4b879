"""An embedded archive with accounts and registered commands, for tests of collections and access."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from lethe.governance.collection import Collection
from lethe.governance.definition import Definition, of_data
from lethe.xnat import collections, commands, records
from lethe.xnat.client import Archive, connect
from system.bulk_site import definition as command_of
from unit.archive_containers.server import PASSWORDS, Server

PEOPLE = ("owner", "carol", "curator", "member", "collaborator", "stranger")
SIGNED = {"reference": "DTA 1", "since": "2020-01-01", "uses": ["access", "contribute", "publish"]}
ETHICS = {"reference": "EC 1", "since": "2020-01-01", "kind": "approval"}


class CollectionSite:
    """The archive, and ways to act on it as one of its people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Server(folder)
        self.server.start()
        self._stack = ExitStack()
        self._open: dict[str, Archive] = {}
        for login in PEOPLE:
            account = {"username": login, "password": login, "email": f"{login}@example.org"}
            answer = self.server.rq(
                "POST", "/xapi/users", json={**account, "enabled": True, "verified": True}
            )
            assert answer.status_code == 201, answer.text
        with self.archive("admin") as archive:
            for name in ("deface", "clean-header"):
                commands.register(archive, command_of(name))

    @contextmanager
    def archive(self, login: str = "admin") -> Iterator[Archive]:
        """Give a connection; it is kept, since opening one takes longer than most tests."""
        if login not in self._open:
            password = PASSWORDS.get(login, login)
            self._open[login] = self._stack.enter_context(connect(self.server.url, login, password))
        yield self._open[login]

    def stop(self) -> None:
        """Close every connection and end the archive."""
        self._stack.close()
        self.server.stop()

    def rq(self, method: str, path: str, login: str | None = "admin", **more: Any) -> requests.Response:
        """Send one plain request."""
        auth = (login, PASSWORDS.get(login, login)) if login else None
        return requests.request(method, self.server.url + path, auth=auth, timeout=60, **more)

    def lethe(self, *words: str | Path, login: str = "admin") -> subprocess.CompletedProcess[str]:
        """Run the command line as one of the people."""
        given = {"LETHE_XNAT_USER": login, "LETHE_XNAT_PASSWORD": PASSWORDS.get(login, login)}
        environment = {"LETHE_XNAT_URL": self.server.url, **os.environ, **given, "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "lethe.cli", *map(str, words)],
            env={**environment, "LETHE_XNAT_URL": self.server.url},
            capture_output=True,
            text=True,
            check=False,
        )

    def file(self, data: dict[str, Any]) -> Path:
        """Write a collection file."""
        path = self.folder / f"{uuid.uuid4().hex}.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return path

    def apply(
        self, data: dict[str, Any] | Definition, login: str = "admin", **more: Any
    ) -> collections.Planned:
        """Plan and apply, in this process."""
        definition = data if isinstance(data, Definition) else of_data(data)
        with self.archive(login) as archive:
            who = records.caller(archive)
            planned = collections.make_plan(archive, definition, who, **more)
            collections.apply_plan(archive, planned, who, why="test")
        return planned

    def everything(self, *names: str) -> list[Any]:
        """Return what must stay the same when something was refused.

        All projects with their names, and of the named collections people, visibility, records, trail.
        """
        found: list[Any] = [self.rq("GET", "/data/projects?format=json").json()]
        for project in [one for name in names for one in (name, f"{name}_INTAKE")]:
            for path in (
                "users?format=json",
                "accessibility",
                "config/lethe/collection?contents=true",
                "resources/ACCESS_TRAIL/files?format=json",
            ):
                answer = self.rq("GET", f"/data/projects/{project}/{path}")
                found.append([answer.status_code, answer.text])
        return found


def fresh() -> str:
    """Return a name that no collection has."""
    return "C" + uuid.uuid4().hex[:8].upper()


def file_data(collection: str, **changes: Any) -> dict[str, Any]:
    """Return a small collection file: one centre with everything signed, all three roles."""
    return {
        "collection": collection,
        "name": f"Collection {collection}",
        "description": "A test",
        "centres": {"ZRH": {"name": "Zurich", "agreement": dict(SIGNED), "ethics": dict(ETHICS)}},
        "people": {
            "owner": {"centre": "ZRH", "collection": "owner", "intake": "owner"},
            "member": {"centre": "ZRH", "collection": "member"},
            "collaborator": {"centre": "ZRH", "collection": "collaborator"},
            "curator": {"centre": "ZRH", "intake": "member"},
        },
        **changes,
    }


def full_data(name: str) -> dict[str, Any]:
    """Return a collection file that uses every key."""
    return file_data(
        name,
        visibility="protected",
        arrival="wait",
        access={"agreement": True},
        profile={"name": "stroke", "approved_by": "PI", "approved": "2026-01-01"},
        deviations={
            "PatientWeight": {
                "action": "number",
                "justification": "dose",
                "approved_by": "PI",
                "until": "2099-12-31",
            }
        },
        lookup={"mode": "anonymous", "width_bits": 16, "shift_days": 21},
        commands={"intake": ["deface-scan", "deface-session", "clean-header-scan"]},
        automation={"on arrival": {"event": "session-archived", "command": "deface-session"}},
        fields={"funding": "somebody", "doi": "10.1/x = y & z"},
    )


def renamed(definition: Definition, name: str) -> Definition:
    """Return a drawn definition under another name."""
    data = {**definition.data, "collection": name, "name": f"{definition.data['name']} {name}"}
    return Definition(Collection(name), data)
