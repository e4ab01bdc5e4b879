"""A small archive with the real commands in it, for tests of bulk launches: server process, sessions, CLI."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xnat

from kit import kinds, phantom, series
from kit.people import people
from lethe.header import Anonymizer, apply_tree, bundled_script, load_lookup, load_script
from lethe.xnat import commands
from lethe.xnat.client import connect
from unit.archive_containers.server import PASSWORDS, Server

ROOT = Path(__file__).parents[2]
Engine = Callable[[str], None]
PERSON = people(1, seed=8)[0]


def build_images(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Build the images whose files changed, with the operator's script."""
    line = [sys.executable, ROOT / "scripts/build-images", "--if-changed", "--new-base", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def definition(command: str, **changes: Any) -> dict[str, Any]:
    """Return a command.json of the tree, changed."""
    return {**json.loads((ROOT / "xnat-containers" / command / "command.json").read_text()), **changes}


@dataclass
class Ran:
    """A finished call of ``lethe command``."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Site:
    """An archive server with a project; real commands are registered and enabled in it."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.server = Server(folder, backend)
        self.server.start()
        self.project = self.server.new_project()
        self.folder = folder
        self.clients: list[subprocess.Popen[str]] = []

    def stop(self) -> None:
        """End the server and what a failed test left running."""
        for client in self.clients:
            if client.poll() is None:
                client.kill()
                client.communicate()
        self.server.stop()

    def command_line(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "lethe.cli", "command", *map(str, words)]

    @property
    def environment(self) -> dict[str, str]:
        login = {"LETHE_XNAT_USER": "admin", "LETHE_XNAT_PASSWORD": PASSWORDS["admin"]}
        return {**os.environ, **login, "LETHE_XNAT_URL": self.server.url, "COLUMNS": "200"}

    def call(self, *words: str | Path) -> Ran:
        """Run ``lethe command`` to its end."""
        done = subprocess.run(
            self.command_line(*words), env=self.environment, capture_output=True, text=True, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start ``lethe command`` and return at once."""
        client = subprocess.Popen(
            self.command_line(*words),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.clients.append(client)
        return client

    def install(self, document: dict[str, Any], number: int = 0) -> str:
        """Register a command and enable one of its wrappers; return the wrapper's name."""
        with connect(self.server.url, "admin", PASSWORDS["admin"]) as archive:
            wrapper = commands.register(archive, document)[number]
            commands.enable(archive, self.project, wrapper)
        return wrapper.name

    def add_session(self, label: str, *scans: bytes, subject: str = "") -> str:
        """Make a session whose scans 1, 2, ... hold these zips as DICOM; return its accession id."""
        rq = self.server.rq
        path = f"/data/projects/{self.project}/subjects/{subject or label}/experiments/{label}"
        accession = rq("PUT", f"{path}?xsiType=xnat:ctSessionData&date=2024-01-05").text.strip()
        for number, packed in enumerate(scans, start=1):
            scan = f"/data/experiments/{accession}/scans/{number}"
            assert rq("PUT", f"{scan}?xsiType=xnat:ctScanData&type=CT").ok
            self.put_dicom(accession, number, packed)
        return accession

    def put_dicom(self, accession: str, number: int, packed: bytes) -> None:
        """Replace the DICOM resource of a scan."""
        resource = f"/data/experiments/{accession}/scans/{number}/resources/DICOM"
        self.server.rq("DELETE", f"{resource}?removeFiles=true")
        path = f"{resource}/files/files.zip?extract=true&inbody=true&format=DICOM"
        answer = self.server.rq("PUT", path, data=packed)
        assert answer.ok, answer.text

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs of the project, as plain REST shows them."""
        rows: list[dict[str, Any]] = self.server.rq("GET", f"/xapi/projects/{self.project}/containers").json()
        return rows

    def resources(self) -> dict[str, dict[str, int]]:
        """Return ``session/scan`` -> label -> number of files, as xnatpy sees them."""
        found = {}
        with xnat.connect(
            self.server.url, user="admin", password=PASSWORDS["admin"], loglevel="ERROR", cli=False
        ) as session:
            for experiment in session.projects[self.project].experiments.values():
                for scan in experiment.scans.values():
                    labels = {one.label: int(one.file_count or 0) for one in scan.resources.values()}
                    found[f"{experiment.label}/{scan.id}"] = labels
        return found

    def labels(self, accession: str, number: int) -> set[str]:
        """Return the labels of a scan's resources."""
        return self._labels(f"/data/experiments/{accession}/scans/{number}/resources?format=json")

    def session_labels(self, accession: str) -> set[str]:
        """Return the labels of a session's own resources."""
        return self._labels(f"/data/experiments/{accession}/resources?format=json")

    def _labels(self, path: str) -> set[str]:
        return {row["label"] for row in self.server.rq("GET", path).json()["ResultSet"]["Result"]}


def packed(files: Sequence[Path]) -> bytes:
    """Return files as a zip."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in files:
            archive.write(path, path.name)
    return target.getvalue()


def tiny_head(folder: Path, modality: series.Modality = "CT") -> list[Path]:
    """Write a coarse head."""
    volume = phantom.head("ct" if modality == "CT" else "mr", spacing=(8.0, 8.0, 12.0))
    number = 2 if modality == "CT" else 3
    return series.write_series(volume, None, folder, modality=modality, person=PERSON, number=number)


def from_hospital(raw: Path, target: Path) -> list[Path]:
    """Clean a series as the hospital does and return the objects."""
    key = PERSON.patient_id.replace(" ", "\\ ").replace(":", "\\:")
    lookup = raw.with_name("lookup.properties")
    lookup.write_text(f"prid/{key}=A1B2\nshift/{key}=-12\nsalt/{key}=5e\n", encoding="utf-8")
    stages = [Anonymizer(load_script(bundled_script("stroke")), load_lookup(lookup))]
    apply_tree(stages, raw, target)
    return sorted(target.rglob("*.dcm"))


def tiny_perfusion(folder: Path) -> list[Path]:
    """Write a coarse CT perfusion as it comes from a hospital: it stays DICOM and is quick to work on."""
    raw = folder / "raw"
    raw.mkdir(parents=True)
    coarse = phantom.head("ct", spacing=(6.0, 6.0, 12.0))
    kinds.write_perfusion(coarse, raw, person=PERSON, times=4, slices=2)
    return from_hospital(raw, folder / "clean")
