"""The same commands as services of a Docker Swarm of one node, launched from the archive's own endpoint."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from system.bulk_site import Engine, Site, definition, packed, tiny_head

DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"

pytestmark = [pytest.mark.docker, pytest.mark.system, pytest.mark.timeout(1200)]


def docker(*words: str) -> str:
    return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def swarm(engine: Engine) -> Iterator[None]:
    """A swarm of this machine alone; one that was there before stays."""
    engine("docker")
    begun = docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive"
    if begun:
        docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    yield
    if begun:
        docker("swarm", "leave", "--force")


@pytest.fixture
def site(swarm: None, tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, "docker")
    constrain(found, "manager")
    yield found
    found.stop()


def constrain(site: Site, role: str) -> None:
    """Let runs be services on nodes of this role."""
    constraint = {"attribute": "node.role", "comparator": "==", "values": [role], "user-settable": False}
    wish = {"backend": "swarm", "swarm-mode": True, "swarm-constraints": [constraint]}
    assert site.server.rq("POST", "/xapi/docker/server", json=wish).status_code == 201


def until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return result


def services() -> list[str]:
    return docker("service", "ls", "--quiet", "--filter", "label=lethe.run").split()


@pytest.mark.requirement("A-13", "M-31")
def test_a_command_runs_as_a_service_confined_and_where_the_constraints_say(
    site: Site, tmp_path: Path
) -> None:
    good = packed(tiny_head(tmp_path / "head"))
    (tmp_path / "letter.txt").write_text("Dear colleague")
    session = site.add_session("S1_CT", good, packed([tmp_path / "letter.txt"]))
    slow = definition("dicom-to-nifti")
    slow["command-line"] = "sleep 3; " + slow["command-line"]
    client = site.start("bulk", site.install(slow), "--project", site.project, "--output", "json")

    name = until(services)[0]
    spec = json.loads(docker("service", "inspect", name))[0]["Spec"]
    task, container = spec["TaskTemplate"], spec["TaskTemplate"]["ContainerSpec"]
    assert list(spec["Mode"]) == ["ReplicatedJob"]
    assert task["RestartPolicy"]["Condition"] == "none"
    assert task["Placement"]["Constraints"] == ["node.role==manager"]
    assert task["Resources"]["Limits"]["MemoryBytes"] == slow["limit-memory"] << 20
    assert task["Resources"]["Limits"]["NanoCPUs"] == slow["limit-cpu"] * 1e9
    assert task["Resources"]["Reservations"]["MemoryBytes"] == slow["reserve-memory"] << 20
    assert (container["ReadOnly"], container["CapabilityDrop"]) == (True, ["ALL"])
    assert not container["User"].startswith("0")
    mounts = {mount["Target"]: mount for mount in container["Mounts"]}
    assert mounts["/input"]["ReadOnly"]
    assert not mounts["/output"].get("ReadOnly")
    (network,) = [one["Target"] for one in task["Networks"]]
    assert json.loads(docker("network", "inspect", network))[0]["Internal"]

    out, err = client.communicate(timeout=120)
    assert client.returncode == 4, err
    (failure,) = json.loads(out)["failures"]
    assert "no DICOM object" in failure["reason"] or "cannot be read as DICOM" in failure["reason"]
    assert site.labels(session, 1) == {"DICOM", "NIFTI", "CONVERSION"}
    assert site.labels(session, 2) == {"DICOM"}
    run = next(one for one in site.runs() if one["status"] == "Complete")
    assert (run["backend"], run["swarm"], bool(run["service-id"])) == ("swarm", True, True)
    until(lambda: not services())


def test_runs_that_are_killed_too_long_too_large_or_without_an_image_end_with_their_reason(
    site: Site, tmp_path: Path
) -> None:
    session = site.add_session("S1_CT", packed(tiny_head(tmp_path / "head")))

    def reason(name: str, line: str, **changes: Any) -> tuple[str, str]:
        document = definition("dicom-to-nifti", name=name, **changes)
        document["command-line"] = line
        document["xnat"][0]["name"] = f"{name}-scan"
        done = site.call("bulk", site.install(document), "--session", session, "--output", "json")
        (run,) = done.json["runs"]
        return run["status"], run["reason"]

    late = {"container-labels": {"lethe.timeout-seconds": "2"}}
    assert reason("late", "sleep 60", **late) == ("Failed (Timeout)", "The run took longer than it may.")
    eat = "exec python -c 'x = bytearray(300 << 20)'"
    large = reason("large", eat, **{"limit-memory": 64, "reserve-memory": 64})
    assert large == ("Killed (Out of Memory)", "The run needed more memory than its limit allows.")
    status, said = reason("gone", "true", image="lethe/not-there:0")
    assert status == "Failed (Swarm)"
    assert "No node of the swarm ran it" in said

    # no node fits: it waits, as on any cluster that is full, until somebody ends it
    constrain(site, "worker")
    waiting = definition("dicom-to-nifti", name="waiting")
    waiting["xnat"][0]["name"] = "waiting-scan"
    client = site.start("bulk", site.install(waiting), "--session", session, "--output", "json")
    until(services)
    (number,) = until(lambda: [str(row["id"]) for row in site.runs() if row["status"] == "Running"])
    assert site.call("kill", number, "--project", site.project).code == 0
    out, _ = client.communicate(timeout=60)
    assert json.loads(out)["runs"][0]["reason"] == "The run was ended by admin."
    assert site.labels(session, 1) == {"DICOM"}
    until(lambda: not services())
