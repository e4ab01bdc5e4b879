"""The engine on heads that nobody has: what goes, what stays, what is written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from lethe.files import sha256_of
from lethe.image.deface import REASONS, Verdict, check_files, deface_file

from .conftest import Case

pytestmark = pytest.mark.slow  # whole heads, eight seconds each


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image, float)


@pytest.mark.requirement("M-24", "L-04")
def test_a_head_with_a_face_passes(case: Case) -> None:
    assert case.report.verdict is Verdict.PASS, case.report
    assert case.report.reasons == []


@pytest.mark.requirement("M-25")
def test_no_voxel_of_the_brain_changes(case: Case) -> None:
    before, after = voxels(case.source), voxels(case.target)
    assert np.array_equal(before[case.brain], after[case.brain])
    assert case.report.measures["brain_changed"] == 0


@pytest.mark.requirement("M-24")
def test_nose_eyes_and_lips_are_gone(case: Case) -> None:
    mask = voxels(case.mask)
    assert (mask[case.face] == 1).mean() > 0.97


@pytest.mark.requirement("M-25")
def test_everything_outside_the_mask_is_identical(case: Case) -> None:
    before, after, mask = voxels(case.source), voxels(case.target), voxels(case.mask)
    assert np.array_equal(before[mask == 0], after[mask == 0])
    assert len(np.unique(after[mask == 1])) == 1
    air, tissue = after[mask == 1][0], after[mask == 2].max()
    assert ((after[mask == 2] > air) & (after[mask == 2] <= tissue)).all()
    assert len(np.unique(after[mask == 2])) <= 16
    assert (after[mask == 2] == tissue).mean() > 0.5
    assert np.count_nonzero(before != after) == case.report.measures["voxels_changed"]


@pytest.mark.requirement("M-25")
def test_removed_voxels_become_air(case: Case) -> None:
    air = {"ct": -1000, "mr": 0}[case.report.measures["modality"]]
    assert set(np.unique(voxels(case.target)[voxels(case.mask) == 1])) == {air}


@pytest.mark.requirement("M-25")
def test_the_header_is_carried_over_byte_for_byte(case: Case) -> None:
    with gzip.open(case.source) as one, gzip.open(case.target) as other:
        assert one.read(352) == other.read(352)


@pytest.mark.requirement("M-26")
def test_the_mask_lies_where_the_image_lies(case: Case) -> None:
    image, mask = nib.load(case.source), nib.load(case.mask)
    assert mask.shape == image.shape
    assert mask.get_data_dtype() == np.uint8
    assert np.allclose(mask.affine, image.affine, atol=1e-4)


@pytest.mark.requirement("M-26")
def test_the_report_names_method_version_verdict_and_measures(case: Case) -> None:
    report = json.loads((case.target.parent / "report.json").read_text())
    assert report == json.loads(json.dumps(case.report.as_dict()))
    assert {"method", "method_version", "verdict", "reasons", "measures"} == set(report)


def test_pictures_show_before_after_and_a_contact_sheet(case: Case) -> None:
    names = sorted(path.name for path in case.pictures.iterdir())
    assert names == ["after.png", "before.png", "sheet.png"]
    sheet, before, after = (pixels(case.pictures / f"{name}.png") for name in ("sheet", "before", "after"))
    assert sheet.shape == (900, 1600, 3)
    assert before.shape == after.shape
    assert (np.abs(before - after) > 40).mean() > 0.02


@pytest.mark.slow
@pytest.mark.requirement("M-26", "T-13")
@pytest.mark.parametrize("case", ["mr"], indirect=True)
def test_a_second_run_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    deface_file(
        case.source,
        tmp_path / "b.nii.gz",
        mask=tmp_path / "m.nii.gz",
        pictures=tmp_path / "p",
        report=tmp_path / "r",
    )
    pairs = {
        case.target: tmp_path / "b.nii.gz",
        case.mask: tmp_path / "m.nii.gz",
        case.target.parent / "report.json": tmp_path / "r",
    } | {path: tmp_path / "p" / path.name for path in case.pictures.iterdir()}
    assert [sha256_of(one) for one in pairs] == [sha256_of(other) for other in pairs.values()]


@pytest.mark.requirement("M-24")
def test_a_defaced_image_is_recognised_and_left_alone(case: Case, tmp_path: Path) -> None:
    report = deface_file(case.target, tmp_path / "again.nii.gz", mask=tmp_path / "m.nii.gz")
    assert report.verdict is Verdict.NO_FACE, report
    assert report.reasons == ["already-defaced"]
    assert np.array_equal(voxels(case.target), voxels(tmp_path / "again.nii.gz"))
    assert not voxels(tmp_path / "m.nii.gz").any()


@pytest.mark.parametrize("case", ["ct"], indirect=True)
def test_an_honest_result_passes_the_later_check(case: Case) -> None:
    report = check_files(case.source, case.target)
    assert report.verdict is Verdict.PASS
    assert report.measures == case.report.measures


def test_every_reason_has_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in REASONS.values())
