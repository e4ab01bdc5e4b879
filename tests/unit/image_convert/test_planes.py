from __future__ import annotations

import numpy as np
import pytest

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
