"""Real heads, where they lie beside the repository: they pass, and their results are known as de-faced."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import scipy.ndimage as ndi
from numpy.typing import NDArray

from lethe.image.deface import Verdict, deface_file

pytestmark = pytest.mark.system
HEADS = Path(__file__).resolve().parents[3] / "shared" / "heads"
NAMES = ["ct_cranium", "mr_sub3_T1w"]


@pytest.fixture
def heads() -> Path:
    """Return the folder of real heads, or skip where it is not laid beside the repository."""
    if not HEADS.is_dir():
        pytest.skip("the real heads (../shared/heads) are not on this machine")
    return HEADS


def intracranial(values: NDArray[np.int16], spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    """Find the space inside the skull of a CT without any template: what a ball of 6 mm can reach."""
    soft = ndi.gaussian_filter(values.astype(np.float32), 0.7)
    soft_tissue = (soft > -15) & (soft < 100)
    core = ndi.distance_transform_edt(soft_tissue, sampling=spacing) > 6
    labels, count = ndi.label(core)
    largest = labels == 1 + int(np.argmax(ndi.sum_labels(core, labels, range(1, count + 1))))
    near = ndi.distance_transform_edt(~largest, sampling=spacing) < 6
    return np.asarray(near & soft_tissue)


@pytest.mark.requirement("M-24", "M-25", "L-04", "L-13")
@pytest.mark.parametrize("name", NAMES)
def test_a_real_head_passes_and_is_recognised_afterwards(name: str, heads: Path, tmp_path: Path) -> None:
    source, target, mask = heads / f"{name}.nii.gz", tmp_path / "o.nii.gz", tmp_path / "m.nii.gz"
    report = deface_file(source, target, mask=mask)
    assert report.verdict is Verdict.PASS, report
    assert report.measures["brain_changed"] == 0
    assert report.measures["front_moved"] > 0.85
    before, after = (np.asarray(nib.load(path).dataobj) for path in (source, target))
    if name == "ct_cranium":
        brain = intracranial(before, tuple(float(z) for z in nib.load(source).header.get_zooms()))
        assert 1200 < brain.sum() * 0.96 * 0.96 * 1.5 / 1000 < 1600
        assert np.array_equal(before[brain], after[brain])
    label = np.asarray(nib.load(mask).dataobj)
    assert np.array_equal(before[label == 0], after[label == 0])
    assert deface_file(target, tmp_path / "again.nii.gz").reasons == ["already-defaced"]
