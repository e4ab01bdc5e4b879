"""A sheet of thumbnails: a dozen slices of a series on one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLUMNS, ROWS, TILE = 4, 3, 192
CT_WINDOW = (-60.0, 140.0)
"""HU from black to white: wide enough for brain, blood and the rim of the skull."""


def chosen_slices(count: int) -> list[int]:
    """Return which of `count` slices are shown, evenly spread, first and last left out where possible."""
    wanted = min(count, COLUMNS * ROWS)
    return [int((number + 0.5) * count / wanted) for number in range(wanted)]


def upright(
    plane: NDArray[Any], orientation: Sequence[float], pixel_mm: tuple[float, float]
) -> tuple[NDArray[Any], tuple[float, float]]:
    """Turn a slice as radiologists look at it: front or vertex at the top, patient's left at the right.

    Parameters
    ----------
    plane : NDArray, shape (rows, columns)
    orientation : sequence of float
        ImageOrientationPatient: direction of rows and of columns in LPS.
    pixel_mm : tuple of float
        Distance of rows and of columns.

    Returns
    -------
    NDArray, tuple of float
        The slice, mirrored or transposed only, and the distance of its rows and columns.
    """
    directions = np.array([orientation[3:], orientation[:3]], float)  # of growing row, of growing column
    axes = [int(np.abs(direction).argmax()) for direction in directions]
    # Sagittal: z down, y to the right. Others: x to the right, and y (axial) or z (coronal) down.
    if axes[1] > axes[0]:
        plane, directions, axes = plane.T, directions[::-1], axes[::-1]
        pixel_mm = (pixel_mm[1], pixel_mm[0])
    wanted = [-1.0 if axis == 2 else 1.0 for axis in axes]
    steps = [
        1 if direction[axis] * sign >= 0 else -1
        for direction, axis, sign in zip(directions, axes, wanted, strict=True)
    ]
    return plane[:: steps[0], :: steps[1]], pixel_mm


def thumbnail_sheet(
    planes: Sequence[NDArray[Any]], pixel_mm: tuple[float, float], window: tuple[float, float] | None
) -> bytes:
    """Return a PNG with the planes side by side, in true proportions.

    Parameters
    ----------
    planes : sequence of NDArray, shape (rows, columns)
        At most `COLUMNS` x `ROWS` slices in physical values.
    pixel_mm : tuple of float
        Distance of rows and of columns.
    window : tuple of float, optional
        Values of black and white; taken from the planes when left out.
    """
    if window is None:
        values = np.concatenate([np.ravel(plane)[::7] for plane in planes])
        low, high = (float(v) for v in np.percentile(values, (1, 99)))
    else:
        low, high = window
    sheet = Image.new("L", (COLUMNS * TILE, ROWS * TILE))
    for number, plane in enumerate(planes):
        grey = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
        tile = Image.fromarray(grey.astype(np.uint8))
        tall, wide = plane.shape[0] * pixel_mm[0], plane.shape[1] * pixel_mm[1]
        scale = (TILE - 4) / max(tall, wide, 1e-6)
        size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
        left = number % COLUMNS * TILE + (TILE - size[0]) // 2
        top = number // COLUMNS * TILE + (TILE - size[1]) // 2
        sheet.paste(tile.resize(size, Image.Resampling.BILINEAR), (left, top))
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=False)
    return stream.getvalue()
