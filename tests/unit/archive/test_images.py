"""Stored images are not edited, and no way into an intake project leads past the second net."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from types import SimpleNamespace

import pydicom
import pytest

from lethe.archive import accounts, content, items
from lethe.archive.containers import outputs
from lethe.archive.intake import HEADER_CHECK, images, intake_of, prearchive
from lethe.archive.problem import Problem
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


def packed(how, body):
    """Return bytes that hold `body` in one of many ways."""
    stream = io.BytesIO()
    match how:
        case "zip" | "zip in zip" | "zip after text":
            if how == "zip after text":
                stream.write(b"#!/bin/sh\n")
            with zipfile.ZipFile(stream, "w") as archive:
                archive.writestr("a/x.dcm", packed("zip", body) if how == "zip in zip" else body)
        case "tar" | "tar.gz" | "tar.xz":
            mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[how]
            with tarfile.open(fileobj=stream, mode=mode) as archive:
                entry = tarfile.TarInfo("x")
                entry.size = len(body)
                archive.addfile(entry, io.BytesIO(body))
        case "gzip":
            stream.write(gzip.compress(body))
        case "bzip2":
            stream.write(bz2.compress(body))
        case "without preamble":
            stream.write(body[132:])
        case "behind a zip":  # an object with an archive at its end is both
            stream.write(image() + packed("zip", body))
    return stream.getvalue()


WAYS = ("zip", "zip in zip", "zip after text", "tar", "tar.gz", "tar.xz", "gzip", "bzip2", "without preamble",
        "behind a zip")  # fmt: skip


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize("how", WAYS)
def test_an_object_packed_in_any_way_does_not_pass_the_net_unopened(client, ctx, intake_project, how):
    url = E.format(p=intake_project) + "/OTHER/files/harmless.bin?inbody=true"
    answer = client("PUT", url, "max", content=packed(how, image(PatientBirthDate="19500101")))
    assert answer.status_code == 422, answer.text
    assert "kept aside" in answer.text
    assert kept(ctx) == ["dicom-without-preamble" if how == "without preamble" else "identifying-00100030"]
    assert client("GET", E.format(p=intake_project) + "/OTHER/files").status_code == 404
    assert not list((ctx.root / "tmp").iterdir())


@pytest.mark.requirement("M-59")
def test_packed_files_without_identifiers_are_stored(client, ctx, intake_project):
    nifti = gzip.compress(b"\x5c\x01\x00\x00" + bytes(600))
    for name, body in (
        ("a.nii.gz", nifti), ("b.zip", packed("zip", image())), ("c.tgz", packed("tar.gz", b"text")),
        ("d.txt", b"\x08\x00 no object"), ("e.zip", packed("zip in zip", nifti)),
    ):  # fmt: skip
        url = E.format(p=intake_project) + f"/OTHER/files/{name}?inbody=true"
        assert client("PUT", url, "max", content=body).status_code == 200, name
    assert kept(ctx) == []


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize(
    ("body", "code"),
    [(b"7z\xbc\xaf\x27\x1c rest", "archive-unopened"), (b"Rar!\x1a\x07\x01\x00", "archive-unopened"),
     (b"PK\x03\x04 broken", "broken-archive"), (b"\x1f\x8b broken", "broken-archive")],
)  # fmt: skip
def test_what_cannot_be_opened_is_not_stored_unseen(client, ctx, intake_project, body, code):
    url = E.format(p=intake_project) + "/OTHER/files/x?inbody=true"
    assert client("PUT", url, "max", content=body).status_code == 422
    assert kept(ctx) == [code]


@pytest.mark.requirement("M-59")
def test_archives_in_archives_in_archives_end_somewhere(client, ctx, intake_project):
    body = b"end"
    for _ in range(6):
        body = packed("zip", body)
    url = E.format(p=intake_project) + "/OTHER/files/x?inbody=true"
    assert client("PUT", url, "max", content=body).status_code == 422
    assert kept(ctx) == ["archive-too-deep"]


@pytest.fixture
def session(client, ctx, project, intake_project):
    """A session of another project, whose owner may write in the intake project as well."""
    return items.find_experiment(ctx, "E1", project)


def store(client, session, body, resource="OTHER"):
    url = f"/data/experiments/{session.id}/scans/1/resources/{resource}/files/a?inbody=true"
    assert client("PUT", url, "olga", content=body).status_code == 200


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize("how", ["DICOM", "zip"])
def test_an_archived_session_is_looked_at_before_it_moves_into_an_intake_project(client, ctx, session, how):
    bad = image(PatientBirthDate="19500101")
    store(
        client, session, packed("zip", bad) if how == "zip" else bad, "DICOM" if how == "DICOM" else "OTHER"
    )
    move = f"/data/experiments/{session.id}/projects/C_INTAKE?primary=true&label=E2"
    answer = client("PUT", move, "olga")
    assert answer.status_code == 422
    assert "nothing was moved" in answer.text
    assert items.by_pk(ctx, session.pk).project == session.project
    label = "OTHER" if how == "zip" else "DICOM"
    client("DELETE", f"/data/experiments/{session.id}/scans/1/resources/{label}", "olga")
    store(client, session, image(), "DICOM")
    assert client("PUT", move, "olga").status_code == 200
    assert items.by_pk(ctx, session.pk).project == "C_INTAKE"


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize("kind", ["experiments", "subjects"])
def test_nothing_is_shared_into_an_intake_project(client, ctx, project, session, kind):
    name = session.id if kind == "experiments" else items.find_subject(ctx, "S1", project).id
    answer = client("PUT", f"/data/{kind}/{name}/projects/C_INTAKE?label=X", "olga")
    assert answer.status_code == 422
    assert "primary=true" in answer.text
    back = client(
        "PUT", f"/data/projects/C_INTAKE/subjects/S1/experiments/E1/projects/{project}?label=X", "olga"
    )
    assert back.status_code == 200  # out of it is another matter


@pytest.mark.requirement("M-59")
def test_files_that_come_between_looking_and_moving_stop_the_move(client, ctx, session, monkeypatch):
    real = images.check_transfer

    def and_then_somebody_uploads(net, project, files):
        real(net, project, files)
        store(client, session, image(PatientBirthDate="19500101"))

    monkeypatch.setattr(images, "check_transfer", and_then_somebody_uploads)
    answer = client("PUT", f"/data/experiments/{session.id}/projects/C_INTAKE?primary=true", "olga")
    assert answer.status_code == 409
    assert items.by_pk(ctx, session.pk).project == session.project


@pytest.mark.requirement("M-59")
def test_a_refresh_of_the_catalogue_notes_no_unseen_object(client, ctx, intake_project):
    url = E.format(p=intake_project) + "/OTHER/files/a?inbody=true"
    assert client("PUT", url, "olga", content=b"a").status_code == 200
    found = items.find_experiment(ctx, "E1", intake_project)
    (resource,) = content.list_resources(ctx, [items.find_scan(ctx, found, "1")])
    folder = content.resource_folder(ctx, resource)
    (folder / "b").write_bytes(image(PatientBirthDate="19500101"))
    refresh = f"/data/services/refresh/catalog?resource=/archive/experiments/{found.id}&options=append"
    assert client("POST", refresh, "olga").status_code == 422
    assert [one.path for one in content.list_files(ctx, resource)] == ["a"]
    (folder / "b").write_bytes(image())
    assert client("POST", refresh, "olga").status_code == 200
    assert [one.path for one in content.list_files(ctx, resource)] == ["a", "b"]


@pytest.mark.requirement("M-59")
def test_outputs_of_commands_are_looked_at_as_well(ctx, intake_project, tmp_path):
    session = items.find_experiment(ctx, "E1", intake_project)
    plan = SimpleNamespace(parent=f"/archive/experiments/{session.id}", parent_handler="", label="OUT")
    for body, stays in ((image(), True), (image(OtherPatientIDs="4711"), False)):
        temporary, size, digest = content.receive(ctx, io.BytesIO(body))
        files = [content.Incoming("x.dcm", temporary, size, digest)]
        collected = [outputs.Collected(plan, ())]
        if stays:
            outputs.check(ctx, collected, [files])
        else:
            with pytest.raises(Problem, match="kept aside"):
                outputs.check(ctx, collected, [files])
        assert temporary.exists() is stays
    assert kept(ctx) == ["identifying-00100030"]


def test_the_name_of_an_intake_project_is_known_in_any_letter_case(ctx):
    net = intake_of(ctx).net
    assert net.applies("c_intake")
    assert not net.applies("C")
