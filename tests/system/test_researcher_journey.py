"""A researcher's script, written with xnatpy only."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel as nib
import pytest
import xnat
import xnat.exceptions

from demo_walk.server import Server
from system.conftest import Walked

pytestmark = pytest.mark.system


def login(server: Server, user: str) -> xnat.XNATSession:
    return xnat.connect(server.url, user=user, password=server.passwords[user], loglevel="ERROR", cli=False)


@pytest.mark.requirement("E-28", "E-67", "E-78")
def test_a_collaborator_lists_subjects_by_prid_and_downloads_the_defaced_image(
    walked: Walked, server: Server, tmp_path: Path
):
    published = [row for row in walked.summary["rows"] if "NIFTI_DEFACED" in row["published"]]
    with login(server, "collaborator") as archive:
        project = archive.projects["DEMO"]
        labels = {subject.label for subject in project.subjects.values()}
        assert labels == {row["patient"] for row in walked.summary["rows"] if row["published"] != "no"}
        assert all(re.fullmatch("[0-9A-F]{4}", label) for label in labels)
        row = published[0]
        session = project.subjects[row["patient"]].experiments[row["session"]]
        resource = session.scans[row["series"]].resources["NIFTI_DEFACED"]
        (name,) = [file.path for file in resource.files.values() if file.path.endswith(".nii.gz")]
        resource.files[name].download(str(tmp_path / name), verbose=False)
    image = nib.load(tmp_path / name)
    assert image.ndim >= 3
    assert min(image.shape[:3]) > 10


@pytest.mark.requirement("E-27", "E-66", "E-80", "M-44")
def test_a_member_writes_a_derived_file_back_and_may_not_delete(walked: Walked, server: Server, get):
    with login(server, "member") as archive:
        subject = next(iter(archive.projects["DEMO"].subjects.values()))
        experiment = next(iter(subject.experiments.values()))
        number = experiment.id
        resource = experiment.create_resource("VOLUMES")
        resource.upload_data("brain_ml\n1203\n", "volumes.csv")
        archive.clearcache()
        stored = archive.experiments[number].resources["VOLUMES"].files["volumes.csv"]
        with stored.open() as stream:
            assert stream.read() == b"brain_ml\n1203\n"
        with pytest.raises(xnat.exceptions.XNATResponseError):
            stored.delete()
        with pytest.raises(xnat.exceptions.XNATResponseError):
            experiment.delete()
    assert get("coordinator", f"/data/experiments/{number}/resources/VOLUMES", "DELETE").status_code == 200


@pytest.mark.requirement("E-28", "E-18")
def test_a_collaborator_may_not_write(server: Server):
    with login(server, "collaborator") as archive:
        experiment = next(iter(archive.projects["DEMO"].experiments.values()))
        with pytest.raises(xnat.exceptions.XNATResponseError):
            experiment.create_resource("MINE")
        with pytest.raises(xnat.exceptions.XNATResponseError):
            archive.put("/data/projects/DEMO/subjects/FFFF")


@pytest.mark.requirement("M-24", "M-56", "T-11")
@pytest.mark.parametrize("user", ["collaborator", "member", "coordinator"])
def test_nobody_of_the_collection_sees_the_intake_project(server: Server, user: str, get):
    with login(server, user) as archive:
        assert "DEMO_INTAKE" not in archive.projects
    assert get(user, "/data/projects/DEMO_INTAKE?format=json").status_code == 404
    intake = get("admin", "/data/projects/DEMO_INTAKE/experiments?format=json").json()["ResultSet"]["Result"]
    for row in intake:
        answer = get(user, f"/data/experiments/{row['ID']}/scans/ALL/resources/DEFACE_QC/files?format=zip")
        assert answer.status_code == 404


@pytest.mark.requirement("M-31", "L-01")
def test_a_curator_launches_defacing_again_from_the_command_list(walked: Walked, server: Server, get):
    row = next(row for row in walked.summary["rows"] if row["verdict"] == "pass")
    sessions = get("curator", "/data/projects/DEMO_INTAKE/experiments?format=json").json()["ResultSet"][
        "Result"
    ]
    (session,) = [one["ID"] for one in sessions if one["label"] == row["session"]]
    offered = get("curator", "/xapi/commands/available?project=DEMO_INTAKE&xsiType=xnat:ctScanData").json()
    names = {one["wrapper-name"]: one for one in offered if one["enabled"]}
    assert {"deface-scan", "dicom-to-nifti-scan", "clean-header-scan"} <= set(names)
    uri = f"/archive/experiments/{session}/scans/{row['series']}"
    refused = get(
        "collaborator",
        f"/xapi/projects/DEMO_INTAKE/wrappers/{names['deface-scan']['wrapper-id']}/root/scan/launch",
        "POST",
        json={"scan": uri},
    )
    assert refused.status_code in (403, 404)
