"""One walk of the demo for all system tests, and the archive that it left, running again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from demo_walk.server import Server, archive, free_port
from kit.people import Person, people
from system.bulk_site import Engine, build_images

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENTS = 13
REFUSED = 1  # the last one of them


@dataclass(frozen=True)
class Walked:
    """A finished demo: its folder, what it printed, and its summary."""

    folder: Path
    process: subprocess.CompletedProcess[str]
    summary: dict[str, Any]
    people: list[Person]


def demo_command(folder: Path, *options: str) -> list[str]:
    """Return the command line of the demo without set-up (the tests run in the prepared environment)."""
    return [sys.executable, "-m", "demo_walk", "--no-serve", "--dir", str(folder), *options]


def demo_environment() -> dict[str, str]:
    """Return the environment that `scripts/demo` gives."""
    return {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'scripts'}{os.pathsep}{REPOSITORY / 'tests'}"}


def run_demo(folder: Path, *options: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        demo_command(folder, *options),
        env=demo_environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """The demo, walked once."""
    folder = tmp_path_factory.mktemp("walk") / "demo"
    process = run_demo(folder)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return Walked(folder, process, json.loads((folder / "summary.json").read_text()), people(PATIENTS))


@pytest.fixture(scope="session")
def server(walked: Walked) -> Iterator[Server]:
    """The demo's archive, running."""
    with archive(walked.folder, free_port(None, 18080), free_port(None, 18104), "process") as running:
        yield running


@pytest.fixture
def get(server: Server) -> Any:
    """Plain HTTP as one of the demo's people: ``get("member", "/data/projects")``."""

    def call(login: str | None, path: str, method: str = "GET", **options: Any) -> requests.Response:
        auth = (login, server.passwords[login]) if login else None
        return requests.request(
            method, server.url + path, auth=auth, allow_redirects=False, timeout=60, **options
        )

    return call


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Return what skips a test on the engine where none answers, and builds the images where one does."""
    ready: list[bool] = []

    def check(backend: str) -> None:
        if backend == "process" or ready:
            return
        done = build_images()
        if done.returncode == 5:
            pytest.skip("no Docker engine answers: the commands are tested as processes only")
        assert done.returncode == 0, done.stderr
        ready.append(True)

    return check
