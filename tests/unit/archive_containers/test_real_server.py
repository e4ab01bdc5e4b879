"""Scenario S34 through real HTTP, and what a kill -9 of the real server process leaves behind."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from .conftest import smoke
from .server import Server

pytestmark = pytest.mark.slow

# one run writes a first file, waits until it is allowed, then writes the rest: enough time to kill the server
SLOW = (
    "echo begun >> /output/part.txt; while [ ! -e /input/go ]; do sleep 0.05; done; "
    "cp /input/a.txt /output/whole.txt"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("server"))
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


def dicom_zip(patient_id: str) -> bytes:
    """Return a zip with one small MR object."""
    header = FileMetaDataset()
    header.TransferSyntaxUID = ExplicitVRLittleEndian
    header.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    header.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    ds = Dataset()
    ds.file_meta = header
    ds.SOPClassUID, ds.SOPInstanceUID = header.MediaStorageSOPClassUID, header.MediaStorageSOPInstanceUID
    ds.PatientName, ds.PatientID, ds.StudyDate, ds.Modality = "S1", patient_id, "20240501", "MR"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber = "1.2.3", "1.2.3.4", 1, 1
    target, packed = io.BytesIO(), io.BytesIO()
    ds.save_as(target, enforce_file_format=True)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.dcm", target.getvalue())
    return packed.getvalue()


def test_scenario_s35_an_archived_session_launches_the_subscribed_command(server: Server) -> None:
    project = server.new_project()
    command = smoke("ls /input > /output/list.txt", inputs=[])
    command["xnat"][0]["derived-inputs"] = []
    command["mounts"][0]["writable"] = True
    wrapper = server.register(command, project)
    server.rq("PUT", "/xapi/events/prefs", json={"enabled": True})
    kind = "org.nrg.xnat.eventservice.events.SessionEvent"
    actions = server.rq(
        "GET", f"/xapi/projects/{project}/events/actionsbyevent", params={"event-type": kind}
    ).json()
    (key,) = [one["action-key"] for one in actions if one["action-key"].endswith(f":{wrapper}")]
    wish = {"event-type": kind, "status": "CREATED", "project-ids": [project]}
    body = {"name": "s", "active": True, "act-as-event-user": False, "action-key": key, "attributes": {}}
    answer = server.rq(
        "POST", f"/xapi/projects/{project}/events/subscription", json={**body, "event-filter": wish}
    )
    assert answer.status_code == 201
    assert answer.text.rsplit(":", 1)[1].isdigit()
    path = f"/data/services/import?project={project}&dest=/archive&inbody=true"
    answer = server.rq("POST", path, data=dicom_zip("EV"), headers={"Content-Type": "application/zip"})
    assert answer.status_code in (200, 201), answer.text
    deadline = time.monotonic() + 60
    rows: list[dict[str, str]] = []
    while not rows:
        assert time.monotonic() < deadline
        rows = server.rq("GET", f"/xapi/projects/{project}/containers").json()
    assert server.wait(rows[0]["workflow-id"]) == "Complete"
    (found,) = server.rq("POST", f"/xapi/projects/{project}/events/delivered", json={}).json()
    assert [step["status"] for step in found["status"]][-1] == "ACTION_STEP"
