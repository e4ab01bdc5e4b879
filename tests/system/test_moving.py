"""An evaluation on one archive moves into another: all by REST, cut twice, and once more for nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pydicom
import pytest
import requests

from contract.helpers import dicom_bytes
from kit.cable import cable, certificate
from kit.served import served
from lethe.archive.export import export
from lethe.errors import Misconfigured, Quarantined, Refused, Unavailable
from lethe.xnat.client import connect
from lethe.xnat.moving import Move
from lethe.xnat.moving_folder import read
from lethe.xnat.moving_report import Receipt
from lethe.xnat.moving_target import Target

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.requirement("A-13", "M-59")]

ADMIN = ("admin", "admin")
SOURCE_PEOPLE = {
    name: {"password": name, "email": f"{name}@example.org", "admin": name == "admin"}
    for name in ("admin", "owner", "carol", "dora", "erik")
}
TARGET_PEOPLE = {
    "admin": SOURCE_PEOPLE["admin"],
    "owner": SOURCE_PEOPLE["owner"],
    "erik": {"password": "erik", "email": "another.erik@example.org"},
}
SESSION = "/data/projects/C/subjects/P001/experiments/P001_CT1"
RECORD = "/data/projects/C/subjects/P001/experiments/P001_V1"
ODD = "sub dir/\u00e4 #1.txt"
MINE = {"lethe_former_id", "lethe_moved_from", "lethe_moved"}
NUMBERS = {"ID", "subject_ID", "image_session_ID", "imageSession_ID", "URI", "xnat_imagescandata_id",
           "xnat_abstractresource_id"}  # fmt: skip


class Site:
    """One archive under test."""

    def __init__(self, url: str, root: Path) -> None:
        self.url, self.root = url, root
        self.http = requests.Session()
        self.http.auth = ADMIN

    def rq(self, method: str, path: str, ok: tuple[int, ...] = (200, 201), **more: Any) -> requests.Response:
        answer = self.http.request(method, self.url + path, timeout=60, **more)
        assert answer.status_code in ok, (path, answer.status_code, answer.text[:300])
        return answer

    def put(self, path: str, params: dict[str, str] | None = None, **more: Any) -> None:
        self.rq("PUT", path, params=params, **more)

    def upload(self, resource: str, name: str, data: bytes, **params: str) -> None:
        if data:
            kind = {"Content-Type": "application/octet-stream"}
            self.put(f"{resource}/files/{quote(name)}", {"inbody": "true", **params}, data=data, headers=kind)
        else:
            self.put(f"{resource}/files/{quote(name)}", params, files={"file": (name, b"")})

    def rows(self, path: str) -> list[dict[str, str]]:
        return self.rq("GET", path, params={"format": "json"}).json()["ResultSet"]["Result"]

    def item(self, path: str) -> dict[str, Any]:
        return self.rq("GET", path, params={"format": "json"}).json()["items"][0]

    def deeds(self) -> int:
        """Count what the archive noted as changes."""
        with closing(sqlite3.connect(f"file:{self.root / 'archive.db'}?mode=ro", uri=True)) as db:
            return int(
                db.execute("SELECT (SELECT COUNT(*) FROM workflow) + COUNT(*) FROM config").fetchone()[0]
            )

    def files(self) -> int:
        return sum(path.is_file() for path in (self.root / "archive").rglob("*"))


def cleaned(**what: Any) -> bytes:
    """Return a small object that the net of intake projects finds nothing in."""
    dataset = pydicom.dcmread(io.BytesIO(dicom_bytes(patient="00A9", pid="00A9", modality="CT", **what)))
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, name, f"2.25.{uuid.uuid4().int}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for name in ("StudyTime", "SeriesDescription", "StudyDescription", "PatientComments"):
        if name in dataset:
            del dataset[name]
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def seed(site: Site) -> None:
    for name in ("C", "C_INTAKE"):
        site.put(f"/data/projects/{name}", {"name": f"Name of {name}", "description": "two words & more"})
        for login, group in (("owner", "Owners"), ("carol", "Members"), ("dora", "Collaborators"),
                             ("erik", "Members")):  # fmt: skip
            site.put(f"/data/projects/{name}/users/{group}/{login}")
    site.put("/data/projects/C/prearchive_code/0")
    for version in ("first", "second"):
        text = {"Content-Type": "text/plain"}
        site.put(
            "/data/projects/C_INTAKE/config/lethe/collection", {"inbody": "true"}, data=version, headers=text
        )
    site.put("/xapi/anonymize/projects/C", data='version "6.3"\n', headers={"Content-Type": "text/plain"})
    site.put("/xapi/anonymize/projects/C/enabled", {"enable": "false"}, json={})
    for label, age in (("P001", "63"), ("P002", "71")):
        field = "xnat:subjectData/fields/field[name={}]/field"
        site.put(f"/data/projects/C/subjects/{label}",
                 {"age": age, "gender": "female", "group": "stroke", field.format("mrs"): "2"}
                 | {field.format(f"variable_{n}"): f"{'x' * 200} {n}" for n in range(40)})  # fmt: skip
    site.put("/xapi/custom-fields/projects/C/subjects/P001/fields", json={"outcome": {"mrs": 2}})
    site.put(SESSION, {"xsiType": "xnat:ctSessionData", "date": "2024-05-01", "note": "<b>&amp;</b>",
                       "xnat:ctSessionData/scanner/manufacturer": "ACME"})  # fmt: skip
    for scan in ("2", "3"):
        site.put(f"{SESSION}/scans/{scan}", {
            "xsiType": "xnat:ctScanData", "type": "CTA", "quality": "questionable",
            "xnat:ctScanData/parameters/addParam[name=kvp]/addField": "120",
        })  # fmt: skip
        for n in range(3):
            site.upload(f"{SESSION}/scans/{scan}/resources/DICOM", f"{n}.dcm",
                        cleaned(num=int(scan), inst=n), format="DICOM", content="RAW")  # fmt: skip
        site.put(
            f"{SESSION}/scans/{scan}/resources/NIFTI", {"format": "NIFTI", "content": "CT", "tags": "t1"}
        )
        site.upload(f"{SESSION}/scans/{scan}/resources/NIFTI", "image.nii.gz", os.urandom(5000), tags="one")
    site.upload(f"{SESSION}/resources/NOTES", ODD, b"text")
    site.upload(f"{SESSION}/resources/NOTES", "empty.txt", b"")
    site.put(f"{SESSION}/assessors/P001_CT1_QC", {"xsiType": "lethe:defaceQcData", "date": "2024-05-02",
             "lethe:defaceQcData/verdict": "pass", "lethe:defaceQcData/scan_id": "2"})  # fmt: skip
    site.upload(f"{SESSION}/assessors/P001_CT1_QC/resources/QC", "view.png", b"png")
    site.upload(f"{SESSION}/assessors/P001_CT1_QC/out/resources/MASK", "mask.nii", b"mask")
    site.put(RECORD, {"xsiType": "lethe:clinicalData", "lethe:clinicalData/event_no": "1",
                      "lethe:clinicalData/age_years": "63", "lethe:clinicalData/sex": "F"})  # fmt: skip
    site.put("/data/projects/C/subjects/P002/experiments/P002_CT1", {"xsiType": "xnat:ctSessionData"})
    site.put("/data/projects/C/subjects/P002/experiments/P002_CT1", {"quarantine": "true"})
    site.upload("/data/projects/C/resources/CLINICAL", "clinical.csv", b"prid,mrs\nP001,2\n", format="CSV")
    intake = "/data/projects/C_INTAKE/subjects/P009/experiments/P009_CT1"
    site.put(intake, {"xsiType": "xnat:ctSessionData"})
    site.put(f"{intake}/scans/1", {"xsiType": "xnat:ctScanData"})
    for n in range(3):
        site.upload(f"{intake}/scans/1/resources/DICOM", f"{n}.dcm", cleaned(inst=n), format="DICOM")
    number = site.item("/data/projects/C_INTAKE/subjects/P009")["data_fields"]["ID"]
    site.put(f"/data/subjects/{number}/projects/C", {"label": "P009_SHARED"})
    site.put("/data/projects/C/accessibility/public")


def plain(item: dict[str, Any]) -> Any:
    """Return an item's JSON without what every archive numbers for itself."""
    fields = {k: v for k, v in item["data_fields"].items() if k not in NUMBERS}
    below = sorted(
        json.dumps(
            [child["field"], sorted((plain(row) for row in child["items"] if not own(row)), key=str)],
            sort_keys=True,
        )
        for child in item["children"]
        if any(not own(row) for row in child["items"])
    )
    return [item["meta"]["xsi:type"], fields, below]


def own(row: dict[str, Any]) -> bool:
    fields = row["data_fields"]
    return fields.get("name") in MINE or fields.get("label") == "LETHE_HISTORY"


def picture(site: Site) -> dict[str, Any]:
    """Return all that REST tells of the two projects."""
    found: dict[str, Any] = {}

    def look(path: str) -> None:
        found[path] = plain(site.item(path))
        for variant in ("", "/out") if "assessors" in path else ("",):
            for row in site.rows(f"{path}{variant}/resources"):
                if row["label"] == "LETHE_HISTORY":
                    continue
                where = f"{path}{variant}/resources/{row['label']}"
                found[where] = [row[k] for k in ("format", "content", "tags", "file_count", "file_size")]
                found[f"{where}/files"] = [
                    [f["Name"], f["URI"].split("/files/")[1], f["Size"], f["digest"], f["file_format"],
                     f["file_content"], f["file_tags"]]
                    for f in site.rows(f"{where}/files")
                ]  # fmt: skip

    for name in ("C", "C_INTAKE"):
        base = f"/data/projects/{name}"
        look(base)
        for word in ("accessibility", "prearchive_code", "quarantine_code"):
            found[f"{name} {word}"] = site.rq("GET", f"{base}/{word}").text
        found[f"{name} roles"] = sorted((r["login"], r["displayname"]) for r in site.rows(f"{base}/users"))
        for subject in site.rows(f"{base}/subjects"):
            below = f"{base}/subjects/{subject['label']}"
            look(below)
            fields = f"/xapi/custom-fields/projects/{name}/subjects/{subject['label']}/fields"
            found[fields] = site.rq("GET", fields).json()
            for session in site.rows(f"{below}/experiments"):
                path = f"{below}/experiments/{session['label']}"
                look(path)
                found[f"{path} status"] = site.rq("GET", f"{path}/status").text
                for scan in site.rows(f"{path}/scans"):
                    look(f"{path}/scans/{scan['ID']}")
                for assessor in site.rows(f"{path}/assessors"):
                    look(f"{path}/assessors/{assessor['label']}")
    config = "/data/projects/C_INTAKE/config/lethe/collection?action=getHistory"
    found["configuration"] = [row["contents"] for row in site.rows(config)]
    script = "/xapi/anonymize/projects/C"
    found["script"] = [site.rq("GET", script).text, site.rq("GET", f"{script}/enabled").text]
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("source") / "a"
    with served(root, SOURCE_PEOPLE) as url:
        site = Site(url, root)
        seed(site)
        yield site


@pytest.fixture(scope="module")
def exported(source: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "moving"
    call = lethe("archive", "export", "--root", str(source.root), "--out", str(out), "--output", "json")
    assert call.returncode == 0, call.stderr
    assert json.loads(call.stdout)["counts"]["files"] == 16
    return out


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("target") / "b"
    with served(root, TARGET_PEOPLE) as url:
        yield Site(url, root)


def lethe(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lethe.cli", *words], capture_output=True, text=True, timeout=120, check=False
    )


def import_words(folder: Path, site: Site) -> list[str]:
    secret = site.root.parent / "password"
    secret.write_text("admin")
    return [
        "xnat",
        "import",
        str(folder),
        "--url",
        site.url,
        "--user",
        "admin",
        "--password-file",
        str(secret),
    ]


def move(folder: Path, site: Site, **options: Any) -> Receipt:
    dry = options.pop("dry_run", False)
    with connect(site.url, *ADMIN) as archive:
        return Move(read(folder), Target(archive, dry_run=dry), **options).run()


def killed_at(files: int, folder: Path, site: Site) -> None:
    """Start an import and kill it with signal 9 as soon as so many files are at the target."""
    words = [sys.executable, "-m", "lethe.cli", *import_words(folder, site), "--create-users"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while site.files() < files and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the import ended before it was killed"


class Cut(Target):
    """Ends the move after some changes, right after one that was made."""

    left = 8

    def change(self, *words: Any, **more: Any) -> None:
        super().change(*words, **more)
        self._count()

    def upload(self, *words: Any) -> str:
        found = super().upload(*words)
        self._count()
        return found

    def _count(self) -> None:
        self.left -= 1
        if not self.left:
            raise ConnectionAbortedError


def cut_again_and_again(folder: Path, url: str) -> Iterator[None]:
    """Move in runs of a few changes each, until one comes to the end; a pulled cable may end one, too."""
    while True:
        yield
        with suppress(ConnectionAbortedError, Unavailable), connect(url, *ADMIN) as archive:
            Move(read(folder), Cut(archive, sleep=lambda _: None), create_users=True).run()
            return


def test_an_archive_moves_into_another_cut_twice_and_once_more_for_nothing(
    source, target, exported, tmp_path, monkeypatch
):
    pem = certificate(tmp_path)
    dry = move(exported, target, create_users=True, dry_run=True)
    assert dry.changes > 30
    assert target.rows("/data/projects") == []

    for files in (2, 9):
        killed_at(files, exported, target)
        assert target.rq("GET", "/data/projects/C/accessibility").text == "private"
    for name, value in (("REQUESTS_CA_BUNDLE", str(pem[0])), ("no_proxy", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    with cable(int(target.url.rsplit(":", 1)[1]), pem, [25_000, 40_000, 55_000]) as line:
        runs = sum(1 for _ in cut_again_and_again(exported, f"https://127.0.0.1:{line.port}"))
        assert line.pulled == 3
    assert runs > 3
    call = lethe(*import_words(exported, target), "--create-users", "--output", "json")
    assert call.returncode == 0, call.stderr
    receipt = json.loads(call.stdout)
    assert receipt["complete"]
    assert receipt["compared"] == 18  # and the histories of two projects
    assert receipt["listing"]["export"] == receipt["listing"]["target"]
    assert (receipt["changes"], receipt["sent"]) == (0, 0)
    assert receipt == json.loads((exported.parent / "moving-receipt.json").read_text())

    # somebody else has the login erik at the target: he gets nothing
    assert receipt["people_other_mail"] == ["erik"]
    before, after = picture(source), picture(target)
    for name in ("C roles", "C_INTAKE roles"):
        before[name] = [pair for pair in before[name] if pair[0] not in {"erik", "admin"}]
        after[name] = [pair for pair in after[name] if pair[0] != "admin"]
    assert after == before
    assert after["C accessibility"] == "public"

    # accounts that were made are shut; the former accession id is kept; the history never gets public
    assert target.rq("GET", "/xapi/users/carol").json()["enabled"] is False
    number = source.item(SESSION)["data_fields"]["ID"]
    kept = [row["data_fields"] for child in target.item(SESSION)["children"] for row in child["items"]]
    assert {"name": "lethe_former_id", "field": number} in kept
    assert [r for r in target.rows("/data/projects/C/resources") if r["label"] == "LETHE_HISTORY"] == []
    history = target.rows("/data/projects/C_INTAKE/resources/LETHE_HISTORY/files")
    assert len(history) == 2
    text = target.rq("GET", next(row["URI"] for row in history if row["Name"].startswith("C-"))).json()
    assert {"Added Subject", "Uploaded file"} <= {deed["pipeline_name"] for deed in text["deeds"]}

    deeds = target.deeds()
    again = move(exported, target, create_users=True)
    assert (again.changes, again.sent, again.compared, target.deeds()) == (0, 0, 18, deeds)

    # what people changed at the target since then is theirs: named, not overwritten
    target.put(SESSION, {"note": "changed here"})
    target.put("/data/projects/C/accessibility/protected")
    again = move(exported, target, create_users=True)
    assert again.changes == 0
    assert sorted(one.rsplit(": ", 1)[1] for one in again.differs) == ["accessibility", "note"]


def test_a_second_export_of_the_same_archive_has_the_same_bytes(source, exported, tmp_path):
    found = export(source.root, tmp_path / "again", link=True)
    assert read(exported, seal=found.seal).seal == found.seal
    with pytest.raises(Refused, match="exists"):
        export(source.root, tmp_path / "again")
    with pytest.raises(Misconfigured, match="no-project"):
        export(source.root, tmp_path / "none", projects=["X"])
    # what an earlier, broken-off call left: one damaged file, one that is no longer in the archive
    (tmp_path / "again").rename(tmp_path / ".third.partial")
    one = next((tmp_path / ".third.partial" / "files").rglob("image.nii.gz"))
    size = one.stat().st_size
    one.unlink()
    one.write_bytes(b"x" * size)
    (tmp_path / ".third.partial" / "files" / "gone").write_text("x")
    assert export(source.root, tmp_path / "third").seal == found.seal
    read(tmp_path / "third")


def _edit(folder: Path) -> None:
    path = next(folder.rglob("image.nii.gz"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def _rewrite(folder: Path) -> None:
    path = folder / "projects" / "C.json"
    path.write_text(path.read_text().replace('"visibility": "public"', '"visibility": "private"'))


def _seal(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text() + "\n")


@pytest.mark.parametrize(
    "change",
    [
        _edit, _rewrite, _seal,
        lambda folder: (folder / "people.json").unlink(),
        lambda folder: (folder / "files" / "stray").write_text("x"),
        lambda folder: (folder / "files" / "link").symlink_to("/etc/hostname"),
    ],
    ids=["byte", "document", "manifest", "missing", "added", "link"],
)  # fmt: skip
def test_a_changed_export_is_refused_before_anything_is_sent(exported, tmp_path, change):
    folder = tmp_path / "copy"
    shutil.copytree(exported, folder)
    seal = read(folder).seal
    change(folder)
    with pytest.raises(Refused, match="export-changed"):
        read(folder, seal=seal)


def test_a_project_of_that_id_from_elsewhere_is_refused_and_only_added_to_when_told(exported, tmp_path):
    with served(tmp_path / "other", TARGET_PEOPLE) as url:
        site = Site(url, tmp_path / "other")
        site.put("/data/projects/C", {"description": "ours"})
        with pytest.raises(Refused, match="project-exists"):
            move(exported, site)
        assert [row["ID"] for row in site.rows("/data/projects")] == ["C"]
        assert site.rows("/data/projects/C/subjects") == []

        # the net of the target takes nothing that still names somebody: said, and the rest goes on
        bad = tmp_path / "bad"
        shutil.copytree(exported, bad)
        _plant(bad)
        found = move(bad, site, into_existing=True)
        assert [one["project"] for one in found.refused] == ["C_INTAKE"]
        assert "identifying" in found.refused[0]["reason"]
        assert "Q999" not in str(found.refused)
        assert site.item("/data/projects/C")["data_fields"]["description"] == "ours"
        assert site.rq("GET", "/data/projects/C/accessibility").text == "private"
        assert found.people_missing == ["carol", "dora"]
        assert len(site.rows(f"{SESSION}/scans/2/resources/DICOM/files")) == 3
        call = lethe(*import_words(bad, site), "--into-existing")
        assert call.returncode == Quarantined.exit_code
        assert "not-taken" in call.stderr


def _plant(folder: Path) -> None:
    """Put a name into one object of the intake project, as an honest export would bring it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    name = next(n for n in manifest["files"] if n.startswith("files/C_INTAKE") and n.endswith("0.dcm"))
    path = folder / name
    dataset = pydicom.dcmread(path)
    dataset.PatientBirthDate, dataset.OtherPatientIDs = "19500101", "Q999"
    dataset.save_as(path)
    data = path.read_bytes()
    document = folder / "projects" / "C_INTAKE.json"
    text = document.read_text()
    project = json.loads(text)
    row = _row(project, name)
    row["size"], row["md5"] = len(data), _digest("md5", data)
    document.write_text(json.dumps(project))
    for file in (name, "projects/C_INTAKE.json"):
        found = (folder / file).read_bytes()
        manifest["files"][file] = {"size": len(found), "sha256": _digest("sha256", found)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _digest(kind: str, data: bytes) -> str:
    return hashlib.new(kind, data).hexdigest()


def _row(node: dict[str, Any], name: str) -> dict[str, Any]:
    rows = [one for resource in node["resources"] for one in resource["files"] if one["file"] == name]
    return rows[0] if rows else next(row for child in node["children"] if (row := _row(child, name)))


class Failing:
    """An archive whose first answers are lost, or refused as to somebody it no longer knows."""

    def __init__(self, *outcomes: Exception | int) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []

    def request(self, method: str, path: str, what: str, **more: Any) -> Any:
        self.asked.append((method, path))
        if more.get("data") is not None:
            self.bodies.append(more["data"].read())
        outcome = self.outcomes.pop(0) if self.outcomes else 200
        if isinstance(outcome, Exception):
            raise outcome
        return type("Answer", (), {"status_code": outcome, "text": ""})


def test_a_lost_connection_is_waited_for_and_a_forgotten_login_made_anew(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"bytes")
    lost = Unavailable("archive-unreachable", "The archive does not answer.")
    waits: list[float] = []
    archive = Failing(lost, 503, lost)
    assert Target(archive, sleep=waits.append).upload("/r", "a b", file, {}) == ""
    assert waits == [0.5, 1.0, 2.0]
    assert archive.bodies == [b"bytes"] * 4
    assert set(archive.asked) == {("PUT", "/r/files/a%20b")}

    archive = Failing(*[lost] * 20)
    with pytest.raises(Unavailable):
        Target(archive, sleep=waits.append).get("/data/projects", "look")
    assert len(archive.asked) == 8
    with pytest.raises(Unavailable, match="goes on"):
        Target(Failing(*[502] * 20), sleep=waits.append).get("/data/projects", "look")
    other = Unavailable("archive-full", "The archive's disk is full.")
    with pytest.raises(Unavailable, match="archive-full"):
        Target(Failing(other), sleep=waits.append).get("/data/projects", "look")

    archive = Failing(Refused("forbidden", "Your role does not allow this."))
    assert Target(archive).upload("/r", "f", file, {}) == ""
    assert [method for method, _ in archive.asked] == ["PUT", "GET", "PUT"]
    with pytest.raises(Refused, match="conflict"):
        Target(Failing(Refused("conflict", "There is one."))).upload("/r", "f", file, {})
