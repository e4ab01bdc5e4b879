"""A face that stays where the pose says the forehead is: no other measure asks there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.image.deface.align import Alignment
from lethe.image.deface.bumps import FACE_Z, FOREHEAD_Z, bumps_left, skin_ahead
from lethe.image.deface.front import Front
from lethe.image.deface.grid import Grid
from lethe.image.deface.head import Head
from lethe.image.deface.judge import BUMPS_MAXIMUM_CM2, Effect, Expectation, Verdict, faceless, verdict
from lethe.image.deface.morph import Mask
from lethe.image.deface.plug import solid_head
from lethe.image.deface.scene import Modality

POSE = Alignment(np.eye(4), 1.2, 1.0, (1.0, 1.0, 1.0), 1.0, turned=False)


def head(nose_z: float | None = None, height: float = 18.0, reach: float = 140.0) -> tuple[Grid, Mask]:
    """Draw an egg in MNI millimetres, with a nose whose root lies at `nose_z`; `reach`: end of the data."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-90.0, -120.0, -150.0)
    shape = (91, int((reach + 120.0) / 2.0), 125)
    grid = Grid(np.zeros(shape, np.float32), np.ones(shape, bool), affine)
    x, y, z = grid.coordinates(np.eye(4))
    solid = (x / 76.0) ** 2 + ((y + 15.0) / 105.0) ** 2 + ((z + 25.0) / 110.0) ** 2 < 1.0
    if nose_z is not None:
        skin = 105.0 * np.sqrt(np.clip(1.0 - (x / 76.0) ** 2 - ((z + 25.0) / 110.0) ** 2, 0.0, 1.0)) - 15.0
        down = np.clip((nose_z - z) / 40.0, 0.0, 1.0)
        solid |= (np.abs(x) < 6.0 + 6.0 * down) & (z > nose_z - 40.0) & (y > 0) & (y < skin + height * down)
    return grid, np.asarray(solid)


def bumps(grid: Grid, before: Mask, after: Mask, lowest: float = FOREHEAD_Z) -> float:
    return bumps_left(skin_ahead(grid, before, POSE), skin_ahead(grid, after, POSE), lowest)


@pytest.mark.requirement("M-24")
def test_a_nose_on_the_forehead_is_seen_and_a_forehead_is_smooth() -> None:
    grid, smooth = head()
    _, nosed = head(nose_z=10.0)
    assert bumps(grid, smooth, smooth) == 0.0
    assert bumps(grid, nosed, nosed) > BUMPS_MAXIMUM_CM2


@pytest.mark.requirement("M-24")
def test_a_nose_that_goes_leaves_no_bump_and_one_below_is_asked_only_of_the_whole_face() -> None:
    grid, smooth = head()
    _, nosed = head(nose_z=-45.0)
    _, _, z = grid.coordinates(np.eye(4))
    assert bumps(grid, nosed, smooth & ~(nosed & (z < -30.0))) == 0.0
    assert bumps(grid, nosed, nosed) == 0.0
    assert bumps(grid, nosed, nosed, FACE_Z) > BUMPS_MAXIMUM_CM2


@settings(derandomize=True, deadline=None, max_examples=8)
@given(reach=st.floats(60.0, 96.0))
def test_where_the_data_end_there_is_no_bump(reach: float) -> None:
    grid, cut = head(nose_z=10.0, reach=reach)
    smooth_grid, smooth = head(reach=reach)
    assert bumps(smooth_grid, smooth, smooth) == 0.0
    if reach < 88.0:  # all of the nose lies beyond
        assert bumps(grid, cut, cut) == 0.0


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize(("bumps", "expected"), [(2.0, Verdict.PASS), (5.0, Verdict.REVIEW)])
def test_a_forehead_with_a_nose_is_for_a_person(bumps: float, expected: Verdict) -> None:
    found = verdict(expectation(2.0), Effect(0, 9.0, 1.0, 1.0, 1.0, 100.0, bumps), [])
    assert found[0] is expected
    assert ("forehead-uneven" in found[1]) is (expected is Verdict.REVIEW)


def expectation(recession: float, bumps: float = 0.0, face_cm2: float = 200.0) -> Expectation:
    expected = np.full(100, 100.0, np.float32)
    front = Front(expected, expected - np.float32(recession))
    skin, outline = np.ones((1, 1, 1), bool), np.zeros((1, 1), np.float32)
    return Expectation(face_cm2, 0.8, front, skin, skin, 0.2, 0.0, True, outline, bumps)


@pytest.mark.requirement("L-04")
@pytest.mark.parametrize(
    ("recession", "bumps", "reason"),
    [
        (20.0, 0.0, "already-defaced"),
        (20.0, 5.0, None),  # a whole face under a large brain case was passed on unchanged
        (40.0, 8.0, "already-defaced"),  # the rough cuts of other tools
        (4.0, 0.0, None),
    ],
)
def test_a_face_far_back_is_told_from_one_that_is_gone(
    recession: float, bumps: float, reason: str | None
) -> None:
    assert faceless(expectation(recession, bumps)) == reason


@pytest.mark.requirement("L-04")
def test_an_image_that_should_show_no_face_is_not_passed_on_with_a_nose() -> None:
    assert faceless(expectation(4.0, face_cm2=1.0)) == "face-not-in-view"
    assert faceless(expectation(4.0, bumps=5.0, face_cm2=1.0)) is None


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize("border", [9, 12, 20])
def test_air_beside_a_head_is_no_opening_of_it(border: int) -> None:
    """Pieces of filling floated beside the temples, where the grid ends soon after the head."""
    grid, solid = head()
    places = np.argwhere(solid)
    low, high = places.min(axis=0) - border, places.max(axis=0) + border + 1
    window = tuple(slice(max(0, a), b) for a, b in zip(low, high, strict=True))
    cut, mask = grid.crop(np.maximum(low, 0), high), solid[window]
    drawn = Head(
        replace(cut, values=np.where(mask, 40.0, -1000.0).astype(np.float32)), mask, Modality.CT, -250.0
    )
    assert not (solid_head(drawn) & ~mask).any()
