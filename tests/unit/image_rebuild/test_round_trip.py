"""NIfTI back to DICOM: nothing lost on the way, and nothing of the face."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from lethe.image.convert import convert_series
from lethe.image.rebuild import Rebuilt, rebuild_series

from .conftest import KINDS, METHOD, Case

Rebuild = Callable[[str], tuple[Case, Rebuilt]]
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@pytest.mark.requirement("M-27")
def test_the_rebuilt_objects_convert_to_the_same_voxels_at_the_same_place(
    rebuilt: Rebuild, kind: str, tmp_path: Path
) -> None:
    made, facts = rebuilt(kind)
    assert facts.voxels_changed > 0
    again = tmp_path / "again"
    again.mkdir()
    converted = convert_series(made.out, again)
    assert len(converted.images) == len(made.images)
    for before, after in zip(made.images, converted.images, strict=True):
        one: Any = nib.load(before)
        two: Any = nib.load(after)
        assert np.abs(one.affine - two.affine).max() < 1e-4
        # where every slice has its own scaling, removed voxels are the nearest value that it can hold
        assert np.allclose(one.get_fdata(), two.get_fdata(), rtol=1e-6, atol=1.0 if kind == "scaled" else 0)


@every_kind
@pytest.mark.requirement("M-27")
def test_untouched_voxels_are_bit_for_bit_those_of_the_source(rebuilt: Rebuild, kind: str) -> None:
    made, facts = rebuilt(kind)
    before = {data.InstanceNumber: data for data in made.objects()}
    changed = 0
    for new in made.objects(made.out):
        old = before[new.InstanceNumber]
        assert new.pixel_array.dtype == old.pixel_array.dtype
        differs = new.pixel_array != old.pixel_array
        changed += int(differs.sum())
        if kind in ("ct", "tilted"):
            assert set(np.unique(new.pixel_array[differs])) <= {24}  # -1000 HU through the rescale
    assert changed == facts.voxels_changed
    assert facts.voxels == sum(old.pixel_array.size for old in before.values())


@every_kind
@pytest.mark.requirement("M-26", "T-13", "A-92")
def test_two_runs_give_the_same_bytes(rebuilt: Rebuild, kind: str, tmp_path: Path) -> None:
    made, one = rebuilt(kind)
    two = rebuild_series(made.dicom, made.images, tmp_path, method=METHOD, masks=made.masks)
    assert [path.name for path in one.files] == [path.name for path in two.files]
    assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in one.files]


def test_the_record_beside_rebuilt_objects_does_not_stop_the_next_conversion(
    rebuilt: Rebuild, tmp_path: Path
) -> None:
    made, _ = rebuilt("ct")
    folder = tmp_path / "resource"
    shutil.copytree(made.out, folder)
    (folder / "provenance.json").write_text("{}")
    out = tmp_path / "nifti"
    out.mkdir()
    assert convert_series(folder, out).images
