"""The prearchive and its services over HTTP."""

from __future__ import annotations

import io
import zipfile

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from starlette.testclient import TestClient

from lethe.archive import accounts, content, intake, items
from lethe.archive.context import Context
from lethe.archive.intake import commit, prearchive
from lethe.archive.intake.prearchive import Row, Status
from lethe.archive.intake.receive import Arrival
from lethe.archive.intake.runtime import recover, settle
from lethe.archive.model import User
from lethe.archive.workflows import create_workflow

from .conftest import as_file, as_zip, new_study, study_objects


@pytest.fixture
def row(client: TestClient, ctx: Context) -> Row:
    """One READY session of project P."""
    upload(client, as_zip(study_objects()))
    (found,) = prearchive.listing(ctx)
    return found


def upload(client: TestClient, body: bytes, **params: str) -> str:
    wanted = {"project": "P", "dest": "/prearchive", **params}
    headers = {"Content-Type": "application/zip"}
    answer = client.post("/data/services/import", params=wanted, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def become(client: TestClient, login: str) -> None:
    client.cookies.clear()
    client.auth = (login, login)


def result(answer) -> list[dict[str, str]]:  # type: ignore[no-untyped-def]
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, str]] = answer.json()["ResultSet"]["Result"]
    return rows


def test_a_session_is_listed_with_xnats_columns(client: TestClient, row: Row) -> None:
    for path in ("/data/prearchive", "/data/prearchive/projects", "/data/prearchive/projects/P"):
        (listed,) = result(client.get(path))
        assert tuple(listed) == prearchive.COLUMNS
        assert listed["status"] == "READY"
        assert listed["url"] == f"/prearchive/projects/P/{row.timestamp}/A1B2_MR"
        assert (listed["subject"], listed["name"], listed["tag"]) == ("A1B2", "A1B2_MR", row.study)
        assert (listed["scan_date"], listed["scan_time"]) == ("2024-05-01", "10:15:00")
    assert result(client.get("/data/prearchive?tag=1.2.3")) == []
    assert len(result(client.get(f"/data/prearchive?tag={row.study}"))) == 1


def test_browsing_down_to_the_files(client: TestClient, row: Row) -> None:
    base = f"/data{row.url}"
    scans = result(client.get(f"{base}/scans"))
    assert [(scan["ID"], scan["xsiType"]) for scan in scans] == [
        ("1", "xnat:mrScanData"),
        ("2", "xnat:mrScanData"),
    ]
    (resource,) = result(client.get(f"{base}/scans/1/resources"))
    assert (resource["label"], resource["file_count"]) == ("DICOM", "2")
    files = result(client.get(f"{base}/scans/1/resources/DICOM/files"))
    assert client.get(files[0]["URI"]).content[128:132] == b"DICM"
    with zipfile.ZipFile(io.BytesIO(client.get(f"{base}?format=zip").content)) as packed:
        assert len(packed.namelist()) == 4
    document = client.get(f"{base}?format=xml").text
    assert 'label="A1B2_MR"' in document
    assert document.count("<xnat:scan ") == 2
    for missing in ("/scans/7/resources", "/scans/..%2F..", "/scans/1/resources/NIFTI/files"):
        assert client.get(base + missing).status_code in {400, 404}


def test_only_editors_see_and_touch_a_prearchive(client: TestClient, row: Row) -> None:
    become(client, "bob")
    assert result(client.get("/data/prearchive")) == []
    for method, path in (
        ("GET", "/data/prearchive/projects/P"),
        ("GET", f"/data{row.url}"),
        ("DELETE", f"/data{row.url}"),
        ("POST", f"/data{row.url}?action=build"),
        ("POST", f"/data/services/archive?src={row.url}"),
        ("POST", f"/data/services/prearchive/delete?src={row.url}"),
        ("GET", f"/data/services/dicomdump?src={row.url}"),
        ("GET", "/data/prearchive/projects/NOWHERE"),
    ):
        assert client.request(method, path).status_code == 403, path


def test_unassigned_sessions_are_the_administrators(client: TestClient, ctx: Context) -> None:
    upload(client, as_zip(study_objects(1, 1)), project="")
    assert client.get("/data/prearchive/projects/Unassigned").status_code == 403
    become(client, "admin")
    (listed,) = result(client.get("/data/prearchive"))
    assert listed["project"] == "Unassigned"
    moved = client.post(f"/data/services/prearchive/move?src={listed['url']}&newProject=P")
    (after,) = result(moved)
    assert after["url"].startswith("/prearchive/projects/P/")
    answer = client.post(f"/data/services/archive?src={after['url']}")
    assert answer.text == "/data/archive/projects/P/subjects/A1B2/experiments/A1B2_MR\r\n"


def test_archive_with_other_names_and_then_nothing_is_left(
    client: TestClient, ctx: Context, row: Row
) -> None:
    answer = client.post(
        "/data/services/archive", data={"src": f"/data{row.url}", "subject": "S9", "session": "E9"}
    )
    assert answer.headers["content-type"].startswith("text/uri-list")
    assert answer.text == "/data/archive/projects/P/subjects/S9/experiments/E9\r\n"
    assert prearchive.listing(ctx) == []
    assert not [path for path in (ctx.root / "prearchive").rglob("*") if path.is_file()]
    assert client.post(f"/data/services/archive?src={row.url}").status_code == 404


def test_a_conflict_leaves_the_session_for_a_person(client: TestClient, ctx: Context, row: Row) -> None:
    study = row.study
    client.post(f"/data/services/archive?src={row.url}")
    upload(client, as_zip(study_objects(3, 2, study)))
    (again,) = prearchive.listing(ctx)
    (warning,) = result(client.post(f"/data/services/validate-archive?src={again.url}"))
    assert "already exists" in warning["message"]
    assert client.post(f"/data/services/archive?src={again.url}").status_code == 409
    assert prearchive.by_pk(ctx, again.pk).status == Status.CONFLICT
    assert result(client.get(f"/data{again.url}/logs"))[0]["entry"].startswith("Session already exists")
    assert client.post(f"/data/services/archive?src={again.url}&overwrite=append").status_code == 200


def test_several_sources_answer_with_a_table(client: TestClient, ctx: Context, row: Row) -> None:
    upload(client, as_zip(study_objects(1, 1, PatientID="E2")))
    sources = [("src", one.url) for one in prearchive.listing(ctx)]
    assert len(result(client.post("/data/services/archive", params=sources))) == 2
    assert items.find_experiment(ctx, "E2", "P") is not None
    assert client.post("/data/services/archive").status_code == 400


def test_redirect_is_given_on_request(client: TestClient, row: Row) -> None:
    answer = client.post(f"/data/services/archive?src={row.url}&redirect=true", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"][:23]) == (303, "/data/archive/projects/")


@pytest.mark.parametrize("path", ["", "services"])
def test_delete(client: TestClient, ctx: Context, row: Row, path: str) -> None:
    if path:
        assert client.post(f"/data/services/prearchive/delete?src={row.url}&async=false").status_code == 200
    else:
        assert client.delete(f"/data{row.url}").status_code == 200
    assert prearchive.listing(ctx) == []
    assert not [one for one in (ctx.root / "prearchive").rglob("*") if one.is_file()]


def test_actions_on_a_session(client: TestClient, ctx: Context, row: Row) -> None:
    base = f"/data{row.url}"
    assert client.post(f"{base}?action=build").text == base
    assert client.post(f"{base}?action=reset-status").status_code == 200
    assert client.post(f"{base}?action=set-status&status=ERROR").status_code == 200
    assert prearchive.by_pk(ctx, row.pk).status == Status.ERROR
    assert client.post(f"{base}?action=set-status&status=ARCHIVING").status_code == 400
    assert client.post(base).status_code == 400
    assert client.post("/data/services/prearchive/rebuild", params={"src": row.url}).status_code == 200
    assert prearchive.by_pk(ctx, row.pk).status == Status.READY
    items.create_project(ctx, "Q", login="alice")
    moved = client.post(f"{base}?action=move&newProject=Q", follow_redirects=False)
    assert moved.status_code == 301
    assert moved.text.startswith("/data/prearchive/projects/Q/")
    committed = client.post(f"{moved.text}?action=commit", follow_redirects=False)
    assert (committed.status_code, committed.text) == (
        301,
        "/data/archive/projects/Q/subjects/A1B2/experiments/A1B2_MR",
    )


def test_commit_without_auto_archive_stays(client: TestClient, ctx: Context, row: Row) -> None:
    ctx.store.set_setting("project.P.prearchive_code", "0")
    answer = client.post(f"/data{row.url}?action=commit")
    assert (answer.status_code, answer.text) == (200, f"/data{row.url}")


def test_a_session_somebody_works_on_is_locked(client: TestClient, ctx: Context, row: Row) -> None:
    prearchive.claim(ctx, row.pk, Status.BUILDING)
    assert client.post(f"/data{row.url}?action=build").status_code == 409
    assert client.post(f"/data/services/archive?src={row.url}").status_code == 403
    assert client.delete(f"/data{row.url}").status_code == 403


def test_a_running_command_holds_archiving_back(client: TestClient, ctx: Context, row: Row) -> None:
    client.post(f"/data/services/archive?src={row.url}")
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    workflows_create(ctx, session.id)
    upload(client, as_zip(study_objects(3, 2, row.study)))
    (again,) = prearchive.listing(ctx)
    answer = client.post(f"/data/services/archive?src={again.url}&overwrite=append")
    assert answer.status_code == 409
    assert "session processing in progress" in answer.text.lower()


def workflows_create(ctx: Context, item: str) -> None:
    create_workflow(ctx, item, "deface", login="alice", status="Running")


def test_a_restart_ends_what_was_never_answered_and_keeps_the_rest(
    ctx: Context, client: TestClient, row: Row
) -> None:
    prearchive.change(ctx, row.pk, status=Status.ARCHIVING)
    upload(client, as_zip(study_objects(1, 1, PatientID="HALF")))
    half = prearchive.listing(ctx)[-1]
    prearchive.change(ctx, half.pk, private=1)
    recover(intake.intake_of(ctx))
    (left,) = prearchive.listing(ctx)
    assert (left.pk, left.status) == (row.pk, Status.RECEIVING)


def received(ctx: Context, alice: User, objects: list[Dataset]) -> int:
    """Take objects as a receiver does; return their session."""
    for data in objects:
        spool = ctx.store.temporary(".dcm")
        spool.write_bytes(as_file(data))
        pk = intake.intake_of(ctx).accept(spool, Arrival(alice)).pk
    assert pk is not None
    return pk


@pytest.mark.requirement("M-57")
def test_a_session_built_but_not_archived_at_a_kill_goes_on_at_the_next_start(
    ctx: Context, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = intake.intake_of(ctx)
    pk = received(ctx, alice, study_objects(1, 2, PatientComments="Project:P Subject:A1 Session:KILLED"))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commit, "archive", killed)
        with pytest.raises(KeyboardInterrupt):
            settle(engine, pk)
    recover(engine)
    (row,) = prearchive.listing(ctx)
    assert row.status == Status.RECEIVING
    settle(engine, pk)
    assert prearchive.listing(ctx) == []
    assert items.find_experiment(ctx, "KILLED", "P") is not None


@pytest.mark.requirement("M-57")
def test_a_series_that_comes_between_building_and_archiving_is_archived_as_well(
    ctx: Context, alice: User
) -> None:
    engine = intake.intake_of(ctx)
    objects = study_objects(2, 3, PatientComments="Project:P Subject:A1 Session:LATE")
    pk = received(ctx, alice, objects[:3])
    engine.build(pk)
    assert received(ctx, alice, objects[3:]) == pk
    done = commit.archive(engine, pk, commit.Request(login="alice"))
    scans = items.children(ctx, done.item, "scan")
    counts = [
        content.statistics(ctx, resource)[0]
        for scan in scans
        for resource in content.list_resources(ctx, [scan])
    ]
    assert counts == [3, 3]


# ---- dump, refresh, routing -----------------------------------------------------------------------


def test_the_dump_of_archive_and_prearchive(client: TestClient, ctx: Context, row: Row) -> None:
    rows = result(
        client.get(f"/data/services/dicomdump?src={row.url}/scans/2&field=SeriesDescription&field=00080060")
    )
    assert [(one["desc"], one["value"]) for one in rows] == [
        ("Modality", "MR"),
        ("Series Description", "SER2"),
    ]
    assert rows[0]["tag1"] == "(0008,0060)"
    client.post(f"/data/services/archive?src={row.url}")
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    address = "/archive/projects/P/subjects/A1B2/experiments/A1B2_MR/scans/1"
    assert len(result(client.get(f"/data/services/dicomdump?src={address}"))) > 10
    assert len(result(client.get(f"/data/services/dicomdump?src={address}&summary=true"))) < 12
    for src, status in (("/x", 400), ("/archive/projects/P/experiments/NONE", 404), (f"{address}9", 404)):
        assert client.get(f"/data/services/dicomdump?src={src}").status_code == status
    assert client.get(f"/data/services/dicomdump?src={address}&field=Nonsense").status_code == 400


def test_values_of_the_dump_are_escaped_cut_and_nested(client: TestClient, ctx: Context) -> None:
    objects = study_objects(1, 1, SeriesDescription="<b>&", ImageComments="x" * 900)
    code = Dataset()
    code.CodeValue = "T-1"
    objects[0].AnatomicRegionSequence = Sequence([code])
    upload(client, as_zip(objects))
    (row,) = prearchive.listing(ctx)
    rows = {
        (one["tag1"], one["tag2"]): one
        for one in result(client.get(f"/data/services/dicomdump?src={row.url}"))
    }
    assert rows["(0008,103E)", ""]["value"] == "&lt;b&gt;&amp;"
    assert len(rows["(0020,4000)", ""]["value"]) == 255
    assert rows["(0008,2218)", "(0008,0100)"]["value"] == "T-1"


def test_refresh_notes_new_files_forgets_lost_ones_and_adds_digests(
    client: TestClient, ctx: Context, row: Row
) -> None:
    client.post(f"/data/services/archive?src={row.url}")
    session = items.find_experiment(ctx, "A1B2_MR", "P")
    assert session is not None
    scan = items.find_scan(ctx, session, "1")
    assert scan is not None
    (resource,) = content.list_resources(ctx, [scan])
    folder = content.resource_folder(ctx, resource)
    (folder / "extra.txt").write_text("new")
    lost = content.list_files(ctx, resource)[0]
    (folder / lost.path).unlink()
    address = f"/archive/experiments/{session.id}/scans/1/resources/DICOM"
    answer = client.post(f"/data/services/refresh/catalog?resource={address}&options=append,delete,checksum")
    assert (answer.status_code, answer.text) == (200, "")
    found = {entry.path: entry.md5 for entry in content.list_files(ctx, resource)}
    assert found["extra.txt"] == "22af645d1859cb5ca6da0c484f1f37ea"
    assert lost.path not in found
    assert client.post("/data/services/refresh/catalog").status_code == 400


def test_a_stored_routing_names_the_session_of_a_study(client: TestClient, ctx: Context) -> None:
    study = new_study()
    address = f"/data/routing/{study}"
    assert client.get(address).status_code == 404
    assert client.put(address, params={"project": "P", "subject": "S7", "session": "E7"}).status_code == 200
    assert client.get(address).json()["project"] == "P"
    (data,) = study_objects(1, 1, study)
    headers = {"Content-Type": "application/dicom"}
    client.post("/data/services/import", content=as_file(data), headers=headers)
    (row,) = prearchive.listing(ctx)
    assert (row.project, row.subject, row.label) == ("P", "S7", "E7")
    assert client.delete(address).status_code == 200
    assert client.get(address).status_code == 404
    become(client, "bob")
    assert client.put(address, params={"project": "P"}).status_code in {403, 404}
    assert client.put("/data/routing/not-a-uid", params={"project": "P"}).status_code == 400


def test_receivers_are_the_administrators_business(client: TestClient, ctx: Context) -> None:
    assert client.get("/xapi/dicomscp").status_code == 403
    become(client, "admin")
    accounts.grant(ctx, "admin", "Administrator")
    made = client.post("/xapi/dicomscp", json={"aeTitle": "NEW", "port": intake._free_port()}).json()
    address = f"/xapi/dicomscp/{made['id']}"
    assert made["enabled"] is True
    changed = client.put(address, json={"projectRoutingExpression": "(0008,1030):(.*)"}).json()
    assert changed["aeTitle"] == "NEW"
    assert client.put(f"{address}/enabled/false").status_code == 200
    assert client.get(address).json()["enabled"] is False
    for title, port, rule in (("", 1, ""), ("A" * 17, 1, ""), ("A", 0, ""), ("A", "x", ""), ("A", 104, "(")):
        wrong = {"aeTitle": title, "port": port, "sessionRoutingExpression": rule}
        assert client.post("/xapi/dicomscp", json=wrong).status_code == 400
    assert client.post("/xapi/dicomscp", content=b"[").status_code == 400
    assert client.delete(address).status_code == 200
    assert client.get(address).status_code == 404
    intake.stop(ctx)
