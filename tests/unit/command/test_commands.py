"""The four commands over small stand-ins of the rooms that do the work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lethe.command.clean_header import COMMAND as CLEAN_HEADER
from lethe.command.deface import COMMAND as DEFACE
from lethe.command.deface import neutral_names, worst
from lethe.command.dicom_to_nifti import COMMAND as DICOM_TO_NIFTI
from lethe.command.scramble_clinical import COMMAND as SCRAMBLE_CLINICAL
from lethe.errors import Refused

from .conftest import Bench

KEY = "ab" * 32


@dataclass
class Lane:
    lane: str
    rule: str = "a-rule"
    reason: str = "a reason"

    def as_dict(self) -> dict[str, str]:
        return {"lane": self.lane, "rule": self.rule, "reason": self.reason}


@dataclass
class Converted:
    lane: Lane
    images: list[Path] = field(default_factory=list)
    sidecars: list[Path] = field(default_factory=list)
    conservation: Any = None


@dataclass
class Report:
    verdict: str
    reasons: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        reasons = [{"code": "a-code", "sentence": reason} for reason in self.reasons]
        return {"verdict": self.verdict, "reasons": reasons, "measures": {}}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a stand-in for a module where the command imports it."""

    def put(name: str, **contents: object) -> None:
        module = ModuleType(name)
        for key, value in contents.items():
            setattr(module, key, value)
        monkeypatch.setitem(sys.modules, name, module)

    return put


def _converting(lane: Lane, count: int) -> Callable[[Path, Path], Converted]:
    def convert_series(dicom: Path, out: Path, *, rules: object = None) -> Converted:
        images = [out / ("image.nii.gz" if n == 1 else f"image_{n}.nii.gz") for n in range(1, count + 1)]
        for image in images:
            image.write_bytes(b"voxels")
        return Converted(lane, images)

    return convert_series


def _dicom(bench: Bench) -> None:
    (bench.source / "MUSTERMANN_ERIKA.dcm").write_bytes(b"an object")
    (bench.source / "scan_catalog.xml").write_text("<x/>")


@pytest.mark.requirement("M-20")
def test_a_converted_series_fills_nifti_and_conversion(bench: Bench, room: Callable[..., None]) -> None:
    _dicom(bench)
    room("lethe.image.converter", version=lambda: "1")
    room("lethe.image.convert", convert_series=_converting(Lane("deface"), 2))
    assert bench.run(DICOM_TO_NIFTI) == 0
    assert bench.written() == [
        "conversion/lane.json",
        "conversion/provenance.json",
        "nifti/image.nii.gz",
        "nifti/image_2.nii.gz",
    ]


@pytest.mark.requirement("M-22", "T-9")
def test_a_lane_that_forbids_conversion_is_a_success_that_says_why(
    bench: Bench, room: Callable[..., None]
) -> None:
    _dicom(bench)
    room("lethe.image.converter", version=lambda: "1")
    room("lethe.image.convert", convert_series=_converting(Lane("header-only", "perfusion", "timing"), 0))
    assert bench.run(DICOM_TO_NIFTI) == 0
    assert bench.written() == ["conversion/lane.json", "conversion/provenance.json"]
    said = json.loads((bench.output / "conversion/lane.json").read_text())
    assert said == {"lane": "header-only", "rule": "perfusion", "reason": "timing"}


def test_provenance_of_dicom_holds_neither_the_archives_catalogue_nor_a_file_name(
    bench: Bench, room: Callable[..., None]
) -> None:
    _dicom(bench)
    room("lethe.image.converter", version=lambda: "1")
    room("lethe.image.convert", convert_series=_converting(Lane("convert"), 1))
    bench.run(DICOM_TO_NIFTI)
    record = json.loads((bench.output / "conversion/provenance.json").read_text())
    assert [entry["name"] for entry in record["inputs"]] == ["object-1"]
    assert record["verdict"] == "convert"
    assert "MUSTERMANN" not in json.dumps(record) + bench.out.getvalue()


def test_a_series_that_is_not_conserved_leaves_nothing(bench: Bench, room: Callable[..., None]) -> None:
    def convert_series(dicom: Path, out: Path, *, rules: object = None) -> Converted:
        (out / "image.nii.gz").write_bytes(b"short")
        raise Refused("not-conserved", "A slice is missing.")

    _dicom(bench)
    room("lethe.image.converter", version=lambda: "1")
    room("lethe.image.convert", convert_series=convert_series)
    assert bench.run(DICOM_TO_NIFTI) == 4
    assert bench.written() == []


@pytest.mark.parametrize("command", [DICOM_TO_NIFTI, CLEAN_HEADER])
def test_an_input_without_dicom_is_refused(bench: Bench, room: Callable[..., None], command: Any) -> None:
    (bench.source / "scan_catalog.xml").write_text("<x/>")
    for name in ("lethe.image.convert", "lethe.header"):
        room(name, **dict.fromkeys(("convert_series", "Anonymizer", "apply_tree", "bundled_script"), None))
    sys.modules["lethe.header"].load_script = None  # type: ignore[attr-defined]
    assert bench.run(command) == 4
    assert "no DICOM object" in bench.err.getvalue()


def _defacing(*verdicts: str) -> Callable[..., Report]:
    left = iter(verdicts)

    def deface_file(source: Path, target: Path, **paths: Any) -> Report:
        verdict = next(left)
        report = Report(verdict, [f"reason for {verdict}"])
        paths["report"].write_text(json.dumps(report.as_dict()))
        if verdict != "fail":
            target.write_bytes(source.read_bytes())
            paths["mask"].write_bytes(b"mask")
            (paths["pictures"] / "sheet.png").write_bytes(b"png")
        return report

    return deface_file


def _images(bench: Bench, *names: str) -> None:
    for name in names:
        (bench.source / name).write_bytes(name.encode())


@pytest.mark.requirement("M-23")
def test_one_image_is_defaced_with_its_sidecar_and_its_report(
    bench: Bench, room: Callable[..., None]
) -> None:
    _images(bench, "image.nii.gz", "image.json", "NIFTI_catalog.xml")
    room("lethe.image.deface", deface_file=_defacing("pass"))
    assert bench.run(DEFACE) == 0
    assert bench.written() == [
        "defaced/image.json",
        "defaced/image.nii.gz",
        "qc/mask.nii.gz",
        "qc/provenance.json",
        "qc/report.json",
        "qc/sheet.png",
    ]


@pytest.mark.requirement("M-24")
def test_of_several_images_all_are_defaced_and_the_worst_verdict_counts(
    bench: Bench, room: Callable[..., None]
) -> None:
    _images(bench, "image.nii.gz", "image_2.nii.gz")
    room("lethe.image.deface", deface_file=_defacing("review", "no-face"))
    assert bench.run(DEFACE) == 0
    assert {"defaced/image.nii.gz", "defaced/image_2.nii.gz", "qc/image_2/report.json"} < set(bench.written())
    summary = json.loads((bench.output / "qc/report.json").read_text())
    assert summary["verdict"] == "review"
    assert set(summary["images"]) == {"image.nii.gz", "image_2.nii.gz"}
    assert json.loads((bench.output / "qc/provenance.json").read_text())["verdict"] == "review"


@pytest.mark.requirement("M-24")
def test_one_image_that_fails_fails_the_whole_scan_and_nothing_is_written(
    bench: Bench, room: Callable[..., None]
) -> None:
    _images(bench, "image.nii.gz", "image_2.nii.gz")
    room("lethe.image.deface", deface_file=_defacing("pass", "fail"))
    assert bench.run(DEFACE) == 4
    assert bench.written() == []
    assert "reason for fail" in bench.err.getvalue()


def test_names_that_could_hold_a_patients_name_are_replaced(bench: Bench, room: Callable[..., None]) -> None:
    _images(bench, "MUSTERMANN.nii.gz", "MUSTERMANN.json", "A.nii")
    room("lethe.image.deface", deface_file=_defacing("pass", "pass"))
    assert bench.run(DEFACE) == 0
    assert [name for name in bench.written() if name.startswith("defaced")] == [
        "defaced/image.nii.gz",
        "defaced/image_2.nii.gz",
    ]
    assert "MUSTERMANN" not in bench.out.getvalue() + "".join(
        path.read_text(errors="replace") for path in bench.output.rglob("*.json")
    )


def test_a_nifti_resource_without_images_is_refused(bench: Bench) -> None:
    _images(bench, "NIFTI_catalog.xml")
    assert bench.run(DEFACE) == 4
    assert "no NIfTI image" in bench.err.getvalue()


def test_worst_verdict_and_neutral_names_of_an_empty_choice_cannot_be_mistaken() -> None:
    assert worst(["pass", "review", "no-face"]) == "review"
    assert worst(["no-face", "pass"]) == "pass"
    assert neutral_names([Path("a/image.nii.gz"), Path("b/image.nii.gz")]) == [
        "image.nii.gz",
        "image_2.nii.gz",
    ]
    # as dicom-to-nifti names several images of one series: their sidecars go on with them
    assert neutral_names([Path("image-1.nii.gz"), Path("image-2.nii.gz")]) == [
        "image-1.nii.gz",
        "image-2.nii.gz",
    ]


@dataclass
class Tree:
    counts: dict[str, int]
    quarantined: list[tuple[int, str, str]] = field(default_factory=list)


def _cleaning(room: Callable[..., None], tmp_path: Path, lane: str, tree: Tree) -> None:
    script = tmp_path / "net.script"
    script.write_text("<script/>")

    def apply_tree(scripts: Any, source: Path, target: Path, **options: Any) -> Tree:
        (target / "1.dcm").write_bytes(b"clean")
        options["progress"](1, 1)
        return tree

    room(
        "lethe.header",
        Anonymizer=lambda script: script,
        apply_tree=apply_tree,
        bundled_script=lambda name: script,
        load_script=lambda path: path,
    )
    room("lethe.image.lane", decide=lambda evidence, rules: Lane(lane), rules_of=lambda text: ())
    room("lethe.image.series", read_evidence=lambda files: files)


@pytest.mark.requirement("M-21", "M-59")
def test_a_series_that_stays_dicom_is_cleaned_again(
    bench: Bench, room: Callable[..., None], tmp_path: Path
) -> None:
    _dicom(bench)
    _cleaning(room, tmp_path, "header-only", Tree({"OK": 1}))
    assert bench.run(CLEAN_HEADER) == 0
    assert bench.written() == ["clean/1.dcm", "clean/provenance.json"]
    record = json.loads((bench.output / "clean/provenance.json").read_text())
    assert record["parameters"]["lane"] == "header-only"
    assert len(record["parameters"]["script_sha256"]) == 64


def test_one_object_in_quarantine_stops_the_whole_series(
    bench: Bench, room: Callable[..., None], tmp_path: Path
) -> None:
    _dicom(bench)
    _cleaning(room, tmp_path, "convert", Tree({"OK": 1, "QUARANTINE": 1}, [(0, "burned-in", "a reason")]))
    assert bench.run(CLEAN_HEADER) == 3
    assert bench.written() == []
    assert "burned-in (1)" in bench.err.getvalue()


@pytest.mark.requirement("M-24", "T-11")
@pytest.mark.parametrize("lane", ["deface", "quarantine"])
def test_a_series_that_shows_a_face_never_leaves_as_dicom(
    bench: Bench, room: Callable[..., None], tmp_path: Path, lane: str
) -> None:
    _dicom(bench)
    _cleaning(room, tmp_path, lane, Tree({"OK": 1}))
    assert bench.run(CLEAN_HEADER) == 4
    assert bench.written() == []


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("noise.key", None, "noise.key"),
        ("table.csv", None, "table.csv"),
        ("noise.key", "not hex", "32 bytes"),
        ("noise.key", "abcd", "32 bytes"),
    ],
)
def test_an_incomplete_clinical_intake_is_refused(
    bench: Bench, name: str, text: str | None, word: str
) -> None:
    for file, good in (("table.csv", "prid\nA1B2\n"), ("noise.key", KEY)):
        content = text if file == name else good
        if content is not None:
            (bench.source / file).write_text(content)
    assert bench.run(SCRAMBLE_CLINICAL) == 4
    assert word in bench.err.getvalue()
