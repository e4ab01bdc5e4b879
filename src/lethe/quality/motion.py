"""How far each slice is shifted against the one before: anatomy drifts, a moved head jumps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.fft as fft
import scipy.ndimage as ndi
from numpy.typing import NDArray

Shift = tuple[float, float]

_GRID_MM = 2.0
_REACH_MM = 30.0
_NEIGHBOURS = 2


def outline(plane: NDArray[Any], threshold: float, pixel_mm: Shift) -> NDArray[np.float32]:
    """Return the edges of a slice on a grid of about 2 mm, faded out towards the borders.

    Parameters
    ----------
    plane : NDArray, shape (rows, columns)
        Physical values.
    threshold : float
        Values below are air; bright extremes are clipped, so that metal does not count more than skin.
    pixel_mm : tuple of float
        Distance of rows and of columns.
    """
    steps = [max(1, round(_GRID_MM / mm)) for mm in pixel_mm]
    rows, columns = (size // step * step for size, step in zip(plane.shape, steps, strict=True))
    blocks = plane[:rows, :columns].reshape(rows // steps[0], steps[0], columns // steps[1], steps[1])
    coarse = blocks.mean(axis=(1, 3), dtype=np.float64)
    body = coarse[coarse > threshold]
    high = float(np.percentile(body, 90)) if body.size else threshold
    edges = ndi.gaussian_gradient_magnitude(np.clip(coarse, threshold, max(high, threshold + 1e-6)), 1.0)
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in edges.shape))
    return np.asarray(edges * np.sqrt(window), np.float32)


def shift_between(before: NDArray[np.float32], after: NDArray[np.float32], cell_mm: Shift) -> Shift | None:
    """Return by how many mm `after` lies further down and right than `before`; None without edges."""
    if not before.any() or not after.any():
        return None
    one, two = before - before.mean(), after - after.mean()
    product = fft.irfft2(np.conj(fft.rfft2(one)) * fft.rfft2(two), s=one.shape)
    reach = [min(size // 2 - 1, int(_REACH_MM / mm)) for size, mm in zip(one.shape, cell_mm, strict=True)]
    near = np.roll(product, reach, axis=(0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]
    down, right = np.unravel_index(int(near.argmax()), near.shape)
    return (float(down) - reach[0]) * cell_mm[0], (float(right) - reach[1]) * cell_mm[1]


def cell_size(pixel_mm: Shift) -> Shift:
    """Return the size of a grid cell of `outline` in mm."""
    return (
        pixel_mm[0] * max(1, round(_GRID_MM / pixel_mm[0])),
        pixel_mm[1] * max(1, round(_GRID_MM / pixel_mm[1])),
    )


def largest_jump(shifts: Sequence[Shift | None]) -> float:
    """Return the largest difference in mm of a shift from the usual one around it.

    Parameters
    ----------
    shifts : sequence of tuple or None
        From each slice to the next.
    """
    known = np.array([shift for shift in shifts if shift is not None])
    if len(known) < 2 * _NEIGHBOURS + 1:
        return 0.0
    usual = ndi.median_filter(known, size=(2 * _NEIGHBOURS + 1, 1), mode="nearest")
    return float(np.linalg.norm(known - usual, axis=1).max())
