from __future__ import annotations

import numpy as np
import pytest

from lethe.image.conserve import same_integers
from lethe.image.layout import Layout


@pytest.mark.requirement("L-15")
@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_looking_at_a_slice_copies_nothing_so_that_long_series_take_linear_time(slice_axis: int) -> None:
    column, row = (axis for axis in range(3) if axis != slice_axis)
    layout = Layout(column, row, slice_axis, True, False)
    voxels = np.asfortranarray(np.arange(24).reshape(2, 3, 4, 1))
    plane = layout.plane(voxels, 1, 0)
    assert np.shares_memory(plane, voxels)
    assert np.array_equal(plane, np.take(voxels[..., 0], 1, axis=slice_axis).T[:, ::-1])


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize(
    "kinds", [("<i2", "<i2"), ("<u2", "<i2"), (">i2", "<i2"), ("u1", "<i2"), ("u1", "i1")]
)
@pytest.mark.parametrize("shape", [(6, 8), (3, 5)])
def test_planes_are_equal_when_every_number_is(kinds: tuple[str, str], shape: tuple[int, int]) -> None:
    numbers = np.arange(np.prod(shape)).reshape(shape)
    one, other = (numbers.astype(kind)[::-1] for kind in kinds)
    assert same_integers(one, other)
    assert same_integers(one.T, other.T)
    other[2, 3] += 1
    assert not same_integers(one, other)
    other[2, 3] -= 1
    one[1, 1] = -1 if "i" in kinds[0] else np.iinfo(kinds[0]).max
    other[1, 1] = -1
    assert same_integers(one, other) == ("i" in kinds[0])
