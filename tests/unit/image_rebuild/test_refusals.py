"""What is not rebuilt: a named refusal, and nothing written."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from lethe.errors import Outcome
from lethe.image.rebuild import rebuild_series

from .conftest import Case


def _code(case: Case, images: list[Path] | None = None, masks: list[Path] | None = None) -> str:
    with pytest.raises(Outcome) as raised:
        rebuild_series(case.dicom, images or case.images, case.out, method="x", masks=masks)
    assert list(case.out.iterdir()) == []
    assert raised.value.remedy
    return raised.value.code


Change = Callable[[Any, Any], tuple[Any, Any]]


def _changed(case: Case, tmp_path: Path, change: Change) -> list[Path]:
    """Return the image of a case with other voxels or another affine."""
    image: Any = nib.load(case.images[0])
    voxels, affine = change(np.asanyarray(image.dataobj.get_unscaled()).copy(), image.affine.copy())
    result: Any = nib.Nifti1Image(voxels, affine)
    result.header.set_slope_inter(image.dataobj.slope, image.dataobj.inter)
    path = tmp_path / "changed.nii.gz"
    nib.save(result, path)
    return [path]


def _moved(voxels: Any, affine: Any) -> tuple[Any, Any]:
    affine[2, 3] += 4.0
    return voxels, affine


def _scaled(voxels: Any, affine: Any) -> tuple[Any, Any]:
    affine[:, 0] *= 1.02
    return voxels, affine


def _turned(voxels: Any, affine: Any) -> tuple[Any, Any]:
    return voxels, affine[:, [1, 0, 2, 3]]


def _with_hole(voxels: Any, affine: Any) -> tuple[Any, Any]:
    voxels = voxels.astype("f4")
    voxels[tuple(n // 2 for n in voxels.shape)] = np.nan
    return voxels, affine


@pytest.mark.requirement("M-27")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_moved, "other-grid"),
        (_scaled, "other-grid"),
        (_turned, "other-grid"),
        (lambda voxels, affine: (voxels[:, :, :-2], affine), "slices-missing"),
        (lambda voxels, affine: (voxels[:-1], affine), "other-grid"),
        (lambda voxels, affine: (np.repeat(voxels[..., None], 2, 3), affine), "slices-too-many"),
        (lambda voxels, affine: (np.where(voxels == voxels.min(), 30000, voxels), affine), "value-range"),
        (lambda voxels, affine: (voxels + 1, affine), "other-image"),
        (lambda voxels, affine: (voxels[::-1, ::-1].copy(), affine), "other-image"),
        (_with_hole, "not-finite"),
        (lambda voxels, affine: (voxels.astype("c8"), affine), "not-nifti"),
    ],
)
def test_an_image_that_is_not_of_this_series_is_refused(
    case: Callable[[str], Case], tmp_path: Path, change: Change, code: str
) -> None:
    made = case("ct")
    assert _code(made, _changed(made, tmp_path, change)) == code


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", b"no image", b"\x5c\x01\0\0" + b"\0" * 400])
def test_a_file_that_is_no_image_is_refused(
    case: Callable[[str], Case], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "image.nii.gz").write_bytes(content)
    assert _code(case("ct"), [tmp_path / "image.nii.gz"]) == "not-nifti"


@pytest.mark.parametrize("value", [float("nan"), 0.0])
def test_an_image_without_a_place_is_refused(
    case: Callable[[str], Case], tmp_path: Path, value: float
) -> None:
    made = case("ct")
    plain = bytearray(gzip.decompress(made.images[0].read_bytes()))
    plain[280:296] = struct.pack("<4f", *[value] * 4)  # first row of the affine
    (tmp_path / "image.nii").write_bytes(plain)
    assert _code(made, [tmp_path / "image.nii"]) == "bad-affine"


def test_an_image_cut_short_is_refused(case: Callable[[str], Case], tmp_path: Path) -> None:
    made = case("ct")
    packed, plain = made.images[0].read_bytes(), gzip.decompress(made.images[0].read_bytes())
    for content in (packed[: len(packed) // 2], plain[: len(plain) // 2]):
        (tmp_path / "image.nii").write_bytes(content)
        assert _code(made, [tmp_path / "image.nii"]) == "not-nifti"


@pytest.mark.requirement("M-24")
def test_a_voxel_changed_outside_the_mask_is_refused(case: Callable[[str], Case], tmp_path: Path) -> None:
    made = case("ct")

    def change(voxels: Any, affine: Any) -> tuple[Any, Any]:
        voxels[voxels.shape[0] // 2, 3, -4] += 1
        return voxels, affine

    assert _code(made, _changed(made, tmp_path, change), made.masks) == "changed-outside-mask"


def test_a_mask_of_another_image_is_refused(case: Callable[[str], Case]) -> None:
    made, other = case("ct"), case("tilted")
    assert _code(made, None, other.masks) == "mask-of-other-image"
    assert _code(made, None, [*made.masks, *made.masks]) == "mask-of-other-image"


@pytest.mark.requirement("M-21")
@pytest.mark.parametrize("value", ["NO", None])
def test_objects_that_were_not_cleaned_are_refused(
    case: Callable[[str], Case], tmp_path: Path, value: str | None
) -> None:
    made, copy = case("ct"), tmp_path / "raw"
    copy.mkdir()
    for path in made.dicom.iterdir():
        data = pydicom.dcmread(path)
        if value is None:
            del data.PatientIdentityRemoved
        else:
            data.PatientIdentityRemoved = value
        data.save_as(copy / path.name)
    assert _code(Case(copy, made.images, made.masks, made.out)) == "not-cleaned"


@pytest.mark.requirement("M-27")
def test_a_series_with_a_gap_is_refused(case: Callable[[str], Case], tmp_path: Path) -> None:
    made, copy = case("ct"), tmp_path / "gap"
    copy.mkdir()
    for path in sorted(made.dicom.iterdir())[:-1]:
        (copy / path.name).write_bytes(path.read_bytes())
    assert _code(Case(copy, made.images, made.masks, made.out)) == "slices-too-many"
    sorted(copy.iterdir())[5].unlink()
    assert _code(Case(copy, made.images, made.masks, made.out)) == "missing-slices"


def test_images_of_some_echoes_only_are_refused(case: Callable[[str], Case]) -> None:
    made = case("multi-echo")
    assert len(made.images) > 1
    assert _code(made, made.images[:1]) == "slices-missing"
