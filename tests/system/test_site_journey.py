"""A hospital's way with the installed programs: identities, cleaning, sending, sealing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit import kinds, phantom, series, tables
from kit.people import Person, people
from lethe.identity.leftovers import search

pytestmark = pytest.mark.system
LETHE = Path(sys.executable).with_name("lethe")


def lethe(*words: str | Path, status: int = 0) -> str:
    """Run the installed program and return what it printed on stdout."""
    done = subprocess.run([LETHE, *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def patients() -> list[Person]:
    return people(3, seed=5)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory, patients: list[Person]) -> Path:
    folder = tmp_path_factory.mktemp("hospital")
    head = phantom.head("ct", spacing=(2.0, 2.0, 5.0))
    series.write_series(head, None, folder / "dicom" / "a", person=patients[0])
    series.write_series(head, None, folder / "dicom" / "b", person=patients[1])
    kinds.write_secondary_capture(folder / "dicom" / "c", person=patients[2])
    tables.clinical_table(patients, folder / "registry.csv")
    return folder


@pytest.mark.requirement("E-38", "E-46", "E-62", "E-65", "M-36", "M-37", "T-2")
def test_from_the_hospitals_files_to_a_sealed_session(hospital, patients, server, get, tmp_path):
    session, key, lookup = tmp_path / "session", tmp_path / "dpo.key", tmp_path / "stroke.properties"
    lethe("intake", "open", session, "--key", key)
    lethe("intake", "add", session, "--key", key, "--from", hospital / "registry.csv")
    lethe("intake", "add", session, "--key", key, "--from", hospital / "dicom")
    assert json.loads(lethe("intake", "status", session, "--key", key, "--output", "json"))["patients"] == 3
    lethe("intake", "lookup-table", session, "--key", key, "--to", lookup)

    cleaned, kept = tmp_path / "cleaned", tmp_path / "quarantine"
    lethe(
        "profile", "apply", "--script", "stroke", "--script", "routing", "--param", "PROJECT=SITE_INTAKE",
        "--lookup", lookup, "--quarantine", kept, hospital / "dicom", cleaned,
        status=3,  # the screen capture is quarantined
    )  # fmt: skip
    objects = sorted(cleaned.rglob("*.dcm"))
    assert len(objects) == len(list((hospital / "dicom").rglob("*.dcm"))) - 1
    assert len(list(kept.glob("*.quarantined"))) == 1
    lethe(
        "clinical",
        "link",
        hospital / "registry.csv",
        "--session",
        session,
        "--key",
        key,
        "--to",
        tmp_path / "linked",
    )

    planted = [text for person in patients for text in person.planted()]
    assert search([cleaned, tmp_path / "linked"], planted) == []

    assert get("admin", "/data/projects/SITE_INTAKE", "PUT").status_code == 200
    _send(objects, server.dicom_port)
    _archive_all(get)
    rows = get("admin", "/data/projects/SITE_INTAKE/subjects?format=json").json()["ResultSet"]["Result"]
    assert len(rows) == 2
    stored = 0
    for row in get("admin", "/data/projects/SITE_INTAKE/experiments?format=json").json()["ResultSet"][
        "Result"
    ]:
        files = get("admin", f"/data/experiments/{row['ID']}/scans/ALL/files?format=json").json()
        stored += len(files["ResultSet"]["Result"])
    assert stored == len(objects)

    lethe("intake", "seal", session, "--key", key, "--yes")
    assert not lookup.exists()
    assert not key.exists()
    report = lethe(
        "intake", "verify", session, cleaned, tmp_path / "linked", "--originals", hospital / "registry.csv"
    )
    assert report
    lethe("intake", "add", session, "--key", key, "--from", hospital / "registry.csv", status=4)
    assert get("admin", "/data/projects/SITE_INTAKE?removeFiles=true", "DELETE").status_code == 200


def _send(objects: list[Path], port: int) -> None:
    """Send with dcmtk where it is installed, else with pynetdicom's own program."""
    program = shutil.which("storescu")
    command = (
        [program, "-aec", "XNAT"]
        if program
        else [sys.executable, "-m", "pynetdicom", "storescu", "-aec", "XNAT"]
    )
    done = subprocess.run(
        [*command, "127.0.0.1", str(port), *map(str, objects)], capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")


def _archive_all(get) -> None:
    for row in get("admin", "/data/prearchive/projects/SITE_INTAKE?format=json").json()["ResultSet"][
        "Result"
    ]:
        assert get("admin", f"/data{row['url']}?action=build", "POST").status_code == 200
        answer = get(
            "admin", "/data/services/archive", "POST", params={"src": row["url"], "overwrite": "append"}
        )
        assert answer.status_code in (200, 301)
