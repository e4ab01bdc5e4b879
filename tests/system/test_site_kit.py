"""A kit made for a site is enough to send: over a line that is cut, with canaries among the objects."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests

from kit.cable import cable, certificate
from kit.people import people
from kit.series import write_series
from kit.served import served
from lethe.identity import IntakeSession
from lethe.site.canaries import MARKS, write_canaries
from lethe.site.checking import check_folder

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.requirement("E-11", "E-37", "E-38", "E-63"),
]
ADMIN, SITE = "for-the-centre-only", "for-the-site-only"
PATIENTS, SLICES = 5, 200


def lethe(*words: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lethe.cli", *(str(word) for word in words)],
        capture_output=True, text=True, check=False, timeout=600, cwd=cwd, env={**os.environ, **env},
    )  # fmt: skip


@dataclass(frozen=True)
class Centre:
    """The centre: an archive with an applied collection, its files, and what signs its certificate."""

    url: str
    folder: Path
    collection: Path
    pem: tuple[Path, Path]

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def admin(self) -> requests.Session:
        made = requests.Session()
        made.auth = ("admin", ADMIN)
        return made

    def kit(self, out: Path, port: int, *more: object, site: str = "ZRH") -> subprocess.CompletedProcess[str]:
        return lethe("site", "kit", self.collection, site, "--out", out, "--archive", f"https://127.0.0.1:{port}",
                     "--user", "site-zrh", "--trust", self.pem[0], *more)  # fmt: skip


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder = tmp_path_factory.mktemp("centre")
    today = dt.datetime.now(dt.UTC).date()
    until = (today + dt.timedelta(days=300)).isoformat()
    collection = folder / "stroke.yaml"
    agreement = {
        "reference": "DTA 1",
        "since": "2026-01-01",
        "until": until,
        "uses": ["contribute", "publish", "access"],
    }
    ethics = {"kind": "approval", "reference": "EC 1", "since": "2026-01-01", "until": until}
    over = {**agreement, "until": "2026-02-01"}
    collection.write_text(json.dumps({
        "collection": "STROKE",
        "centres": {
            "ZRH": {"name": "Hospital Zurich", "agreement": agreement, "ethics": ethics},
            "LIS": {"name": "Hospital Lisbon", "agreement": over, "ethics": ethics},
        },
        "people": {"admin": {"centre": "ZRH", "collection": "owner", "intake": "owner"},
                   "site-zrh": {"centre": "ZRH", "intake": "member"}},
        "profile": {"name": "stroke", "approved_by": "principal investigator", "approved": "2026-01-15"},
    }))  # fmt: skip
    users: dict[str, dict[str, object]] = {
        "admin": {"password": ADMIN, "admin": True, "email": "a@example.org"},
        "site-zrh": {"password": SITE, "email": "z@example.org"},
    }
    (folder / "admin.password").write_text(ADMIN)
    with served(folder / "root", users) as url:
        done = lethe("collection", "apply", collection, "--url", url, "--user", "admin",
                     "--password-file", folder / "admin.password")  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        yield Centre(url, folder, collection, certificate(folder))


@pytest.fixture
def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Five patients with 200 objects each, three canaries among them, and the site's intake session.

    Where nothing may be sent (``param``: patients and objects of each), a few do.
    """
    patients, slices = getattr(request, "param", (PATIENTS, SLICES))
    rows = people(patients, seed=11)
    volume = np.random.default_rng(1).integers(-100, 100, (16, 16, slices)).astype(np.int16)
    for number, person in enumerate(rows):
        write_series(volume, np.diag([1.0, 1, 1, 1]), tmp_path / "export" / f"p{number}", person=person)
    write_canaries(tmp_path / "canaries")
    shutil.copytree(tmp_path / "canaries" / "objects", tmp_path / "export" / "extra")
    session = IntakeSession.open(tmp_path / "intake", key_file=tmp_path / "intake.key")
    session.assign([person.patient_id for person in rows])
    session.write_lookup_table(tmp_path / "lookup.properties")
    (tmp_path / "site.password").write_text(SITE + "\n")
    return tmp_path


def in_archive(centre: Centre) -> list[str]:
    rows = (
        centre.admin()
        .get(f"{centre.url}/data/projects/STROKE_INTAKE/experiments?format=json", timeout=20)
        .json()
    )
    files: list[str] = []
    for row in rows["ResultSet"]["Result"]:
        found = centre.admin().get(
            f"{centre.url}/data/experiments/{row['ID']}/scans/ALL/files?format=json", timeout=20
        )
        files += [one["Name"] for one in found.json()["ResultSet"]["Result"]]
    return files


def test_a_thousand_objects_arrive_over_a_cut_line_and_canaries_do_not(
    centre: Centre, hospital: Path
) -> None:
    size = sum(path.stat().st_size for path in (hospital / "export").rglob("*.dcm"))
    cuts = [size * part // 12 for part in range(1, 6)]
    with cable(centre.port, centre.pem, cuts) as line:
        kit = hospital / "kit"
        made = centre.kit(kit, line.port)
        assert made.returncode == 0, made.stderr
        shutil.copy(hospital / "lookup.properties", kit / "ctp" / "lookup.properties")
        assert lethe("site", "check", kit).returncode == 0
        words = ["send", hospital / "export", "--kit", kit, "--work", hospital / "work", "--password-file",
                 hospital / "site.password", "--output", "json"]  # fmt: skip
        trial = lethe(*words, "--dry-run")
        assert trial.returncode == 0, trial.stderr
        assert not (hospital / "work").exists()
        done = lethe(*words)
        for _ in range(3):
            if done.returncode == 0:
                break
            done = lethe(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert line.pulled == 5
        receipt = json.loads(done.stdout)
        assert receipt["objects"] == PATIENTS * SLICES + 3
        assert sum(receipt["held"].values()) == 3
        assert receipt["sent"] == sum(receipt["sessions"].values()) == PATIENTS * SLICES
        assert len(receipt["sessions"]) == PATIENTS
        files = in_archive(centre)
        assert len(files) == len(set(files)) == PATIENTS * SLICES
        again = lethe(*words)
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout) == receipt
        assert len(in_archive(centre)) == PATIENTS * SLICES
    stored = b"".join(path.read_bytes() for path in (centre.folder / "root").rglob("*.dcm"))
    assert not any(mark.encode() in stored for mark in MARKS)
    assert len(list((hospital / "work" / "quarantine").glob("*.quarantined"))) == 3


@pytest.mark.parametrize("hospital", [(1, 3)], indirect=True, ids=["three objects"])
@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("untrusted", "certificate"),
        ("password", "login"),
        ("project", "no-intake"),
        ("agreement", "agreement"),
    ],
)
def test_what_is_refused_is_named_and_nothing_is_sent(
    centre: Centre, hospital: Path, case: str, code: str
) -> None:
    before = len(in_archive(centre))
    (hospital / "empty").mkdir()
    other = hospital / "other"
    other.mkdir()
    pem = certificate(other) if case == "untrusted" else centre.pem
    with cable(centre.port, pem) as line:
        kit = hospital / "kit"
        assert centre.kit(kit, line.port, site="LIS" if case == "agreement" else "ZRH").returncode == 0
        shutil.copy(hospital / "lookup.properties", kit / "ctp" / "lookup.properties")
        if case == "project":
            described = json.loads((kit / "kit.json").read_text())
            (kit / "kit.json").write_text(json.dumps(described | {"collection": "OTHER"}))
        if case == "password":
            (hospital / "site.password").write_text("wrong\n")
        source = hospital / "empty" if case == "empty" else hospital / "export" / "p0"
        done = lethe("send", source, "--kit", kit, "--work", hospital / "work",
                     "--password-file", hospital / "site.password")  # fmt: skip
    assert done.returncode not in (0, 1), done.stdout + done.stderr
    assert f"[{code}" in done.stderr.replace("\n", ""), done.stderr
    assert "Traceback" not in done.stderr
    assert len(in_archive(centre)) == before


def test_a_changed_kit_an_expired_certificate_and_an_empty_table_are_found(
    centre: Centre, tmp_path: Path
) -> None:
    kit = tmp_path / "kit"
    centre.kit(kit, 443)
    now = dt.datetime.now(dt.UTC)
    assert [one.code for one in check_folder(kit, now=now) if one.severity == "error"] == []
    late = check_folder(kit, now=now + dt.timedelta(days=90))
    assert "certificate-expired" in {one.code for one in late}
    early = check_folder(kit, now=now - dt.timedelta(days=30))
    assert "certificate-early" in {one.code for one in early}
    script = kit / "ctp" / "stroke.script"
    script.write_text(script.read_text().replace("@remove()", "@keep()", 1))
    (kit / "ctp" / "pixels.script").unlink()
    assert {"file-changed", "file-missing"} <= {one.code for one in check_folder(kit, now=now)}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--archive", "http://127.0.0.1"], "archive-address"),
        (["--trust", "/dev/null"], "trust"),
        (["--ctp", "https://x/"], "ctp-address"),
    ],
)
def test_a_kit_that_would_not_work_is_not_written(
    centre: Centre, tmp_path: Path, words: list[str], code: str
) -> None:
    done = centre.kit(tmp_path / "kit", 443, *words)
    assert done.returncode == 2, done.stdout
    assert code in done.stderr
    unknown = centre.kit(tmp_path / "kit", 443, site="NOWHERE")
    assert "unknown-site" in unknown.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_linux_start_fills_everything_in_and_starts_ctp(centre: Centre, tmp_path: Path) -> None:
    kit, folder = tmp_path / "kit", tmp_path / "CTP"
    assert centre.kit(kit, 443, "--ctp", "ctp.example.org").returncode == 0
    folder.mkdir()
    stub = tmp_path / "Runner.java"
    stub.write_text(
        "public class Runner { public static void main(String[] a) throws Exception {"
        ' System.out.println("started in " + new java.io.File(".").getCanonicalPath()); } }'
    )
    subprocess.run(["javac", "-d", tmp_path / "classes", stub], check=True)
    subprocess.run(
        ["jar", "cfe", folder / "Runner.jar", "Runner", "-C", tmp_path / "classes", "."], check=True
    )
    secret = 'p&<"|\\ ss'
    done = subprocess.run(
        [kit / "start-linux.sh", folder], input=secret + "\n", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"started in {folder}" in done.stdout
    assert "lookup table is empty" in done.stderr
    config = (folder / "config.xml").read_text()
    assert "%" not in config.split("<Configuration>")[1].split("-->")[-1]
    assert 'password="p&amp;&lt;&quot;|\\ ss"' in config
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "secrets").iterdir()} == {0o600}
    (folder / "lookup.properties").write_text("prid/X=A1B2\nshift/X=3\nsalt/X=" + "0" * 32 + "\n")
    again = subprocess.run(
        [kit / "start-linux.sh", folder], capture_output=True, text=True, check=False, input=""
    )
    assert again.returncode == 0, again.stderr
    assert "prid/X" in (folder / "lookup.properties").read_text()
    found = check_folder(folder, now=dt.datetime.now(dt.UTC))
    assert [one.as_dict() for one in found if one.severity == "error"] == []
    store, password = folder / "secrets" / "truststore.p12", folder / "secrets" / "truststore_password"
    keys = subprocess.run(
        ["keytool", "-list", "-keystore", store, "-storepass:file", password],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "trustedCertEntry" in keys.stdout
