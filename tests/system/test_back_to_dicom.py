"""Back to DICOM and the quality check, launched on a scan of an archive as a researcher does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from kit.people import people
from unit.archive_containers.server import Server
from unit.command.test_nifti_to_dicom import Scan, make_scan

pytestmark = pytest.mark.system
CONTAINERS = Path(__file__).parents[2] / "xnat-containers"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("server"))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    return make_scan(tmp_path_factory.mktemp("scan"), people(1, seed=8)[0])


@pytest.fixture
def place(server: Server, local: Scan) -> tuple[str, str]:
    """Return a project and a scan in it with the resources that conversion and de-facing leave."""
    project = server.new_project()
    accession = server.session(project)
    scan = f"/data/experiments/{accession}/scans/2"
    server.rq("PUT", f"{scan}?xsiType=xnat:mrScanData&type=HEAD")
    for label, folder in (
        ("DICOM", local.dicom),
        ("NIFTI_DEFACED", local.nifti),
        ("DEFACE_QC", local.qc),
    ):
        for number, path in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
            if path.name.endswith("_catalog.xml") or path.name.startswith("mask-"):
                continue
            name = f"{number:03d}.dcm" if label == "DICOM" else path.name
            url = f"{scan}/resources/{label}/files/{name}?inbody=true"
            assert server.rq("PUT", url, data=path.read_bytes()).status_code == 200
    return project, scan


def _register(server: Server, project: str, name: str) -> int:
    return server.register(json.loads((CONTAINERS / name / "command.json").read_text()), project)


def _launch(server: Server, project: str, wrapper: int, scan: str) -> str:
    body = {"scan": scan.replace("/data/", "/archive/")}
    path = f"/xapi/projects/{project}/wrappers/{wrapper}/root/scan/launch"
    answer: dict[str, Any] = server.rq("POST", path, json=body).json()
    assert answer["status"] == "success", answer
    return server.wait(str(answer["workflow-id"]))


def _files(server: Server, scan: str, label: str) -> dict[str, bytes]:
    answer = server.rq("GET", f"{scan}/resources/{label}/files?format=json")
    if answer.status_code != 200:
        return {}
    rows = answer.json()["ResultSet"]["Result"]
    return {row["Name"]: server.rq("GET", row["URI"]).content for row in rows}


@pytest.mark.requirement("M-27", "M-24")
def test_a_scan_gets_its_dicom_back_from_three_mounted_resources(
    server: Server, place: tuple[str, str]
) -> None:
    project, scan = place
    assert _launch(server, project, _register(server, project, "nifti-to-dicom"), scan) == "Complete"
    found = _files(server, scan, "DICOM_DEFACED")
    objects = [content for name, content in found.items() if name.endswith(".dcm")]
    assert len(objects) == len([name for name in _files(server, scan, "DICOM") if name.endswith(".dcm")])
    assert json.loads(found["provenance.json"])["verdict"] == "pass"
    assert pydicom.dcmread(io.BytesIO(objects[0])).RecognizableVisualFeatures == "NO"


@pytest.mark.requirement("M-24", "T-11")
def test_a_scan_under_review_gets_nothing_back(server: Server, place: tuple[str, str]) -> None:
    project, scan = place
    url = f"{scan}/resources/DEFACE_QC/files/report.json?inbody=true&overwrite=true"
    assert server.rq("PUT", url, data=b'{"verdict": "review"}').status_code == 200
    assert _launch(server, project, _register(server, project, "nifti-to-dicom"), scan).startswith("Failed")
    assert _files(server, scan, "DICOM_DEFACED") == {}


@pytest.mark.requirement("L-05", "L-06")
def test_a_scan_gets_its_quality_report(server: Server, place: tuple[str, str]) -> None:
    project, scan = place
    assert _launch(server, project, _register(server, project, "check-quality"), scan) == "Complete"
    found = _files(server, scan, "QC")
    assert set(found) == {"quality.json", "sheet.png", "provenance.json"}
    assert json.loads(found["quality.json"])["grade"] in ("usable", "questionable")
