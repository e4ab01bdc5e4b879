"""Stored images are not edited, and no way into an intake project leads past the second net."""

from __future__ import annotations

import io
import json

import pydicom
import pytest

from lethe.archive import accounts, content, items
from lethe.archive.intake import HEADER_CHECK, prearchive
from unit.archive_import.conftest import as_file, as_zip, dicom_dataset, new_study, study_objects

E = "/data/projects/{p}/subjects/S1/experiments/E1/scans/1/resources"


def image(**values):
    study = new_study()
    return as_file(dicom_dataset(study=study, series=f"{study}.1", **values))


def birth_date_or_other_ids(path):
    """A net with two meshes; the real one is tried in the tests of the import."""
    found = pydicom.dcmread(path, stop_before_pixels=True)
    return "identifying-00100030" if "PatientBirthDate" in found or "OtherPatientIDs" in found else None


@pytest.fixture(autouse=True)
def _net(ctx):
    ctx.parts[HEADER_CHECK] = birth_date_or_other_ids


@pytest.fixture
def intake_project(ctx):
    items.create_project(ctx, "C_INTAKE", login="olga")
    accounts.set_membership(ctx, "C_INTAKE", "max", "member")
    subject, _ = items.ensure_subject(ctx, "C_INTAKE", "S1", login="olga")
    session, _ = items.ensure_experiment(ctx, "C_INTAKE", subject, "E1", "xnat:mrSessionData", login="olga")
    items.ensure_scan(ctx, session, "1", "xnat:mrScanData", login="olga", data={"type": "T1"})
    return "C_INTAKE"


def kept(ctx):
    return [json.loads(p.read_text())["code"] for p in (ctx.root / "quarantine" / "C_INTAKE").glob("*.json")]


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize("resource", ["DICOM", "OTHER"])
def test_an_uploaded_object_with_an_identifier_is_kept_aside(client, ctx, intake_project, resource):
    url = E.format(p=intake_project) + f"/{resource}/files/a.dcm?inbody=true"
    answer = client("PUT", url, "max", content=image(PatientBirthDate="19500101"))
    assert answer.status_code == 422
    assert "identifying-00100030" in answer.text
    assert "1950" not in answer.text
    assert kept(ctx) == ["identifying-00100030"]
    assert client("GET", E.format(p=intake_project) + f"/{resource}/files").status_code == 404
    assert client("PUT", url, "max", content=image()).status_code == 200


@pytest.mark.requirement("M-59")
def test_one_bad_object_in_an_unpacked_zip_stops_all_of_it(client, ctx, intake_project):
    body = as_zip([*study_objects(1, 2), *study_objects(1, 1, OtherPatientIDs="4711")])
    url = E.format(p=intake_project) + "/DICOM/files/a.zip?inbody=true&extract=true"
    assert client("PUT", url, "max", content=body).status_code == 422
    assert len(kept(ctx)) == 1
    assert client("GET", E.format(p=intake_project)).json()["ResultSet"]["Result"] == []
    assert not list((ctx.root / "tmp").iterdir())


@pytest.mark.requirement("M-59")
def test_only_dicom_objects_go_into_the_images_of_an_intake_project(client, ctx, intake_project):
    for name, body in (("a.txt", b"Jane Doe"), ("a.zip", as_zip(study_objects(1, 1)))):
        url = E.format(p=intake_project) + f"/DICOM/files/{name}?inbody=true"
        assert client("PUT", url, "max", content=body).status_code == 422
    assert kept(ctx) == ["unparsable", "unparsable"]
    url = E.format(p=intake_project) + "/X/files/a.txt?inbody=true&format=DICOM&content=RAW"
    assert client("PUT", url, "max", content=b"x").status_code == 422
    url = E.format(p=intake_project) + "/NIFTI/files/a.nii?inbody=true"
    assert client("PUT", url, "max", content=b"x").status_code == 200


@pytest.mark.requirement("M-59")
def test_a_session_cannot_be_moved_into_an_intake_project_past_the_net(client, ctx, project, intake_project):
    body = as_zip(study_objects(1, 2, PatientBirthDate="19500101"))
    url = f"/data/services/import?project={project}&dest=/prearchive&inbody=true"
    uri = client("POST", url, "olga", content=body, headers={"content-type": "application/zip"}).text.strip()
    answer = client("POST", f"{uri}?action=move&newProject=C_INTAKE", "olga")
    assert answer.status_code == 422
    answer = client("POST", f"/data/services/archive?src={uri}&project=C_INTAKE", "olga")
    assert answer.status_code == 422
    (row,) = prearchive.listing(ctx)
    assert (row.project, str(row.status)) == (project, "READY")
    assert client("POST", f"/data/services/archive?src={uri}", "olga").status_code == 200


@pytest.mark.requirement("E-75", "E-76", "E-27")
def test_a_member_cannot_overwrite_a_stored_image_but_an_owner_can_remove_it(client, ctx, project):
    url = E.format(p=project) + "/DICOM/files/a.dcm"
    assert client("PUT", url + "?inbody=true", "max", content=b"first").status_code == 200
    over = url + "?inbody=true&overwrite=true"
    assert client("PUT", over, "max", content=b"other").status_code == 403
    assert client("PUT", over, "max", content=b"first").status_code == 200
    assert client("GET", url, "cora").content == b"first"
    assert not list((ctx.root / "tmp").iterdir())
    assert client("DELETE", url, "max").status_code == 403
    assert client("PUT", over, "olga", content=b"other").status_code == 200
    assert client("DELETE", url, "olga").status_code == 200
    derived = E.format(p=project) + "/NIFTI/files/a.nii?inbody=true&overwrite=true"
    for body in (b"1", b"2"):
        assert client("PUT", derived, "max", content=body).status_code == 200


@pytest.mark.requirement("E-75")
def test_a_member_cannot_replace_images_by_importing_them_again(client, ctx, project):
    study = new_study()

    def post(user, **values):
        body = as_zip([dicom_dataset(study=study, series=f"{study}.1", **values)])
        url = f"/data/services/import?project={project}&dest=/archive&overwrite=delete&inbody=true"
        return client("POST", url, user, content=body, headers={"content-type": "application/zip"})

    assert post("max").status_code == 200
    assert post("max", ImageComments="other").status_code == 403
    assert post("max").status_code == 200
    assert post("olga", ImageComments="other").status_code == 200


def test_a_lost_upload_right_leaves_no_temporary_file(client, ctx, project):
    session = items.find_experiment(ctx, "E1", project)
    resource, _ = content.ensure_resource(ctx, session, "R", login="olga")
    content.add_file(ctx, resource, "a", io.BytesIO(b"a"), login="olga")
    url = f"/data/experiments/{session.id}/resources/R/files/a?inbody=true"
    assert client("PUT", url, "max", content=b"b").json() == {"duplicates": ["a"]}
    assert not list((ctx.root / "tmp").iterdir())
