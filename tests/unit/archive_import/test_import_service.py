"""Uploads through the import service."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile

import pydicom
import pytest
from starlette.testclient import TestClient

from lethe.archive import access, content, intake, items
from lethe.archive.context import Context
from lethe.archive.intake import prearchive
from lethe.archive.intake.importer import Imported, ImportRequest, acknowledge, import_upload
from lethe.archive.intake.objects import file_name
from lethe.archive.model import User
from lethe.archive.problem import Problem

from .conftest import as_file, as_zip, dicom_dataset, new_study, study_objects

ARCHIVE = {"dest": "/archive", "project": "P", "inbody": "true"}


def post(client: TestClient, body: bytes, kind: str = "application/zip", **params: str):  # type: ignore[no-untyped-def]
    spelled = {"import_handler": "import-handler", "Ignore_Unparsable": "Ignore-Unparsable"}
    names = {spelled.get(name, name): value for name, value in params.items()}
    return client.post("/data/services/import", params=names, content=body, headers={"Content-Type": kind})


def files_of(ctx: Context, label: str, project: str = "P") -> dict[str, int]:
    session = items.find_experiment(ctx, label, project)
    assert session is not None
    return {
        scan.id: len(content.list_files(ctx, resource))
        for scan in items.children(ctx, session, "scan")
        for resource in content.list_resources(ctx, [scan])
    }


@pytest.mark.requirement("E-62")
def test_a_zip_goes_to_the_archive_with_its_scans(
    client: TestClient, ctx: Context, zip_of_two_series: bytes
) -> None:
    answer = post(client, zip_of_two_series, **ARCHIVE)
    assert answer.status_code == 200, answer.text
    assert answer.text == "/data/archive/projects/P/subjects/A1B2/experiments/A1B2_MR\r\n"
    assert files_of(ctx, "A1B2_MR") == {"1": 2, "2": 2}
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    assert session.xsi_type == "xnat:mrSessionData"
    assert session.data["date"] == "2024-05-01"
    scan = items.find_scan(ctx, session, "1")
    assert scan is not None
    assert (scan.data["type"], scan.data["quality"], scan.data["frames"]) == ("SER1", "usable", "2")


def test_explicit_targets_and_the_destination_address_name_the_session(
    client: TestClient, zip_of_two_series: bytes
) -> None:
    named = {"project": "P", "subject": "X1", "session": "X1_01", "dest": "/archive", "inbody": "true"}
    answer = post(client, zip_of_two_series, import_handler="DICOM-zip", **named)
    assert answer.text.split() == ["/data/archive/projects/P/subjects/X1/experiments/X1_01"]
    other = as_zip(study_objects(1, 1))
    answer = post(client, other, dest="/archive/projects/P/subjects/X2/experiments/X2 01")
    assert answer.text.split() == ["/data/archive/projects/P/subjects/X2/experiments/X2_01"]


def test_multipart_equals_raw_body(client: TestClient, zip_of_two_series: bytes) -> None:
    answer = client.post(
        "/data/services/import",
        data={"project": "P", "dest": "/archive", "session": "M1"},
        files={"file": ("x.zip", zip_of_two_series, "application/zip")},
    )
    assert answer.text.split() == ["/data/archive/projects/P/subjects/A1B2/experiments/M1"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_is_imported(client: TestClient, ctx: Context, mode: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as packed:  # type: ignore[call-overload]
        for index, data in enumerate(study_objects()):
            body = as_file(data)
            entry = tarfile.TarInfo(f"{index}.dcm")
            entry.size = len(body)
            packed.addfile(entry, io.BytesIO(body))
    assert post(client, stream.getvalue(), "application/x-tar", **ARCHIVE).status_code == 200
    assert files_of(ctx, "A1B2_MR") == {"1": 2, "2": 2}


def test_the_stored_bytes_are_the_sent_bytes(client: TestClient, ctx: Context) -> None:
    objects = study_objects(1, 3)
    post(client, as_zip(objects), **ARCHIVE)
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    (scan,) = items.children(ctx, session, "scan")
    (resource,) = content.list_resources(ctx, [scan])
    sent = {file_name(data.SOPInstanceUID): as_file(data) for data in objects}
    for entry in content.list_files(ctx, resource):
        stored = content.file_path(ctx, resource, entry).read_bytes()
        assert stored == sent[entry.path]
        assert entry.md5 == hashlib.md5(stored, usedforsecurity=False).hexdigest()


def test_a_second_upload_is_a_conflict_and_leaves_nothing_behind(
    client: TestClient, ctx: Context, zip_of_two_series: bytes
) -> None:
    post(client, zip_of_two_series, **ARCHIVE)
    answer = post(client, zip_of_two_series, **ARCHIVE)
    assert answer.status_code == 409
    assert "Session already exists, retry with overwrite enabled" in answer.text
    assert prearchive.listing(ctx) == []
    assert not [path for path in (ctx.root / "prearchive").rglob("*") if path.is_file()]


def test_append_adds_what_is_new_and_keeps_what_is_there(client: TestClient, ctx: Context) -> None:
    study = new_study()
    post(client, as_zip(study_objects(1, 2, study)), **ARCHIVE)
    answer = post(client, as_zip(study_objects(2, 3, study)), overwrite="append", **ARCHIVE)
    assert answer.status_code == 200
    assert files_of(ctx, "A1B2_MR") == {"1": 3, "2": 3}
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    assert [scan.data["frames"] for scan in items.children(ctx, session, "scan")] == ["3", "3"]


@pytest.mark.requirement("E-75", "T-14")
def test_other_bytes_under_a_known_uid_never_overwrite_silently(client: TestClient, ctx: Context) -> None:
    study = new_study()
    post(client, as_zip(study_objects(1, 1, study)), **ARCHIVE)
    changed = as_zip(study_objects(1, 1, study, ImageComments="other"))
    answer = post(client, changed, overwrite="append", **ARCHIVE)
    assert answer.status_code == 409
    assert stored_comment(ctx) == ""
    assert post(client, changed, overwrite="delete", **ARCHIVE).status_code == 200
    assert stored_comment(ctx) == "other"
    assert files_of(ctx, "A1B2_MR") == {"1": 1}


def stored_comment(ctx: Context) -> str:
    (path,) = (ctx.root / "archive").rglob("*.dcm")
    return str(pydicom.dcmread(path).get("ImageComments", ""))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PatientName": "C0DE"}, "another subject"),
        ({"modality": "CT"}, "session modality"),
        ({"study": "1.2.3.4"}, "session UID"),
    ],
)
def test_a_session_of_another_kind_is_a_conflict(
    client: TestClient, change: dict[str, str], words: str
) -> None:
    study = new_study()
    post(client, as_zip(study_objects(1, 1, study)), **ARCHIVE)
    other = as_zip(study_objects(1, 1, **{"study": study, **change}))  # type: ignore[arg-type]
    answer = post(client, other, overwrite="append", **ARCHIVE)
    assert answer.status_code == 409
    assert words in answer.text


def test_a_scan_number_with_another_series_is_a_conflict(client: TestClient) -> None:
    study = new_study()
    post(client, as_zip(study_objects(1, 1, study)), **ARCHIVE)
    other = dicom_dataset(study=study, series=f"{study}.77", number=1)
    answer = post(client, as_zip([other]), overwrite="append", **ARCHIVE)
    assert answer.status_code == 409
    assert "already contains a scan" in answer.text


def test_two_series_of_one_number_become_two_scans(client: TestClient, ctx: Context) -> None:
    study = new_study()
    objects = [dicom_dataset(study=study, series=f"{study}.{n}", number=2, instance=n) for n in (1, 2, 3)]
    post(client, as_zip(objects), **ARCHIVE)
    assert files_of(ctx, "A1B2_MR") == {"2": 1, "2-MR1": 1, "2-MR2": 1}


def test_one_session_only_unless_the_handler_takes_many(client: TestClient, ctx: Context) -> None:
    two = as_zip([*study_objects(1, 1, PatientID="E1"), *study_objects(1, 1, PatientID="E2")])
    answer = post(client, two, **ARCHIVE)
    assert answer.status_code == 400
    assert "multiple imaging sessions" in answer.text
    assert prearchive.listing(ctx) == []
    answer = post(client, two, import_handler="DICOM-zip", **ARCHIVE)
    assert len(answer.text.split()) == 2


def test_what_is_not_dicom_is_refused_or_skipped(client: TestClient, ctx: Context) -> None:
    stream = io.BytesIO(as_zip(study_objects(1, 1)))
    with zipfile.ZipFile(stream, "a") as packed:
        packed.writestr("notes.txt", "hello")
        packed.writestr("__MACOSX/._x", "litter")
    assert post(client, stream.getvalue(), **ARCHIVE).status_code == 400
    assert items.find_experiment(ctx, "A1B2_MR", "P") is None
    assert post(client, stream.getvalue(), Ignore_Unparsable="true", **ARCHIVE).status_code == 200


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"project": "P", "import-handler": "XYZ"}, 404),
        ({"project": "NOWHERE", "dest": "/archive"}, 404),
        ({"project": "P", "dest": "/elsewhere"}, 400),
        ({"project": "P", "dest": "/archive", "overwrite": "perhaps"}, 400),
        ({"dest": "/archive"}, 400),
    ],
)
def test_a_wrong_parameter_is_named(
    client: TestClient, ctx: Context, params: dict[str, str], status: int
) -> None:
    body = as_zip(study_objects(1, 1))
    headers = {"Content-Type": "application/zip"}
    assert (
        client.post("/data/services/import", params=params, content=body, headers=headers).status_code
        == status
    )
    assert prearchive.listing(ctx) == []


def test_an_empty_or_broken_body_is_400(client: TestClient) -> None:
    assert post(client, b"", **ARCHIVE).status_code == 400
    assert post(client, b"PK\x03\x04 broken", **ARCHIVE).status_code == 400


@pytest.mark.requirement("E-19")
def test_who_may_not_create_may_not_import(
    client: TestClient, ctx: Context, zip_of_two_series: bytes
) -> None:
    client.cookies.clear()
    client.auth = ("bob", "bob")
    assert post(client, zip_of_two_series, **ARCHIVE).status_code == 404
    access.set_visibility(ctx, "P", "public")
    assert post(client, zip_of_two_series, **ARCHIVE).status_code == 403
    client.cookies.clear()
    client.auth = None  # type: ignore[assignment]
    assert post(client, zip_of_two_series, **ARCHIVE).status_code == 403


def test_a_header_cannot_route_into_a_project_of_others(client: TestClient, ctx: Context) -> None:
    items.create_project(ctx, "SECRET", login="bob")
    body = as_zip(study_objects(1, 1, PatientComments="Project:SECRET"))
    post(client, body, dest="/prearchive")
    (row,) = prearchive.listing(ctx)
    assert row.project == "Unassigned"


def test_without_destination_the_project_decides(client: TestClient, ctx: Context) -> None:
    answer = post(client, as_zip(study_objects(1, 1, PatientID="AUTO")), project="P")
    assert answer.text.startswith("/data/archive/")
    ctx.store.set_setting("project.P.prearchive_code", "0")
    answer = post(client, as_zip(study_objects(1, 1, PatientID="HAND")), project="P")
    assert answer.text.startswith("/data/prearchive/projects/P/")


def test_the_session_type_and_a_shared_modality(client: TestClient, ctx: Context) -> None:
    study = new_study()
    report = dicom_dataset(study=study, series=f"{study}.9", number=9, modality="SR")
    image = dicom_dataset(study=study, series=f"{study}.1", number=1, modality="CT")
    post(client, as_zip([report, image]), **ARCHIVE)
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    assert session.xsi_type == "xnat:ctSessionData"
    types = {scan.id: scan.xsi_type for scan in items.children(ctx, session, "scan")}
    assert types == {"1": "xnat:ctScanData", "9": "xnat:srScanData"}


# ---- one object at a time -------------------------------------------------------------------------


def test_gradual_import_joins_the_open_session_of_the_study(client: TestClient, ctx: Context) -> None:
    objects = study_objects(1, 2)
    uris = {post(client, as_file(data), "application/dicom", PROJECT_ID="P").text.strip() for data in objects}
    (uri,) = uris
    assert uri.startswith("/data/prearchive/projects/P/")
    (row,) = prearchive.listing(ctx)
    assert row.status == "RECEIVING"


@pytest.mark.requirement("E-62")
def test_ctp_is_answered_with_ok(client: TestClient) -> None:
    (data,) = study_objects(1, 1)
    for kind in ("application/x-mirc", "application/x-mirc-dicom"):
        answer = post(client, as_file(data), kind, project="P")
        assert (answer.status_code, answer.text) == (200, "OK")


def test_a_refused_series_is_dropped_silently(client: TestClient, ctx: Context) -> None:
    set_filter(ctx, "P", {"mode": "blacklist", "list": "^loc\n[BurnedInAnnotation]\nYES", "enabled": "true"})
    seen = []
    for values in (
        {"SeriesDescription": "Localizer"},
        {"BurnedInAnnotation": "YES"},
        {"SeriesDescription": "T1"},
    ):
        (data,) = study_objects(1, 1, **values)
        answer = post(client, as_file(data), "application/dicom", project="P")
        seen.append((answer.status_code, bool(answer.text)))
    assert seen == [(200, False), (200, False), (200, True)]


def test_a_whitelist_lets_only_its_series_in_and_a_broken_filter_nothing(
    client: TestClient, ctx: Context
) -> None:
    set_filter(ctx, "", {"mode": "whitelist", "list": "T1", "enabled": True})
    objects = study_objects(1, 1, SeriesDescription="t1 mprage") + study_objects(1, 1, SeriesDescription="T2")
    answer = post(client, as_zip(objects), import_handler="DICOM-zip", project="P", dest="/prearchive")
    assert len(answer.text.split()) == 1
    set_filter(ctx, "", {"mode": "modalityMap"})
    assert post(client, as_zip(objects), project="P", dest="/prearchive").status_code == 500


def set_filter(ctx: Context, project: str, value: dict[str, object]) -> None:
    columns = "tool, path, project, version, contents, login, created"
    with ctx.store.write() as db:
        version = db.execute("SELECT COUNT(*) FROM config").fetchone()[0]
        db.execute(
            f"INSERT INTO config ({columns}) VALUES (?,?,?,?,?,?,?)",
            ("seriesImportFilter", "config", project, version, json.dumps(value), "admin", 0.0),
        )


# ---- the second net -------------------------------------------------------------------------------


@pytest.mark.requirement("M-59")
def test_an_object_with_an_identifier_is_kept_aside_and_the_sender_is_told(
    client: TestClient, ctx: Context
) -> None:
    items.create_project(ctx, "P_INTAKE", login="alice")
    (data,) = study_objects(1, 1, PatientBirthDate="19500101")
    answer = post(client, as_file(data), "application/x-mirc", project="P_INTAKE")
    assert answer.status_code == 422
    assert "19500101" not in answer.text
    answer = post(client, as_zip([data]), project="P_INTAKE", dest="/archive")
    assert answer.status_code == 422
    assert prearchive.listing(ctx) == []
    assert items.find_experiment(ctx, "A1B2_MR", "P_INTAKE") is None
    reports = [json.loads(path.read_text()) for path in (ctx.root / "quarantine" / "P_INTAKE").glob("*.json")]
    assert len(reports) == 2
    assert {report["code"] for report in reports} <= {"script-quarantine", "identifying-00080018"}
    assert "19500101" not in json.dumps(reports)
    assert len(list((ctx.root / "quarantine" / "P_INTAKE").glob("*.dcm"))) == 2


def test_the_net_can_be_given_other_projects(client: TestClient, ctx: Context) -> None:
    ctx.settings.set("headerNetProjects", "P")
    (data,) = study_objects(1, 1)
    assert post(client, as_file(data), "application/dicom", project="P").status_code == 422
    ctx.settings.set("headerNetProjects", "")
    assert post(client, as_file(data), "application/dicom", project="P").status_code == 200


# ---- an answer that was never sent ----------------------------------------------------------------


def test_a_retry_after_a_lost_answer_succeeds_with_the_same_bytes_only(ctx: Context, alice: User) -> None:
    study = new_study()
    first, other = as_zip(study_objects(1, 2, study)), as_zip(study_objects(1, 2, study, ImageComments="x"))
    request = ImportRequest.of(alice, {"project": "P", "dest": "/archive"}, "SI")
    engine = intake.intake_of(ctx)

    def send(body: bytes) -> Imported:
        path = ctx.store.temporary()
        path.write_bytes(body)
        return import_upload(engine, path, request)

    done = send(first)  # the server dies before the answer
    with pytest.raises(Problem):
        send(other)
    assert send(first).uris == done.uris
    acknowledge(ctx, done)
    with pytest.raises(Problem):
        send(first)
    assert files_of(ctx, "A1B2_MR") == {"1": 2}
