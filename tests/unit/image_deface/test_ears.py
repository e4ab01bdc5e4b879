"""The ears go, however they lie, and nothing of their relief stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.image.deface.ears import beside_ears, ears, level, share_removed, skin, smooth_side
from lethe.image.deface.grid import Array3, Grid
from lethe.image.deface.head import Head
from lethe.image.deface.morph import Mask
from lethe.image.deface.scene import Modality

MM = 2.0


def side_of_a_head(
    stands_out: float, width: float, groove: float, reach: float = 100.0
) -> tuple[Head, Mask, tuple[Array3, Array3, Array3]]:
    """Draw an egg in MNI millimetres with two ears that are rings about a groove; the data end at `reach`."""
    affine = np.diag([MM, MM, MM, 1.0])
    affine[:3, 3] = (-reach, -100.0, -120.0)
    shape = (int(2.0 * reach / MM) + 1, 95, 95)
    grid = Grid(np.zeros(shape, np.float32), np.ones(shape, bool), affine)
    x, y, z = grid.coordinates(np.eye(4))
    egg = np.hypot(x / 76.0, np.hypot(y / 90.0, z / 90.0))
    out = (egg - 1.0) * 76.0
    about = np.hypot(y + 20.0, z + 30.0)
    ear = (np.abs(x) > 40.0) & (about < width) & (out < stands_out)
    hollow = (np.abs(x) > 40.0) & (about < width / 3.0) & (out > -groove)
    head = Head(grid, ((egg < 1.0) | ear) & ~hollow, Modality.CT, -250.0)
    return head, np.asarray(ear & (egg >= 1.0) & ~hollow), (x, y, z)


@pytest.mark.requirement("M-24")
@settings(derandomize=True, deadline=None, max_examples=5)
@given(
    stands_out=st.floats(4.0, 20.0),
    width=st.floats(12.0, 16.0),
    groove=st.floats(2.0, 12.0),
    reach=st.sampled_from([74.0, 78.0, 82.0, 100.0]),
)
def test_an_ear_goes_whole_and_the_new_side_is_that_of_the_head(
    stands_out: float, width: float, groove: float, reach: float
) -> None:
    head, ear, (x, y, z) = side_of_a_head(stands_out, width, groove, reach)
    side = smooth_side(head)
    removed = beside_ears(x, y, z) & skin(side)
    assert (ear & ~removed).sum() <= 0.1 * ear.sum()  # under the new side, if anything
    new = level(side, np.full(side.shape, -50.0, np.float32), MM) > 0.5
    solid = np.where(removed, new, head.mask)
    # seen from both sides there is the head, less a shallow hollow: no ear, no groove
    deepest = 76.0 * (np.hypot(x / 76.0, np.hypot(y / 90.0, z / 90.0)) - 1.0)
    rays = (np.hypot(y + 20.0, z + 30.0) < width)[0]
    for seen, height in ((solid, deepest), (solid[::-1], deepest[::-1])):
        first = np.take_along_axis(height, seen.argmax(axis=0)[None], axis=0)[0][rays]
        assert first.min() > -10.0
        assert first.max() < 5.0


def test_the_new_side_ends_at_the_cut_of_the_face() -> None:
    head, _, (_, y, _) = side_of_a_head(8.0, 16.0, 4.0)
    new = level(smooth_side(head), y, MM) > 0.5
    assert not new[y > 3.0].any()
    assert new[y < -3.0].any()


def test_places_an_ear_may_reach_lie_at_both_sides_and_not_in_front() -> None:
    x, y, z = (np.array(n, np.float32) for n in ([70.0, -70.0, 0.0, 70.0], [-20.0] * 3 + [40.0], [-40.0] * 4))
    assert beside_ears(x, y, z).tolist() == [True, True, False, False]


@pytest.mark.requirement("M-24")
def test_an_ear_that_stays_is_measured_and_a_head_without_ears_has_no_share() -> None:
    head, drawn, places = side_of_a_head(14.0, 16.0, 0.0)
    found = ears(smooth_side(head), *places) & head.mask
    assert (found & drawn).sum() > 0.7 * drawn.sum()
    volume = MM**3 / 1000.0
    assert share_removed(found, np.zeros_like(found), volume) == 0.0
    assert share_removed(found, found, volume) == 1.0
    assert share_removed(found & False, found, volume) is None
