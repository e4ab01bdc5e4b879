"""The verdict catches what a broken engine, a mix-up or a careless hand would deliver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage as ndi
from numpy.typing import NDArray

from kit import phantom
from lethe.image.deface import Verdict
from lethe.image.deface.align import Alignment
from lethe.image.deface.apply import Comparison
from lethe.image.deface.engine import Plan, judge_changes, make_plan
from lethe.image.deface.io import slabs
from lethe.image.deface.judge import VAULT_MINIMUM, Effect, doubts, verdict
from lethe.image.deface.protect import protect
from lethe.image.deface.region import choose
from lethe.image.deface.volumes import Volumes, volumes

Voxels = NDArray[np.int16]
BRAIN = (phantom.Tissue.GREY, phantom.Tissue.WHITE)
Mask = NDArray[np.bool_]


@pytest.fixture(scope="module")
def plan(phantom_file: Callable[[phantom.Modality], object]) -> Plan:
    return make_plan(phantom_file("ct"))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def before(plan: Plan) -> Voxels:
    voxels = np.concatenate([part for _, _, part in slabs(plan.scene.volume)], axis=2)
    voxels.flags.writeable = False
    return voxels


def judged(plan: Plan, after: Voxels) -> Verdict:
    comparison = Comparison(plan.scene, plan.head.grid, plan.protection.brain)
    for repeat, start, before in slabs(plan.scene.volume):
        comparison.add(repeat, start, before, after[:, :, start : start + before.shape[2]])
    return judge_changes(plan, comparison).verdict


def cut(before: Voxels, mask: Mask) -> Voxels:
    return np.where(mask, np.int16(-1000), before)


@pytest.fixture(scope="module")
def region(plan: Plan) -> Mask:
    """Return the removal at the voxels of the file, in their nearest grid cell."""
    grid = plan.head.grid
    matrix = np.linalg.inv(grid.affine) @ plan.scene.volume.affine
    index = np.indices(plan.scene.volume.spatial_shape).reshape(3, -1)
    place = np.rint(matrix[:3, :3] @ index + matrix[:3, 3:4]).astype(int)
    limits = np.asarray(grid.values.shape)[:, None]
    inside = ((place >= 0) & (place < limits)).all(axis=0)
    found = np.zeros(index.shape[1], bool)
    found[inside] = plan.region.remove[tuple(place[:, inside])]
    found.flags.writeable = False
    return found.reshape(plan.scene.volume.spatial_shape)


def shifted(axis: int, voxels: int) -> Callable[[Mask], Mask]:
    return lambda mask: np.roll(mask, voxels, axis)


def turned(times: int, axes: tuple[int, int]) -> Callable[[Mask], Mask]:
    def turn(mask: Mask) -> Mask:
        moved = np.rot90(mask, times, axes)
        result = np.zeros_like(mask)
        window = tuple(slice(0, min(a, b)) for a, b in zip(mask.shape, moved.shape, strict=True))
        result[window] = moved[window]
        return result

    return turn


SABOTAGE: dict[str, Callable[[Mask], Mask]] = {
    "empty": np.zeros_like,
    "everything": np.ones_like,
    "complement": np.logical_not,
    "flipped front to back": lambda mask: mask[:, ::-1],
    "flipped top to bottom": lambda mask: mask[:, :, ::-1],
    **{f"shifted {v * 2} mm back": shifted(1, -v) for v in (10, 15, 20, 30, 40)},
    **{f"shifted {v * 2} mm forward": shifted(1, v) for v in (10, 15, 20, 30)},
    **{f"shifted {v * 3} mm up": shifted(2, v) for v in (10, 15, 20, 25)},
    **{f"shifted {v * 3} mm down": shifted(2, -v) for v in (12, 16, 20, 25)},
    **{f"shifted {v * 2} mm aside": shifted(0, v) for v in (35, -35, 45, -45)},
    **{f"turned {90 * n} about z": turned(n, (0, 1)) for n in (1, 2, 3)},
    **{f"turned {90 * n} about x": turned(n, (1, 2)) for n in (1, 2, 3)},
    "only the nose": lambda mask: mask & (np.indices(mask.shape)[1] > 118),
    "only the right half": lambda mask: mask & (np.indices(mask.shape)[0] > 57),
    "only the lower half": lambda mask: mask & (np.indices(mask.shape)[2] < 25),
    "only the upper half": lambda mask: mask & (np.indices(mask.shape)[2] > 30),
    "every second slice": lambda mask: mask & (np.indices(mask.shape)[2] % 2 == 0),
    "chequered": lambda mask: mask & (np.indices(mask.shape).sum(axis=0) % 2 == 0),
    "ears only": lambda mask: mask & (np.abs(np.indices(mask.shape)[0] - 57) > 38),
    "ears left": lambda mask: mask & (np.abs(np.indices(mask.shape)[0] - 57) <= 33),
    "worn away by 10 mm": lambda mask: ndi.binary_erosion(mask, iterations=5),
    "nose and mouth left": lambda mask: mask & (np.abs(np.indices(mask.shape)[0] - 57) > 14),
    "eyes and nose left": lambda mask: mask & (np.indices(mask.shape)[2] < 20),
    "a third of the slices copied back": lambda mask: mask & (np.indices(mask.shape)[2] % 3 > 0),
    "one corner": lambda mask: mask & (np.indices(mask.shape)[0] < 40) & (np.indices(mask.shape)[2] < 40),
}


@pytest.mark.requirement("M-24", "L-04")
def test_the_honest_mask_passes(plan: Plan, before: Voxels, region: Mask) -> None:
    assert judged(plan, cut(before, region)) is Verdict.PASS


@pytest.mark.requirement("M-24", "L-04")
@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_mask_never_passes(name: str, plan: Plan, before: Voxels, region: Mask) -> None:
    assert judged(plan, cut(before, SABOTAGE[name](region))) in (Verdict.FAIL, Verdict.REVIEW)


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_result_of_another_image_never_passes(seed: int, plan: Plan) -> None:
    other = phantom.head("ct", spacing=(2.0, 2.0, 3.0), seed=seed)
    assert judged(plan, other.data) is Verdict.FAIL


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize(("present", "passes"), [(0.13, False), (0.6, True)])
def test_a_face_that_is_hardly_there_is_for_a_person(present: float, passes: bool, plan: Plan) -> None:
    front = plan.expectation.front
    unseen = replace(front, found=np.full_like(front.found, -20.0))
    expectation = replace(plan.expectation, front=unseen, face_present=present)
    found = verdict(expectation, Effect(0, 5.0, 0.9, None, 1.0, 100.0, 0.0), [])
    assert found == ((Verdict.PASS, []) if passes else (Verdict.REVIEW, ["face-partly-missing"]))


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize(("gone", "passes"), [(0.2, False), (0.4, True), (None, True)])
def test_an_ear_that_stays_is_for_a_person(gone: float | None, passes: bool, plan: Plan) -> None:
    found = verdict(plan.expectation, Effect(0, 5.0, 0.9, 1.0, gone, 100.0, 0.0), [])
    assert found == ((Verdict.PASS, []) if passes else (Verdict.REVIEW, ["ears-remain"]))


@pytest.mark.requirement("M-25")
def test_one_changed_brain_voxel_is_a_fail(plan: Plan, before: Voxels, region: Mask) -> None:
    after = cut(before, region)
    # the middle of the brain, in scanner millimetres
    place = np.linalg.inv(plan.scene.volume.affine) @ (20.0, -18.0, 20.0, 1.0)
    after[tuple(place[:3].astype(int))] += 1
    assert judged(plan, after) is Verdict.FAIL


def pose_of(plan: Plan, **changes: object) -> Alignment:
    return replace(plan.pose, **changes)  # type: ignore[arg-type]


@pytest.mark.requirement("L-13")
@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("weak-match", {"nmi": 1.04, "runner_up": 1.0}),
        ("implausible-size", {"scales": (0.7, 1.0, 1.1)}),
        ("implausible-size", {"scales": (1.0, 1.1, 1.4)}),
        ("second-pose", {"runner_up": 1.2}),
        ("second-pose", {"turned": True, "nmi": 1.1, "runner_up": 1.09}),
    ],
)
def test_a_doubtful_pose_is_for_a_person(reason: str, changes: dict[str, object], plan: Plan) -> None:
    found = doubts(pose_of(plan, **changes), plan.protection, plan.expectation, oriented=True, extended=False)
    assert reason in found


@pytest.mark.requirement("L-13")
@pytest.mark.parametrize(
    ("skull_found", "shared", "overlap", "doubtful"),
    [
        (True, None, 0.86, True),
        (True, None, 0.88, False),
        (False, None, 0.86, True),
        (None, None, 0.84, True),
        (None, None, 0.86, False),
        (None, 1.1, 0.76, False),
        (None, 1.1, 0.74, True),
    ],
)
def test_a_brain_that_the_image_does_not_confirm_is_for_a_person(
    skull_found: bool | None, shared: float | None, overlap: float, doubtful: bool, plan: Plan
) -> None:
    protection = replace(plan.protection, skull_found=skull_found, overlap=overlap)
    pose = pose_of(plan, shared_nmi=shared)
    found = doubts(pose, protection, plan.expectation, oriented=True, extended=False)
    assert ("brain-not-confirmed" in found) is doubtful


@pytest.mark.requirement("M-25", "L-13")
def test_a_template_brain_that_does_not_fill_the_vault_is_for_a_person(plan: Plan) -> None:
    """A head with water in it was matched to its face: 230 voxels of its brain went, and it passed."""
    middle = np.array([0.0, -20.0, 10.0])
    larger = np.diag([1.4, 1.4, 1.4, 1.0])
    larger[:3, 3] = middle - 1.4 * middle
    pose = pose_of(plan, to_mni=larger @ plan.pose.to_mni)
    found = protect(plan.head, plan.template, pose)
    assert plan.protection.vault > 0.95
    assert found.vault < VAULT_MINIMUM
    alone = replace(plan.protection, vault=found.vault)
    assert doubts(plan.pose, alone, plan.expectation, oriented=True, extended=False) == [
        "brain-not-confirmed"
    ]


def test_a_head_taken_back_to_front_is_noticed_by_its_air(plan: Plan) -> None:
    swapped = replace(
        plan.expectation, air_ahead=plan.expectation.air_behind, air_behind=plan.expectation.air_ahead
    )
    assert "front-unsure" in doubts(plan.pose, plan.protection, swapped, oriented=True, extended=False)


@pytest.mark.requirement("M-25", "L-13")
@pytest.mark.parametrize("move", [(0.0, 60.0, 0.0), (0.0, 0.0, -70.0), (0.0, 40.0, 60.0)])
def test_a_wrong_pose_takes_no_brain_from_a_ct_and_is_noticed(
    move: tuple[float, float, float], plan: Plan
) -> None:
    to_mni = plan.pose.to_mni.copy()
    to_mni[:3, 3] += move
    pose, template = pose_of(plan, to_mni=to_mni), plan.template
    found = protect(plan.head, template, pose)
    assert "brain-not-confirmed" in doubts(pose, found, plan.expectation, oriented=True, extended=False)
    assert plan.head.brain is not None
    assert not (choose(plan.head, pose, found).remove & plan.head.brain).any()


@pytest.mark.requirement("M-25")
def test_a_doubtful_cut_through_what_looks_like_a_brain_alone_is_a_fail(plan: Plan) -> None:
    effect = Effect(0, 9.0, 1.0, 1.0, 1.0, 100.0, 0.0)
    assert verdict(plan.expectation, effect, ["front-unsure"], bare=True)[0] is Verdict.FAIL
    assert verdict(plan.expectation, effect, ["front-unsure"])[0] is Verdict.REVIEW


@pytest.mark.requirement("L-07")
def test_the_volumes_are_those_of_the_drawing(plan: Plan) -> None:
    found = volumes(plan.head, plan.template, plan.pose, plan.protection)
    labels, _, _ = phantom.draw(spacing=(3.0, 3.0, 3.0))
    brain, fluid = (np.isin(labels, kinds).sum() * 0.027 for kinds in (BRAIN, phantom.Tissue.FLUID))
    assert found.intracranial_ml == pytest.approx(brain + fluid, rel=0.06)
    assert found.brain_ml == pytest.approx(brain, rel=0.1)


@pytest.mark.requirement("L-07")
def test_a_brain_that_is_partly_in_view_or_has_no_skull_gets_no_volume(plan: Plan) -> None:
    cut = replace(plan.protection, seen_ml=0.9 * plan.protection.seen_ml)
    assert volumes(plan.head, plan.template, plan.pose, cut) == Volumes()
    opened = replace(plan.protection, skull_found=False)
    assert volumes(plan.head, plan.template, plan.pose, opened) == Volumes()


def test_a_file_without_orientation_or_with_an_extension_is_for_a_person(plan: Plan) -> None:
    found = doubts(plan.pose, plan.protection, plan.expectation, oriented=False, extended=True)
    assert found == ["no-orientation", "header-extension"]
