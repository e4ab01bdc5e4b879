"""Publication on the command line: the plan is what is done, what is held names its gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.people import people
from kit.tables import clinical_table
from lethe.clinical import Dictionary, link_table, read_table, write_table
from lethe.clinical.noise import write_noise_key
from lethe.errors import Refused
from lethe.governance.collection import Collection
from lethe.governance.gates import Gate
from lethe.identity import Assignment
from lethe.xnat import records, release
from lethe.xnat.resources import put_file
from system.collection_site import ETHICS, SIGNED, CollectionSite, file_data, fresh

pytestmark = pytest.mark.system

ENDED = {"name": "Old", "agreement": {**SIGNED, "until": "2020-12-31"}, "ethics": ETHICS}
RENEWED = {"name": "Old", "agreement": SIGNED, "ethics": ETHICS}
ROWS = {"A001": "ZRH", "A002": "ZRH", "A003": "OLD"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectionSite]:
    found = CollectionSite(tmp_path_factory.mktemp("site"))
    yield found
    found.stop()


class Intake:
    """An intake project as the commands leave it, and ways to publish from it."""

    def __init__(self, site: CollectionSite, *, old: dict[str, Any] = RENEWED, rows: Any = ROWS) -> None:
        self.site, self.name = site, fresh()
        self.sign(old)
        self.put("CLINICAL", "clinical.csv", "prid,centre,age\n" + "".join(
            f"{prid},{centre},7{prid[-1]}\n" for prid, centre in rows.items()
        ), "")  # fmt: skip

    def sign(self, old: dict[str, Any]) -> None:
        data = file_data(self.name)
        data["centres"]["OLD"] = old
        self.site.apply(data)

    def put(self, resource: str, name: str, body: str, below: str) -> None:
        spool = self.site.folder / "spool"
        spool.write_text(body)
        with self.site.archive() as archive:
            put_file(archive, f"/data/projects/{self.name}_INTAKE{below}/resources/{resource}", name, spool)

    def scan(self, prid: str, number: str = "1", verdict: str = "pass", **more: str) -> None:
        """Add a de-faced scan; `more` are further files as resource=text of ``quality.json``."""
        session = f"/subjects/{prid}/experiments/{prid}_CT"
        with self.site.archive() as archive:
            base = f"/data/projects/{self.name}_INTAKE"
            for path, xsi in (
                (f"/subjects/{prid}", ""),
                (session, "xnat:ctSessionData"),
                (f"{session}/scans/{number}", "xnat:ctScanData"),
            ):
                params = {"xsiType": xsi, **({"type": "CT"} if "scans" in path else {})} if xsi else None
                if not archive.exists(base + path, "look"):
                    archive.request("PUT", base + path, "create", params=params)
        below = f"{session}/scans/{number}"
        self.put("CONVERSION", "lane.json", json.dumps({"lane": "deface", "modality": "CT"}), below)
        self.put("DEFACE_QC", "report.json", json.dumps({"verdict": verdict}), below)
        self.put("DEFACE_QC", "before.png", "a face", below)
        self.put("NIFTI", "image.nii.gz", "before", below)
        self.put("NIFTI_DEFACED", "image.nii.gz", f"after {prid} {number}", below)
        for resource, text in more.items():
            self.put(resource, "quality.json", text, below)

    def publish(self, *words: str, login: str = "owner") -> Any:
        """Publish on the command line and return its document."""
        done = self.site.lethe("collection", "publish", self.name, "--output", "json", *words, login=login)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def plan(self, *sessions: str) -> release.Release:
        with self.site.archive("owner") as archive:
            return release.make_release(archive, Collection(self.name), sessions=sessions)

    def carry_out(self, plan: release.Release, login: str = "owner") -> int:
        with self.site.archive(login) as archive:
            return release.carry_out(archive, plan, records.caller(archive), why="test")

    def gates(self) -> dict[str, list[Gate | None]]:
        """Return session -> gates of its held series."""
        return {one.scan.session: [each.gate for each in one.held] for one in self.plan().sessions}

    def published(self) -> dict[str, Any]:
        """Return path -> digest of all files of collection and trail, and the values of the subjects."""
        found: dict[str, Any] = {}
        get = lambda path: self.site.rq("GET", f"/data{path}")  # noqa: E731
        for row in get(f"/projects/{self.name}/experiments?format=json").json()["ResultSet"]["Result"]:
            for scan in get(f"/experiments/{row['ID']}/scans?format=json").json()["ResultSet"]["Result"]:
                place = f"/experiments/{row['ID']}/scans/{scan['ID']}/files?format=json"
                for file in get(place).json()["ResultSet"]["Result"]:
                    found[f"{row['label']}/{file['collection']}/{file['Name']}"] = file["digest"]
        for place in (f"{self.name}/resources/CLINICAL", f"{self.name}_INTAKE/resources/ACCESS_TRAIL"):
            answer = get(f"/projects/{place}/files?format=json")
            if answer.status_code == 200:
                found |= {file["Name"]: file["digest"] for file in answer.json()["ResultSet"]["Result"]}
        for row in get(f"/projects/{self.name}/subjects?format=json").json()["ResultSet"]["Result"]:
            item = get(f"/projects/{self.name}/subjects/{row['label']}?format=json").json()["items"][0]
            found[row["label"]] = [one["items"] for one in item["children"] if one["field"] == "fields/field"]
        return found


def without(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "applied"}


@pytest.mark.requirement("M-24", "M-55", "E-23", "M-65")
def test_what_is_published_is_what_the_dry_run_said_and_a_second_time_changes_nothing(site):
    intake = Intake(site)
    intake.scan("A001")
    intake.scan("A002", verdict="review")
    intake.scan("A004")
    before = intake.published()
    planned = intake.publish("--dry-run")
    assert intake.published() == before
    done = intake.publish("--why", "release 1")
    assert done["applied"]
    assert without(done) == without(planned)
    assert done["counts"] | {"files": 0, "values": 0} == {
        "sessions": 3, "to publish": 1, "published": 0, "held": 2, "held series": 2, "files": 0, "values": 0
    }  # fmt: skip
    after = intake.published()
    assert {"A001_CT/NIFTI_DEFACED/image.nii.gz", "A001_CT/NIFTI_DEFACED/report.json"} <= set(after)
    assert "clinical.csv" in after
    assert "A001" in after
    assert not [name for name in after if "before" in name or "A002" in name or "A004" in name]
    again = intake.publish("--why", "release 1")
    assert not again["differs"]
    assert again["counts"]["published"] == 1
    assert intake.published() == after
    audit = json.loads(site.lethe("access", "audit", intake.name, "--output", "json", login="owner").stdout)
    (record,) = [one for one in audit["records"] if one["what"]["deed"] == "release"]
    assert (record["why"], record["what"]["sessions"]) == ("release 1", ["A001_CT"])
    assert audit["faults"] == []


@pytest.mark.requirement("M-24", "M-09", "T-11", "A-04")
def test_a_held_session_names_its_gate_and_what_helps(site):
    intake = Intake(site, rows={**ROWS, "A005": "ZRH"})
    intake.scan("A001", "1", verdict="review")
    intake.scan("A001", "2")
    intake.scan("A004")
    intake.scan("A005", QC=json.dumps({"grade": "unusable"}))
    assert intake.gates() == {
        "A001_CT": [Gate.DEFACE, Gate.SESSION],
        "A004_CT": [Gate.CLINICAL],
        "A005_CT": [Gate.QUALITY],
    }
    told = site.lethe("collection", "publish", intake.name, "--dry-run", login="owner")
    assert told.returncode == 0
    for gate in (Gate.DEFACE, Gate.CLINICAL, Gate.QUALITY):
        assert f"[{gate}]" in told.stdout
        assert gate.remedy in told.stdout
    assert "3 sessions: 0 to publish, 0 published before, 3 held; 4 series held" in told.stdout


@pytest.mark.requirement("M-55", "M-66", "M-67")
def test_an_agreement_that_ended_holds_its_patients_and_the_table_until_it_is_renewed(site):
    intake = Intake(site, old=ENDED)
    intake.scan("A001")
    intake.scan("A003")
    plan = intake.plan()
    assert intake.gates() == {"A001_CT": [], "A003_CT": [Gate.TERMS]}
    (held,) = plan.sessions[1].held
    assert "[agreement-expired]" in held.reason
    assert (plan.table.state, plan.table.gate) == ("held", Gate.TERMS)
    assert intake.carry_out(plan) > 0
    assert not [name for name in intake.published() if "A003" in name or "clinical" in name]
    intake.sign(RENEWED)
    intake.carry_out(intake.plan())
    assert {"A003", "A003_CT/NIFTI_DEFACED/image.nii.gz", "clinical.csv"} <= set(intake.published())
    intake.sign(ENDED)
    (later,) = [one for one in intake.plan().sessions if one.state == "held"]
    assert later.out


@pytest.mark.requirement("A-30", "M-55")
def test_pseudonymous_data_are_not_published(site):
    intake = Intake(site)
    intake.scan("A001")
    site.apply({**file_data(intake.name), "lookup": {"mode": "pseudonymous"}})
    assert intake.gates() == {"A001_CT": [Gate.TERMS]}


def test_one_session_goes_without_the_table_and_a_wrong_label_is_refused(site):
    intake = Intake(site)
    intake.scan("A001")
    intake.scan("A002")
    document = intake.publish("--session", "A002_CT", "--why", "one patient")
    assert [one["session"] for one in document["sessions"]] == ["A002_CT"]
    assert document["table"]["state"] == "left out"
    assert not [name for name in intake.published() if "A001" in name or "clinical" in name]
    with pytest.raises(Refused) as refused:
        intake.plan("A002_MR")
    assert refused.value.code == "session-unknown"


@pytest.mark.requirement("E-23", "E-27")
def test_only_owners_of_both_projects_publish_and_never_without_a_reason(site):
    intake = Intake(site)
    intake.scan("A001")
    before, plan = intake.published(), intake.plan()
    with pytest.raises(Refused) as refused:
        intake.carry_out(plan, "curator")
    assert refused.value.code == "publish-right"
    silent = site.lethe("collection", "publish", intake.name, login="owner")
    assert silent.returncode != 0
    assert "--why" in silent.stderr
    assert intake.published() == before


def test_a_cut_run_is_finished_and_other_bytes_are_never_overwritten(site):
    intake = Intake(site)
    intake.scan("A001")
    intake.carry_out(intake.plan())
    session = f"/data/projects/{intake.name}/subjects/A001/experiments/A001_CT"
    files = f"{session}/scans/1/resources/NIFTI_DEFACED/files"
    whole = intake.published()
    image = "A001_CT/NIFTI_DEFACED/image.nii.gz"
    assert site.rq("DELETE", f"{files}/image.nii.gz").status_code == 200
    assert image not in intake.published()
    assert intake.carry_out(intake.plan()) == 1
    assert intake.published()[image] == whole[image]
    assert site.rq("DELETE", f"{files}/image.nii.gz").status_code == 200
    assert site.rq("PUT", f"{files}/image.nii.gz?inbody=true", data=b"other").status_code == 200
    other = intake.published()
    assert intake.gates() == {"A001_CT": [Gate.STORED]}
    assert intake.carry_out(intake.plan()) == 0
    assert intake.published() == other


# ---- the linked table -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``lethe clinical link`` writes it, and the hospital's table beside it."""
    folder = tmp_path_factory.mktemp("linked")
    dictionary, persons = Dictionary.load(), people(3)
    given = {one.patient_id: Assignment(f"A00{n}", n - 1) for n, one in enumerate(persons)}
    table = read_table(
        clinical_table(persons, folder / "registry.csv"), dictionary, patient_column="patient_id"
    )
    write_table(
        link_table(table, dictionary, given, patient_column="patient_id"), folder / "table.csv", 0o600
    )
    write_noise_key(folder / "noise.key", bytes(range(32)))
    return folder


def stored(site: CollectionSite, name: str) -> dict[str, str]:
    answer = site.rq("GET", f"/data/projects/{name}_INTAKE/resources/CLINICAL_INTAKE/files?format=json")
    rows = answer.json()["ResultSet"]["Result"] if answer.status_code == 200 else []
    return {row["Name"]: row["digest"] for row in rows}


@pytest.mark.requirement("M-45", "M-55", "A-26")
def test_a_linked_table_is_uploaded_once_and_nothing_else_is(site, linked):
    name = fresh()
    centres = sorted({row.split(",")[1] for row in linked.joinpath("table.csv").read_text().splitlines()[1:]})
    head = linked.joinpath("table.csv").read_text().splitlines()[0].split(",")
    assert head[:2] == ["prid", "centre"]
    data = file_data(name, access={"agreement": False})
    data["centres"] = {code: {"name": code, "agreement": SIGNED, "ethics": ETHICS} for code in centres}
    data["people"] = {"curator": {"intake": "member"}, "owner": {"intake": "owner", "collection": "owner"}}
    site.apply(data)

    def upload(file: str, *words: str) -> Any:
        words = ("upload", str(linked / file), "--collection", name, "--output", "json", *words)
        return site.lethe("clinical", *words, login="curator")

    assert json.loads(upload("table.csv", "--dry-run").stdout)["to-send"] == ["noise.key", "table.csv"]
    assert stored(site, name) == {}
    raw = upload("registry.csv")
    assert raw.returncode != 0
    assert "patient" in raw.stderr
    assert stored(site, name) == {}
    done = upload("table.csv")
    assert json.loads(done.stdout)["sent"] == ["noise.key", "table.csv"], done.stderr
    first = stored(site, name)
    assert set(first) == {"noise.key", "table.csv"}
    assert json.loads(upload("table.csv").stdout)["sent"] == []
    assert stored(site, name) == first


@pytest.mark.requirement("M-66")
def test_a_table_of_a_centre_without_agreement_is_not_uploaded(site, linked):
    name = fresh()
    data = file_data(name, centres={"OTHER": {"name": "Other", "agreement": SIGNED, "ethics": ETHICS}})
    data["people"] = {"owner": {"centre": "OTHER", "collection": "owner", "intake": "owner"}}
    site.apply(data)
    told = site.lethe("clinical", "upload", linked / "table.csv", "--collection", name)
    assert told.returncode != 0
    assert "agreement-missing" in told.stderr
    assert stored(site, name) == {}
