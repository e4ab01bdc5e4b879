"""What an image says about its brain without the template, and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lethe.image.deface.artefacts import metal_streaks, scalp_shown
from lethe.image.deface.grid import Array3, Grid
from lethe.image.deface.head import Head, _calm, _mr_threshold, evened, unevenness
from lethe.image.deface.judge import BARE_SHARE, SCALP_MINIMUM, _one_value, bare_confirmed
from lethe.image.deface.morph import Mask, depth
from lethe.image.deface.mrbrain import shown_brain
from lethe.image.deface.protect import Protection, _buried
from lethe.image.deface.scene import Modality
from lethe.image.deface.witness import enclosed_brain, skull_parts

SHAPE = (44, 44, 52)
X, Y, Z = (axis * 4.0 - end for axis, end in zip(np.indices(SHAPE), (86.0, 86.0, 130.0), strict=True))
RADIUS = np.sqrt(X**2 + Y**2 + Z**2)
NECK = (np.hypot(X, Y) < 50) & (Z < -60)
HEAD = (RADIUS < 78) | NECK
BRAIN = RADIUS < 62


def skull(noise: float = 0.0) -> Grid:
    """Draw brain in a shell of bone, and a neck of muscle that is larger than the brain of a child."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    values = np.where(HEAD, 50.0, -1000.0)
    values[(RADIUS >= 62) & (RADIUS < 71)] = 900.0
    values[BRAIN] = 35.0
    values += np.random.default_rng(0).normal(0, noise, SHAPE)
    return Grid(values.astype(np.float32), np.ones(SHAPE, bool), affine)


def found(grid: Grid, head: Mask = HEAD) -> Mask | None:
    return enclosed_brain(grid, head, skull_parts(grid, head))


@pytest.mark.requirement("M-25", "L-13")
def test_the_skull_says_where_the_brain_is_without_the_template() -> None:
    space = found(skull())
    assert space is not None
    assert (space & BRAIN).sum() > 0.95 * BRAIN.sum()
    assert (space & ~BRAIN).sum() < 0.05 * BRAIN.sum()


@pytest.mark.requirement("M-25")
@pytest.mark.parametrize(
    "part",
    [np.s_[:, :, :34], np.s_[:, :, 26:], np.s_[:22], np.s_[:, 12:]],
    ids=["vertex cut", "neck cut", "half a head", "back cut"],
)
def test_a_head_that_is_cut_still_shows_its_brain(part: tuple[slice, ...]) -> None:
    whole = skull()
    grid = Grid(whole.values[part], whole.valid[part], whole.affine)
    space = found(grid, HEAD[part])
    assert space is not None
    assert (space & BRAIN[part]).sum() > 0.9 * BRAIN[part].sum()
    assert (space & ~BRAIN[part]).sum() < 0.05 * BRAIN[part].sum()


@pytest.mark.requirement("M-25")
def test_a_bone_flap_that_was_taken_out_lets_most_of_the_brain_be_seen_and_little_else() -> None:
    grid = skull()
    flap = (Y > 20) & (np.hypot(X, Z) < 32) & (RADIUS >= 62) & (RADIUS < 71)
    values = np.where(flap, np.float32(40), grid.values)
    space = found(replace(grid, values=values))
    assert space is not None
    assert (space & BRAIN).sum() > 0.8 * BRAIN.sum()
    assert (space & ~BRAIN).sum() < 0.05 * BRAIN.sum()


def test_muscle_without_a_skull_is_no_brain() -> None:
    grid = skull()
    assert found(replace(grid, values=np.minimum(grid.values, np.float32(60)))) is None


@pytest.mark.requirement("M-25")
def test_a_skull_full_of_noise_is_calmed_and_a_quiet_one_left_alone() -> None:
    quiet, noisy = skull(), skull(noise=90.0)
    assert _calm(quiet) is quiet
    space = found(_calm(noisy))
    assert space is not None
    assert (space & BRAIN).sum() > 0.9 * BRAIN.sum()


def coil(strength: float) -> Head:
    values = np.where(HEAD, 300.0 * np.exp(strength * Z / 60.0), 0.0).astype(np.float32)
    return Head(replace(skull(), values=values), HEAD, Modality.MR, 50.0)


def slices(bone: float, muscle: float) -> Grid:
    """Draw the same head in MR: brain, dark bone, bright scalp, neck."""
    values = np.where(HEAD, muscle, 0.0)
    values[(RADIUS >= 62) & (RADIUS < 70)] = bone
    values[BRAIN] = 100.0
    values += np.abs(np.random.default_rng(2).normal(0, 3, SHAPE))
    return Grid(values.astype(np.float32), np.ones(SHAPE, bool), np.diag([4.0, 4.0, 4.0, 1.0]))


@pytest.mark.requirement("M-25", "L-13")
@pytest.mark.parametrize("part", [np.s_[:], np.s_[:, :, :34], np.s_[:22]], ids=["whole", "cut", "half"])
@pytest.mark.parametrize(("bone", "muscle"), [(20.0, 150.0), (15.0, 60.0), (5.0, 30.0)])
def test_an_mr_shows_its_brain_without_the_template(
    bone: float, muscle: float, part: tuple[slice, ...]
) -> None:
    grid = slices(bone, muscle)
    space = shown_brain(Grid(grid.values[part], grid.valid[part], grid.affine), HEAD[part], grid.values[part])
    assert space is not None
    assert (space & BRAIN[part]).sum() > 0.9 * BRAIN[part].sum()
    assert (space & ~BRAIN[part]).sum() < 0.1 * BRAIN[part].sum()


@pytest.mark.requirement("M-25")
def test_a_slab_of_an_mr_says_nothing_of_its_brain() -> None:
    grid = slices(15.0, 60.0)
    part = np.s_[:, :, 24:36]
    assert (
        shown_brain(Grid(grid.values[part], grid.valid[part], grid.affine), HEAD[part], grid.values[part])
        is None
    )


@pytest.mark.requirement("M-25")
def test_an_mr_whose_skull_is_not_dark_says_nothing_of_its_brain() -> None:
    grid = slices(100.0, 100.0)
    assert shown_brain(grid, HEAD, grid.values) is None


@pytest.mark.requirement("M-24")
def test_what_comes_near_the_skin_is_an_eye_and_what_lies_deep_is_brain() -> None:
    below = np.full((9, 9, 9), 14.0, np.float32)
    below[7:] = 4.0
    parts = np.zeros(below.shape, bool)
    parts[1:3, 1:3, 1:3] = parts[5:9, 5:8, 5:8] = True
    kept = _buried(parts, below, 8.0)
    assert (kept.sum(), kept[1, 1, 1]) == (8, True)


@pytest.mark.requirement("M-24")
def test_a_face_is_gone_where_one_value_stands_and_not_where_it_is_faint() -> None:
    faint = np.random.default_rng(3).normal(20, 4, 4000).astype(np.float32)
    whole = np.append(faint, np.float32(400))
    assert not _one_value(faint, whole)
    assert not _one_value(faint[:0], whole)
    assert _one_value(np.append(np.zeros(3800, np.float32), faint[:200]), whole)


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize(("lift", "power"), [(0.0, 1.0), (40.0, 1.0), (20.0, 0.7)])
def test_air_is_told_from_tissue_however_the_grey_scale_is_bent_or_lifted(lift: float, power: float) -> None:
    rng = np.random.default_rng(1)
    values = np.where(HEAD, rng.uniform(40, 100, SHAPE), 0.0)
    values = np.hypot(values + rng.normal(0, 5, SHAPE), rng.normal(0, 5, SHAPE)) / 100.0
    values = (lift + 100.0 * values**power).astype(np.float32)
    tissue = values > _mr_threshold(values, np.ones(SHAPE, bool))
    assert tissue[HEAD].mean() > 0.99
    assert tissue[~HEAD].mean() < 0.08  # an opening takes the single ones away


def test_the_fall_off_of_a_coil_is_evened_out_and_a_little_of_it_left_alone() -> None:
    weak, strong = coil(0.1), coil(0.7)
    assert evened(weak) is weak.grid.values
    after = replace(strong, grid=replace(strong.grid, values=evened(strong)))
    assert unevenness(strong) > 3.0
    assert unevenness(after) < 0.5 * unevenness(strong)


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize(("share", "confirmed"), [(0.53, False), (0.92, True)])
def test_a_cut_out_brain_must_be_one_by_the_match_too(share: float, confirmed: bool) -> None:
    nothing = np.zeros(SHAPE, bool)
    deep = np.zeros(SHAPE, np.float32)
    seen = Protection(nothing, nothing, deep, None, 1.0, 1000.0, share, streaks=False, scalp=1.0, vault=1.0)
    assert 0.53 < BARE_SHARE < 0.92
    assert bare_confirmed(coil(0.0), seen) is confirmed


@pytest.mark.requirement("M-25")
def test_streaks_of_metal_beside_the_brain_are_told_from_metal_and_from_air_alone() -> None:
    grid = skull()
    expected = BRAIN.astype(np.float32)
    clip = np.hypot(np.hypot(X - 66, Y), Z) < 8
    streak = BRAIN & (np.abs(Y) < 5) & (np.abs(Z) < 5)
    metal = np.where(clip, np.float32(3071), grid.values)
    dark = np.where(streak, np.float32(-500), metal)
    filling = np.where(NECK & (Z < -110) & (np.hypot(X, Y) < 8), np.float32(3071), grid.values)

    def told(values: Array3) -> bool:
        return metal_streaks(Head(replace(grid, values=values), HEAD, Modality.CT, -250.0), expected)

    assert told(dark)
    assert not told(metal)
    assert not told(np.where(streak, np.float32(-500), grid.values))
    assert not told(np.where(streak, np.float32(-500), filling))
    assert not told(grid.values)


@pytest.mark.requirement("M-25")
@pytest.mark.parametrize(("scalp", "shown"), [(400.0, True), (90.0, True), (20.0, False)])
def test_a_scalp_without_its_fat_is_told(scalp: float, shown: bool) -> None:
    values = np.where(HEAD, scalp, 0.0)
    values[(RADIUS >= 62) & (RADIUS < 71)] = 10.0
    values[BRAIN] = 100.0
    grid = Grid(values.astype(np.float32), np.ones(SHAPE, bool), np.diag([4.0, 4.0, 4.0, 1.0]))
    head = Head(grid, HEAD, Modality.MR, 5.0)
    below = depth(HEAD, 4.0)
    share = scalp_shown(head, below, Z > 20)
    assert (share >= SCALP_MINIMUM) is shown
    assert scalp_shown(head, below, Z > 75) == 1.0, "too little of the vault is in view"
    assert scalp_shown(head, below, (Z > 20) & (below > 8)) == 1.0, "no skin is in view"
