"""Scenario S34 through real HTTP, and what a kill -9 of the real server process leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import smoke
from .server import Server

# one run writes a first file, waits until it is allowed, then writes the rest: enough time to kill the server
SLOW = (
    "echo begun >> /output/part.txt; while [ ! -e /input/go ]; do sleep 0.05; done; "
    "cp /input/a.txt /output/whole.txt"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    found.start()
    yield found
    found.stop()


def release(server: Server, accession: str) -> None:
    """Let the slow command go on."""
    path = f"/data/experiments/{accession}/resources/IN/files/go?inbody=true"
    assert server.rq("PUT", path, data=b"go").status_code == 200


@pytest.mark.requirement("M-31")
def test_scenario_s34_register_enable_list_launch_poll_output(server: Server) -> None:
    project = server.new_project()
    accession = server.session(project)
    wrapper = server.register(smoke(), project)
    rows = server.rq(
        "GET", "/xapi/commands/available", params={"project": project, "xsiType": "xnat:mrSessionData"}
    )
    (row,) = [row for row in rows.json() if row["wrapper-id"] == wrapper]
    assert row["enabled"] is True
    assert row["root-element-name"] == "session"
    workflow = server.launch(project, wrapper, accession, OUT="c.txt")
    assert server.wait(workflow) == "Complete"
    assert server.files(accession, "OUT") == {"c.txt": b"hello"}
    assert "hello" not in server.log.read_text()


def test_runs_that_were_waiting_or_running_at_a_kill_end_well_after_the_restart(server: Server) -> None:
    project = server.new_project()
    accession = server.session(project)
    wrapper = server.register(smoke(SLOW), project)
    other = server.session(project, "S1_MR2")
    running = server.launch(project, wrapper, accession)
    queued = [server.launch(project, wrapper, other) for _ in range(6)]
    assert server.wait(running, "Running") == "Running"
    time.sleep(0.2)
    server.kill()
    server.start()
    release(server, accession)
    release(server, other)
    assert [server.wait(workflow) for workflow in (running, *queued)] == ["Complete"] * 7
    # one line: the interrupted attempt's folder was not used again
    assert server.files(accession, "OUT") == {"part.txt": b"begun\n", "whole.txt": b"hello"}
    assert server.files(other, "OUT") == {"part.txt": b"begun\n", "whole.txt": b"hello"}
    rows = server.rq("GET", f"/xapi/projects/{project}/containers").json()
    assert len(rows) == 7
