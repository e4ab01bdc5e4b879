"""A wrong pose sent through the whole engine: what passes lost no brain, no nose stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from kit import phantom
from lethe.image.deface import DefaceReport, Verdict
from lethe.image.deface.engine import Plan, deface_plan, make_plan

pytestmark = pytest.mark.system
SPACING = (2.0, 2.0, 2.5)


@dataclass(frozen=True)
class Known:
    """A phantom, what is right about it, and where its brain is."""

    source: Path
    plan: Plan
    brain: NDArray[np.bool_]

    def moved(self, by: tuple[float, float, float]) -> tuple[DefaceReport, int]:
        """De-face with a pose that is wrong by so many MNI millimetres; return also the brain voxels lost."""
        to_mni = self.plan.pose.to_mni.copy()
        to_mni[:3, 3] += by
        wrong = make_plan(self.source, pose=replace(self.plan.pose, to_mni=to_mni))
        target = self.source.with_name("out.nii")
        target.unlink(missing_ok=True)
        report = deface_plan(wrong, target, mask=None, pictures=None, report=None)
        if report.verdict is Verdict.FAIL:
            assert not target.exists()
            return report, 0
        before, after = (np.asanyarray(nib.load(path).dataobj) for path in (self.source, target))  # type: ignore[attr-defined]
        return report, int(np.count_nonzero((before != after) & self.brain))


@pytest.fixture(scope="module", params=["ct", "mr"])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """Return a phantom of each modality with its right plan."""
    head = phantom.head(request.param, spacing=SPACING)
    source = tmp_path_factory.mktemp("pose") / "head.nii"
    nib.save(nib.Nifti1Image(head.data, head.affine), source)  # type: ignore[attr-defined]
    labels, _, _ = phantom.draw(spacing=SPACING)
    return Known(source, make_plan(source), np.isin(labels, (phantom.Tissue.GREY, phantom.Tissue.WHITE)))


@pytest.mark.requirement("M-24", "L-13")
@pytest.mark.parametrize("up", [70.0, 80.0])
def test_a_face_above_where_the_pose_says_it_is_does_not_pass(up: float, known: Known) -> None:
    report, lost = known.moved((0.0, 0.0, up))
    assert report.verdict is Verdict.REVIEW
    assert "forehead-uneven" in report.reasons
    assert lost == 0


@pytest.mark.requirement("M-25", "L-13")
@pytest.mark.parametrize(
    "by",
    [
        (0.0, 0.0, 15.0),
        (0.0, 0.0, -10.0),
        (0.0, 0.0, -20.0),  # passed with 271 voxels lost of a CT
        (0.0, 15.0, 0.0),
        (0.0, 30.0, 10.0),
        (0.0, -20.0, 0.0),
        (15.0, 0.0, 0.0),
        (20.0, 20.0, -20.0),
    ],
)
def test_what_passes_with_a_wrong_pose_has_lost_no_brain(
    by: tuple[float, float, float], known: Known
) -> None:
    report, lost = known.moved(by)
    assert lost == 0 or report.verdict is not Verdict.PASS
