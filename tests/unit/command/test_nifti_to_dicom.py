"""Back to DICOM as a command: three mounts, and a verdict that decides."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from kit import phantom, series
from kit.people import Person, people
from lethe.command.nifti_to_dicom import COMMAND
from lethe.files import sha256_of
from lethe.header import Anonymizer, apply_tree, bundled_script, load_lookup, load_script
from lethe.image.convert import convert_series
from unit.image_rebuild.conftest import deface

from .conftest import Bench


@dataclass
class Scan:
    """The three resources of a scan."""

    dicom: Path
    nifti: Path
    qc: Path

    def bench(self, tmp_path: Path, name: str = "out") -> Bench:
        (tmp_path / name).mkdir()
        return Bench(self.dicom, tmp_path / name)

    @property
    def mounts(self) -> dict[str, Path]:
        return {"nifti": self.nifti, "qc": self.qc}

    def judge(self, verdict: str) -> None:
        report = {"verdict": verdict, "method": "stand-in", "method_version": "1"}
        (self.qc / "report.json").write_text(json.dumps(report))


@pytest.fixture(scope="module")
def person() -> Person:
    return people(1, seed=8)[0]


def make_scan(root: Path, person: Person) -> Scan:
    """Write a head CT cleaned at a hospital, its images without a face, and the verdict on them."""
    volume = phantom.head("ct", spacing=(9.0, 9.0, 14.0))
    series.write_series(volume, None, root / "raw", person=person)
    key = person.patient_id.replace(" ", "\\ ").replace(":", "\\:")
    (root / "lookup").write_text(f"prid/{key}=A1B2\nshift/{key}=-12\nsalt/{key}=5e\n", encoding="utf-8")
    scan = Scan(root / "dicom", root / "nifti", root / "qc")
    script = Anonymizer(load_script(bundled_script("stroke")), load_lookup(root / "lookup"))
    apply_tree([script], root / "raw", scan.dicom)
    for note in scan.dicom.glob(".*"):
        note.unlink()
    for folder in (root / "whole", scan.qc):
        folder.mkdir()
    images, masks = deface(convert_series(scan.dicom, root / "whole").images, scan.nifti)
    shutil.move(masks[0], scan.qc / "mask.nii.gz")
    record = {"outputs": [{"name": "defaced/image.nii.gz", "sha256": sha256_of(images[0])}]}
    (scan.qc / "provenance.json").write_text(json.dumps(record))
    (scan.dicom / "DICOM_catalog.xml").write_text("<x/>")
    scan.judge("pass")
    return scan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, person: Person) -> Scan:
    return make_scan(tmp_path_factory.mktemp("scan"), person)


@pytest.fixture
def scan(made: Scan, tmp_path: Path) -> Scan:
    copy = Scan(tmp_path / "dicom", tmp_path / "nifti", tmp_path / "qc")
    for name in ("dicom", "nifti", "qc"):
        shutil.copytree(getattr(made, name), getattr(copy, name))
    return copy


@pytest.mark.requirement("M-27", "M-26", "A-92")
def test_a_scan_from_a_hospital_comes_back_as_dicom_twice_with_the_same_bytes(
    scan: Scan, person: Person, tmp_path: Path
) -> None:
    one, two = scan.bench(tmp_path), scan.bench(tmp_path, "again")
    assert one.run(COMMAND, mounts=scan.mounts) == two.run(COMMAND, mounts=scan.mounts) == 0, (
        one.err.getvalue()
    )
    assert one.written() == two.written()
    files = [name for name in one.written() if name.endswith(".dcm")]
    assert one.written() == [*files, "dicom/provenance.json"]
    assert len(files) == len(list(scan.dicom.glob("**/*.dcm")))
    for name in one.written():
        content = (one.output / name).read_bytes()
        assert content == (two.output / name).read_bytes()
        assert not any(planted.encode() in content for planted in person.planted())
    data = pydicom.dcmread(one.output / files[0])
    assert data.PatientID == "A1B2"
    assert data.RecognizableVisualFeatures == "NO"
    codes = [item.CodeValue for item in data.DeidentificationMethodCodeSequence]
    assert codes[0] == "113100"
    assert codes[-1] == "113102"
    record = json.loads((one.output / "dicom/provenance.json").read_text())
    assert record["verdict"] == "pass"
    assert record["parameters"]["method"] == "stand-in 1"
    assert record["parameters"]["voxels_changed"] > 0


@pytest.mark.requirement("M-24", "T-13")
@pytest.mark.parametrize("verdict", ["review", "fail", "unheard-of"])
def test_only_a_verdict_that_lets_go_is_accepted(scan: Scan, tmp_path: Path, verdict: str) -> None:
    scan.judge(verdict)
    bench = scan.bench(tmp_path)
    assert bench.run(COMMAND, mounts=scan.mounts) == 4
    assert "[verdict-forbids]" in bench.err.getvalue()
    assert bench.written() == []


@pytest.mark.requirement("M-24")
def test_the_verdict_on_another_image_does_not_count(scan: Scan, tmp_path: Path) -> None:
    with (scan.nifti / "image.nii.gz").open("ab") as stream:
        stream.write(b"\0")
    bench = scan.bench(tmp_path)
    assert bench.run(COMMAND, mounts=scan.mounts) == 4
    assert "[verdict-of-other-image]" in bench.err.getvalue()


@pytest.mark.parametrize("missing", ["report.json", "provenance.json", "mask.nii.gz"])
def test_without_what_deface_wrote_nothing_is_rebuilt(scan: Scan, tmp_path: Path, missing: str) -> None:
    (scan.qc / missing).unlink()
    bench = scan.bench(tmp_path)
    assert bench.run(COMMAND, mounts=scan.mounts) == 4
    assert "[no-verdict]" in bench.err.getvalue()


def test_a_mount_that_is_not_there_is_named_before_any_work(scan: Scan, tmp_path: Path) -> None:
    bench = scan.bench(tmp_path)
    assert bench.run(COMMAND, mounts={**scan.mounts, "qc": tmp_path / "nowhere"}) == 2
    assert "[input-missing]" in bench.err.getvalue()
