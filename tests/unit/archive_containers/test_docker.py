"""The Docker backend on a real engine. Where no engine answers these tests are skipped, and say so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lethe.archive import containers
from lethe.archive.containers.backends.engine import DockerBackend

from .conftest import Site, smoke
from .server import Server

pytestmark = pytest.mark.slow

IMAGES = ("local/python:slim-bookworm", "python:3.11-slim-bookworm")


@pytest.fixture(scope="module")
def image() -> str:
    """Name of an image with sh and Python that is on this machine."""
    engine = DockerBackend()
    if not engine.answers():
        pytest.skip("no Docker engine answers: the Docker backend is NOT tested here")
    found = [name for name in IMAGES if engine.has_image(name)]
    if not found:
        pytest.skip(f"none of {', '.join(IMAGES)} is here: the Docker backend is NOT tested here")
    return found[0]


@pytest.fixture
def docked(make_site: Callable[[], Site]) -> Iterator[Site]:
    """A running archive that uses the engine for images it has."""
    found = make_site()
    found.ctx.backend = "auto"
    containers.start(found.ctx)
    yield found
    containers.stop(found.ctx)
    found.ctx.store.close()


def start(site: Site, image: str, line: str, **changes: Any) -> int:
    number = len(site.send("GET", "/commands").json())
    _, wrapper = site.register(smoke(line, image=image, name=f"c{number}", **changes))
    return site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})


LOOK_AROUND = """python3 - <<'END'
import json, os, socket
def can(action):
    try:
        action()
        return True
    except OSError:
        return False
found = {
    "uid": os.getuid(),
    "write input": can(lambda: open("/input/new", "w")),
    "write root": can(lambda: open("/new", "w")),
    "write tmp": can(lambda: open("/tmp/new", "w")),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "caps": [row.split()[1] for row in open("/proc/self/status") if row.startswith("CapEff")][0],
    "nnp": [row.split()[1] for row in open("/proc/self/status") if row.startswith("NoNewPrivs")][0],
    "read": open("/input/a.txt").read(),
    "host": os.environ["XNAT_HOST"],
}
os.umask(0o077)
os.makedirs("/output/sub")
json.dump(found, open("/output/sub/found.json", "w"))
END"""


@pytest.mark.docker
@pytest.mark.requirement("M-31", "A-92")
def test_a_container_can_read_its_input_write_its_output_and_nothing_else(docked: Site, image: str) -> None:
    workflow = start(
        docked, image, LOOK_AROUND, **{"limit-memory": 256, "limit-cpu": 1.0, "reserve-memory": 64}
    )
    assert docked.wait(workflow) == "Complete", docked.message(workflow)
    assert docked.run_of(workflow).backend == "docker"
    found = json.loads(docked.files("OUT")["sub/found.json"])
    assert found.pop("uid") != 0
    assert found == {
        "write input": False,
        "write root": False,
        "write tmp": True,
        "interfaces": ["lo"],
        "caps": "0000000000000000",
        "nnp": "1",
        "read": "hello",
        "host": "http://127.0.0.1:8080",
    }
    assert docked.files("IN") == {"a.txt": b"hello"}


@pytest.mark.docker
def test_no_container_is_left_behind(docked: Site, image: str) -> None:
    workflow = start(docked, image, "cp /input/a.txt /output/")
    assert docked.wait(workflow) == "Complete"
    name = docked.run_of(workflow).name
    deadline = time.monotonic() + 30
    while DockerBackend().api().containers(all=True, filters={"label": f"lethe.run={name}"}):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.docker
def test_a_container_over_its_memory_limit_is_ended_as_out_of_memory(docked: Site, image: str) -> None:
    line = "python3 -c 'x = bytearray(300 << 20)'"
    workflow = start(docked, image, line, **{"limit-memory": 64})
    assert docked.wait(workflow) == "Killed (Out of Memory)"
    assert docked.files("OUT") == {}


@pytest.mark.docker
def test_a_container_can_be_ended_and_its_logs_stay(docked: Site, image: str) -> None:
    workflow = start(docked, image, "echo begun; sleep 60")
    number = docked.run_of(workflow).id
    while "begun" not in docked.send("GET", f"/containers/{number}/logs/stdout", "member").text:
        time.sleep(0.02)
    assert docked.send("POST", f"/containers/{number}/kill", "member").status_code == 200
    assert docked.wait(workflow) == "Killed"
    assert docked.send("GET", f"/containers/{number}/logs/stdout", "member").text == "begun\n"


@pytest.mark.docker
def test_an_input_that_the_container_may_not_read_is_copied_and_the_archive_stays_closed(
    docked: Site, image: str
) -> None:
    for folder in docked.ctx.root.glob("archive/P/arc001/E1/RESOURCES/IN"):
        (folder / "a.txt").chmod(0o600)
        folder.chmod(0o700)
    workflow = start(docked, image, "cp /input/a.txt /output/")
    assert docked.wait(workflow) == "Complete", docked.message(workflow)
    assert (folder.stat().st_mode & 0o777, (folder / "a.txt").stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.docker
def test_where_the_image_is_missing_auto_takes_a_process_and_docker_says_so(docked: Site, image: str) -> None:
    workflow = start(docked, "nowhere/nothing:1", "cp /input/a.txt /output/")
    assert docked.wait(workflow) == "Complete"
    assert docked.run_of(workflow).backend == "process"
    docked.ctx.backend = "docker"
    workflow = start(docked, "nowhere/nothing:1", "cp /input/a.txt /output/")
    assert docked.wait(workflow) == "Failed (Staging)"
    assert "nowhere/nothing:1 is not on this machine" in docked.message(workflow)


@pytest.mark.docker
def test_a_container_outlives_a_killed_server_and_its_output_is_stored_once(
    tmp_path: Path, image: str
) -> None:
    server = Server(tmp_path, backend="auto")
    server.start()
    try:
        project = server.new_project()
        accession = server.session(project)
        line = (
            "echo begun; echo x >> /output/part.txt; while [ ! -e /input/go ]; do sleep 0.05; done; echo end"
        )
        wrapper = server.register(smoke(line, image=image), project)
        workflow = server.launch(project, wrapper, accession)
        assert server.wait(workflow, "Running") == "Running"
        (before,) = server.rq("GET", f"/xapi/projects/{project}/containers").json()
        server.kill()
        server.start()
        server.rq("PUT", f"/data/experiments/{accession}/resources/IN/files/go?inbody=true", data=b"1")
        assert server.wait(workflow) == "Complete"
        (after,) = server.rq("GET", f"/xapi/projects/{project}/containers").json()
        assert (after["container-id"], after["lethe-backend"]) == (before["container-id"], "docker")
        assert server.files(accession, "OUT") == {"part.txt": b"x\n"}
        assert server.rq("GET", f"/xapi/containers/{after['id']}/logs/stdout").text == "begun\nend\n"
    finally:
        server.stop()


@pytest.mark.docker
def test_the_engines_images_are_listed_and_their_commands_can_be_saved(docked: Site, image: str) -> None:
    rows = docked.send("GET", "/docker/images").json()
    assert image in [tag for row in rows for tag in row["tags"]]
    assert docked.send("GET", "/docker/image-summaries").status_code == 200
    assert docked.send("POST", "/docker/images/save", params={"image": image}).json() == []
    assert (
        docked.send("POST", "/docker/images/save", params={"image": "nowhere/nothing:1"}).status_code == 404
    )
    assert docked.send("GET", "/docker/images", "member").status_code == 403
