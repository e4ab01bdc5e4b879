"""A whole session in one launch through the real endpoints: one corrupt scan among ten, results on scans."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit import phantom, series
from kit.faults import damage
from system.bulk_site import PERSON, Engine, Site, definition, from_hospital, packed, tiny_perfusion

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]
BACKENDS = ["process", pytest.param("docker", marks=pytest.mark.docker)]
HEAD, PERFUSION, BAD = 1, range(2, 10), 10
FEW = PERFUSION[:3]


@pytest.fixture(params=BACKENDS)
def site(request: pytest.FixtureRequest, tmp_path: Path, engine: Engine) -> Iterator[Site]:
    engine(request.param)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=memory, prefix="lethe-") as folder:
        found = Site(Path(folder), request.param)
        yield found
        found.stop()


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """Ten scans as they come from a hospital: a head, eight perfusions, a head that is cut short."""
    folder = tmp_path_factory.mktemp("scans")
    (folder / "raw").mkdir()
    head = phantom.head("ct", spacing=(2.5, 2.5, 4.0))
    series.write_series(head, None, folder / "raw", modality="CT", person=PERSON)
    found = {"head": from_hospital(folder / "raw", folder / "head")}
    shutil.copytree(folder / "head", folder / "bad")
    found["bad"] = sorted((folder / "bad").rglob("*.dcm"))
    damage(found["bad"], "cut-short", 3)
    found["perfusion"] = tiny_perfusion(folder / "perfusion")
    zips = {name: packed(files) for name, files in found.items()}
    return {HEAD: zips["head"], **dict.fromkeys(PERFUSION, zips["perfusion"]), BAD: zips["bad"]}


@pytest.mark.requirement("M-20", "M-22", "M-23", "M-27", "L-10", "L-13", "L-15")
def test_one_corrupt_scan_among_ten_is_told_the_others_are_prepared_and_the_relaunch_succeeds(
    site: Site, scans: dict[int, bytes]
) -> None:
    session = site.add_session("A1B2_CT", *scans.values())
    wrapper = site.install(definition("prepare-session"))
    bulk = ("bulk", wrapper, "--project", site.project, "--output", "json")

    done = site.call(*bulk)
    assert done.code == 4, done.err
    (failure,) = done.json["failures"]
    assert failure["objects"] == [f"/archive/experiments/{session}/scans/{BAD}"]
    assert failure["reason"].startswith("dicom-to-nifti: ")
    assert "[corrupt-" in failure["reason"]
    assert (done.json["complete"], done.json["failed"]) == (1, 1)

    assert site.labels(session, HEAD) == {
        *("DICOM", "NIFTI", "CONVERSION", "NIFTI_DEFACED", "DEFACE_QC", "DICOM_DEFACED")
    }
    for number in PERFUSION:
        assert site.labels(session, number) == {"DICOM", "CONVERSION", "DICOM_CLEAN"}
    assert site.labels(session, BAD) == {"DICOM"}
    assert site.session_labels(session) == {"PREPARE_REPORT"}
    path = f"/data/experiments/{session}/scans/{HEAD}/resources/NIFTI_DEFACED/files?format=json"
    rows = site.server.rq("GET", path).json()["ResultSet"]["Result"]
    assert {(row["Name"], row["file_format"], row["file_content"]) for row in rows} == {
        ("image.nii.gz", "NIFTI", "NIFTI_DEFACED"),
        ("image.json", "NIFTI", "NIFTI_DEFACED"),
    }
    (run,) = site.runs()
    log = site.server.rq("GET", f"/xapi/containers/{run['id']}/logs/stdout").text
    assert "9 of 10 scans prepared, 1 failed" in log
    assert f"scan {BAD}: failed: " in log

    site.put_dicom(session, BAD, scans[PERFUSION[0]])
    again = site.call(*bulk, "--again")
    assert again.code == 0, again.err
    assert site.labels(session, BAD) == {"DICOM", "CONVERSION", "DICOM_CLEAN"}
    assert site.session_labels(session) == {"PREPARE_REPORT"}


def test_results_of_a_launch_from_the_page_are_put_in_place_also_when_that_was_cut_off(
    tmp_path: Path, scans: dict[int, bytes]
) -> None:
    site = Site(tmp_path, "process")
    try:
        session = site.add_session("A1B2_CT", *[scans[number] for number in FEW])
        wrapper = site.install(definition("prepare-session"))
        row = next(
            one
            for one in site.server.rq(
                "GET",
                "/xapi/commands/available",
                params={"project": site.project, "xsiType": "xnat:ctSessionData"},
            ).json()
            if one["wrapper-name"] == wrapper
        )
        path = f"/xapi/projects/{site.project}/wrappers/{row['wrapper-id']}/root/session/launch"
        started = site.server.rq("POST", path, json={"session": f"/archive/experiments/{session}"}).json()
        assert site.server.wait(started["workflow-id"]) == "Complete"
        assert site.session_labels(session) == {"PREPARED", "PREPARE_REPORT"}

        place = ("place", "--project", site.project)
        assert site.call(*place, "--dry-run", "--output", "json").json == [
            {"session": "A1B2_CT", "files": "would be placed", "scans failed": "0"}
        ]
        client = site.start(*place)
        deadline = time.monotonic() + 60
        while "CONVERSION" not in site.labels(session, 1):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client.kill()
        client.communicate()
        assert "PREPARED" in site.session_labels(session)

        assert site.call(*place).code == 0
        assert site.session_labels(session) == {"PREPARE_REPORT"}
        held = site.resources()
        assert len(held) == len(FEW)
        for labels in held.values():
            assert labels == {"DICOM": 8, "CONVERSION": 2, "DICOM_CLEAN": 9}
        assert json.loads(site.call(*place, "--output", "json").out) == []
    finally:
        site.stop()


@pytest.mark.requirement("M-31")
def test_a_session_wrapper_asks_which_scan_and_puts_the_result_there(
    tmp_path: Path, scans: dict[int, bytes]
) -> None:
    site = Site(tmp_path, "process")
    try:
        session = site.add_session("A1B2_CT", scans[HEAD], scans[HEAD])
        site.install(definition("dicom-to-nifti"), 1)
        offered = site.server.rq(
            "GET",
            "/xapi/commands/available",
            params={"project": site.project, "xsiType": "xnat:ctSessionData"},
        ).json()
        (number,) = [one["wrapper-id"] for one in offered if one["enabled"]]
        base = f"/xapi/projects/{site.project}/wrappers/{number}"
        form = site.server.rq("GET", f"{base}/launch?session=/archive/experiments/{session}").json()
        (asked,) = [one for one in form["input-config"] if one["name"] == "scan"]
        assert (asked["type"], asked["label"]) == ("select-one", "Scan")
        (values,) = [one["values"] for one in form["input-values"] if one["name"] == "scan"]
        uri = f"/archive/experiments/{session}/scans/2"
        assert [one["value"] for one in values] == [uri.replace("scans/2", "scans/1"), uri]
        body = {"session": f"/archive/experiments/{session}", "scan": uri}
        started = site.server.rq("POST", f"{base}/root/session/launch", json=body).json()
        assert site.server.wait(started["workflow-id"]) == "Complete"
        assert site.labels(session, 1) == {"DICOM"}
        assert site.labels(session, 2) == {"DICOM", "NIFTI", "CONVERSION"}
    finally:
        site.stop()
