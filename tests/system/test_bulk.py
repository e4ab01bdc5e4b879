"""Bulk launches of the real commands through the real endpoints: none lost, none doubled, failures said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.faults import damage
from system.bulk_site import Engine, Site, definition, packed, tiny_head, tiny_perfusion

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
BACKENDS = ["process", pytest.param("docker", marks=pytest.mark.docker)]
SESSIONS, BAD = 50, 3
SAID = "no DICOM object"


@pytest.fixture(params=BACKENDS)
def site(request: pytest.FixtureRequest, tmp_path: Path, engine: Engine) -> Iterator[Site]:
    engine(request.param)
    # in memory where the machine lets us: that nothing is lost at a power cut is tested elsewhere
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=memory, prefix="lethe-") as folder:
        found = Site(Path(folder), request.param)
        yield found
        found.stop()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.requirement("L-15", "M-31")
def test_fifty_sessions_survive_stopped_and_killed_clients_and_a_killed_archive_none_lost_none_doubled(
    site: Site, tmp_path: Path
) -> None:
    wrapper = site.install(definition("clean-header"))
    good = packed(tiny_perfusion(tmp_path / "perfusion"))
    (tmp_path / "letter.txt").write_text("Dear colleague")
    bad = packed([tmp_path / "letter.txt"])
    for number in range(SESSIONS):
        site.add_session(f"S{number}_CT", bad if number < BAD else good)
    site.add_session("EMPTY_CT")
    bulk = ("launch", wrapper, "--project", site.project, "--all", "--output", "json")

    planned = site.call(*bulk, "--dry-run").json
    assert len(planned["launch"]) == SESSIONS
    assert site.runs() == []

    def ended() -> int:
        return sum(row["status"] in ("Complete", "Failed") for row in site.runs())

    # stopped with Ctrl-C: what runs goes on
    client = site.start(*bulk)
    until(lambda: ended() > 0)
    client.send_signal(signal.SIGINT)
    _, said = client.communicate(timeout=30)
    assert client.returncode == 130
    assert "The same command goes on from here." in said

    # resumed, and killed without a word
    client = site.start(*bulk, "--skip-failed")
    before = ended()
    until(lambda: ended() > before)
    client.kill()
    client.communicate()

    # resumed once more; the archive is killed and started again meanwhile
    client = site.start(*bulk, "--skip-failed")
    assert client.stderr is not None
    assert " not launched" in client.stderr.readline()
    site.server.kill()
    time.sleep(0.5)
    site.server.start()
    out, said = client.communicate(timeout=600)
    result = json.loads(out)
    assert result["complete"] + result["already-done"] == SESSIONS - BAD, said
    assert all(SAID in group["reason"] for group in result["failures"])

    objects = Counter(row["inputs"][0]["value"] for row in site.runs())
    assert len(objects) == SESSIONS
    assert set(objects.values()) == {1}
    assert Counter(row["status"] for row in site.runs()) == {"Complete": SESSIONS - BAD, "Failed": BAD}
    stored = Counter(tuple(sorted(labels.items())) for labels in site.resources().values())
    assert stored == {(("DICOM", 8), ("DICOM_CLEAN", 9)): SESSIONS - BAD, (("DICOM", 1),): BAD}

    # once more: what is done stays, what failed is tried again and told by its reason
    again = site.call(*bulk)
    assert again.code == 4
    assert (again.json["complete"], again.json["already-done"]) == (0, SESSIONS - BAD)
    (group,) = again.json["failures"]
    assert (SAID in group["reason"], group["count"]) == (True, BAD)


@pytest.mark.requirement("L-10", "A-92")
def test_failures_are_grouped_by_a_reason_that_a_researcher_understands_and_the_relaunch_succeeds(
    site: Site, tmp_path: Path
) -> None:
    wrapper = site.install(definition("dicom-to-nifti"))
    head = tiny_head(tmp_path / "head")
    good = packed(head)
    (tmp_path / "letter.txt").write_text("Dear colleague")
    no_dicom = packed([tmp_path / "letter.txt"])
    shutil.copytree(tmp_path / "head", tmp_path / "corrupt")
    corrupt = sorted((tmp_path / "corrupt").iterdir())
    damage(corrupt, "cut-short", 3)
    mr = tiny_head(tmp_path / "mr", "MR")
    mixed = packed([*head, *(path.rename(path.with_name(f"mr-{path.name}")) for path in mr)])
    ten = site.add_session("TEN_CT", *[good] * 4, packed(corrupt), *[good] * 5)
    wrong = site.add_session("WRONG_CT", no_dicom, mixed)

    done = site.call("bulk", wrapper, "--project", site.project, "--output", "json")
    assert done.code == 4, done.err
    result = done.json
    assert (result["complete"], result["failed"]) == (9, 3)
    reasons = {uri: group["reason"] for group in result["failures"] for uri in group["objects"]}
    assert "no DICOM object" in reasons[f"/archive/experiments/{wrong}/scans/1"]
    assert "more than one series" in reasons[f"/archive/experiments/{wrong}/scans/2"]
    assert "[corrupt-" in reasons[f"/archive/experiments/{ten}/scans/5"]
    status = {row["inputs"][0]["value"]: row["status"] for row in site.runs()}
    assert Counter(status.values()) == {"Complete": 9, "Failed": 3}
    for accession, number in ((ten, 5), (wrong, 1), (wrong, 2)):
        assert site.labels(accession, number) == {"DICOM"}
    shown = site.call("status", "--project", site.project)
    assert "no DICOM object" in " ".join(shown.out.split())

    for accession, number in ((ten, 5), (wrong, 1), (wrong, 2)):
        site.put_dicom(accession, number, good)
    left_out = site.call("bulk", wrapper, "--project", site.project, "--skip-failed", "--output", "json")
    assert (left_out.json["complete"], left_out.code) == (0, 0)
    repaired = site.call("bulk", wrapper, "--project", site.project, "--output", "json").json
    assert (repaired["complete"], repaired["failed"], repaired["already-done"]) == (3, 0, 9)
    assert {"NIFTI", "CONVERSION"} <= site.labels(wrong, 2)


@pytest.mark.requirement("A-92")
def test_a_killed_a_late_a_large_and_a_missing_program_each_end_with_their_reason_and_the_relaunch_succeeds(
    site: Site, tmp_path: Path
) -> None:
    good = packed(tiny_head(tmp_path / "head"))
    accession = site.add_session("ONE_CT", good)
    usual = site.install(definition("dicom-to-nifti"))

    # killed half way: by number, while it works
    slow = definition("dicom-to-nifti", name="slow")
    slow["command-line"] = "touch /output/part; sleep 60; " + slow["command-line"]
    slow["xnat"][0]["name"] = "slow-scan"
    client = site.start("launch", site.install(slow), "--project", site.project, "--all", "--output", "json")
    until(lambda: any(row["status"] == "Running" for row in site.runs()))
    (number,) = [str(row["id"]) for row in site.runs()]
    ended = site.call("kill", number, "--project", site.project, "--output", "json")
    assert ended.json == [{"run": number, "result": "ended"}]
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 4
    (failure,) = json.loads(out)["failures"]
    assert failure["reason"] == "The run was ended by admin."

    # too long: the command's own limit
    late = definition("dicom-to-nifti", name="late")
    late["command-line"] = "touch /output/part; sleep 60"
    late["container-labels"] = {"lethe.timeout-seconds": "1"}
    late["xnat"][0]["name"] = "late-scan"
    done = site.call("bulk", site.install(late), "--session", accession, "--output", "json")
    assert done.json["runs"][0]["status"] == "Failed (Timeout)"
    assert done.json["failures"][0]["reason"] == "The run took longer than it may."

    # more memory than its limit: the real program, which needs twice as much to start
    small = definition("dicom-to-nifti", name="small", **{"limit-memory": 24, "reserve-memory": 24})
    small["xnat"][0]["name"] = "small-scan"
    done = site.call("bulk", site.install(small), "--session", accession, "--output", "json")
    assert done.json["runs"][0]["status"] == "Killed (Out of Memory)"
    assert done.json["failures"][0]["reason"] == "The run needed more memory than its limit allows."

    # the image (the program, without an engine) is not there
    gone = definition("dicom-to-nifti", name="gone", image="lethe/not-there:0")
    gone["command-line"] = "exec lethe-command-not-there"
    gone["xnat"][0]["name"] = "gone-scan"
    done = site.call("bulk", site.install(gone), "--session", accession, "--output", "json")
    (failure,) = done.json["failures"]
    if site.server.backend == "docker":
        assert done.json["runs"][0]["status"] == "Failed (Staging)"
        assert "lethe/not-there:0 is not on this machine. Build it" in failure["reason"]
    else:
        assert "the program was not found" in failure["reason"]

    assert site.labels(accession, 1) == {"DICOM"}
    assert site.call("bulk", usual, "--session", accession).code == 0
    assert site.labels(accession, 1) == {"DICOM", "NIFTI", "CONVERSION"}


@pytest.fixture
def full(site: Site) -> Iterator[Callable[[], None]]:
    """Put a file system without room under the archive's build folder; the value frees it again."""
    folder = site.server.root / "build"
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own can be mounted by root only")
    mounted = [folder]

    def free() -> None:
        subprocess.run(["umount", "-l", mounted.pop()], check=True)

    yield free
    if mounted:
        free()


@pytest.mark.requirement("A-92")
def test_a_full_output_is_told_as_such_and_the_relaunch_succeeds(
    site: Site, full: Callable[[], None], tmp_path: Path
) -> None:
    accession = site.add_session("ONE_CT", packed(tiny_head(tmp_path / "head")))
    bulk = ("bulk", site.install(definition("dicom-to-nifti")), "--session", accession, "--output", "json")
    done = site.call(*bulk)
    assert done.json["runs"][0]["status"] == "Failed"
    assert "The disk of the output folder is full." in done.json["failures"][0]["reason"]
    assert site.labels(accession, 1) == {"DICOM"}
    full()
    assert site.call(*bulk).code == 0
    assert site.labels(accession, 1) == {"DICOM", "NIFTI", "CONVERSION"}
