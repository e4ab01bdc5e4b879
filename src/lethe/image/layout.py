"""How the planes of a series lie in the voxel grid of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.frames import Frame

RAS = np.array([-1.0, -1.0, 1.0])
"""Turns LPS millimetres of DICOM into RAS millimetres of NIfTI, and back."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which axes of an image are columns, rows and slices of the scanner, and which run backwards."""

    column_axis: int
    row_axis: int
    slice_axis: int
    flip_columns: bool
    flip_rows: bool

    def plane(self, voxels: NDArray[Any], k: int, t: int) -> NDArray[Any]:
        """Return slice k of time t as rows x columns of the scanner."""
        # a view: np.take would copy the whole volume of an image in Fortran order for every slice
        part = np.moveaxis(voxels[..., t], self.slice_axis, 0)[k]
        if self.row_axis > self.column_axis:
            part = part.T
        plane: NDArray[Any] = part[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return plane


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plane lies in an image: its slice index, and how far off its corners are in mm."""

    k: int
    miss_mm: float


class Lattice:
    """The voxel grid of an image, asked for the places of planes.

    Parameters
    ----------
    affine : NDArray, shape (4, 4)
        Voxel index to RAS mm.
    shape : tuple of int
        Lengths of the axes; the first three count.
    like : Frame
        Any plane of the series: all are parallel.
    """

    def __init__(self, affine: NDArray[np.float64], shape: tuple[int, ...], like: Frame) -> None:
        self.layout = layout = layout_of(like, affine)
        self._shape = shape
        # Plain numbers from here on: `place` is asked for thousands of planes one by one.
        self._along: list[float] = np.linalg.inv(affine)[layout.slice_axis].tolist()
        self._step: list[float] = affine[:3, layout.slice_axis].tolist()
        last_column, last_row = shape[layout.column_axis] - 1, shape[layout.row_axis] - 1
        ends = np.zeros((3, 4))
        ends[:, 3] = 1
        for number, (row, column) in enumerate(((0, 0), (0, last_column), (last_row, 0))):
            ends[number, layout.column_axis] = last_column - column if layout.flip_columns else column
            ends[number, layout.row_axis] = last_row - row if layout.flip_rows else row
        self._corners: list[list[float]] = (ends @ affine.T)[:, :3].tolist()

    @property
    def slices(self) -> int:
        """Number of slices of one volume."""
        return self._shape[self.layout.slice_axis]

    def place(self, frame: Frame) -> Place | None:
        """Return the nearest slice to `frame`, or None when it has another size or lies outside."""
        layout, shape, along = self.layout, self._shape, self._along
        if (shape[layout.row_axis], shape[layout.column_axis]) != (frame.rows, frame.columns):
            return None
        corners = corners_of(frame)
        index = [along[0] * x + along[1] * y + along[2] * z + along[3] for x, y, z in corners]
        k = round(sum(index) / len(index))
        if not 0 <= k < shape[layout.slice_axis]:
            return None
        pairs = zip(corners, self._corners, strict=True)
        return Place(k, max(_distance(corner, end, k, self._step) for corner, end in pairs))


Point = tuple[float, float, float]


def _distance(corner: Point, end: Sequence[float], k: int, step: Sequence[float]) -> float:
    return math.dist(corner, [end[0] + k * step[0], end[1] + k * step[1], end[2] + k * step[2]])


def corners_of(frame: Frame) -> tuple[Point, Point, Point]:
    """Return the RAS mm of the first pixel, the last of its row and the last of its column."""
    if frame.position is None or frame.orientation is None:
        raise ValueError("frame without plane")
    between_rows, between_columns = frame.spacing or (1.0, 1.0)
    x, y, z = frame.position
    a, b, c, d, e, f = frame.orientation
    right, down = between_columns * (frame.columns - 1), between_rows * (frame.rows - 1)
    return (
        (-x, -y, z),
        (-x - a * right, -y - b * right, z + c * right),
        (-x - d * down, -y - e * down, z + f * down),
    )


def layout_of(frame: Frame, affine: NDArray[np.float64]) -> Layout:
    """Return how planes like `frame` lie in an image with this affine.

    Raises
    ------
    Refused
        ``geometry-changed`` when the axes do not belong to each other.
    """
    try:
        inverse = np.linalg.inv(affine[:3, :3])
    except np.linalg.LinAlgError as error:
        raise _turned() from error
    direction, spacing = np.array(frame.orientation), frame.spacing or (1.0, 1.0)
    along_row = inverse @ (RAS * direction[:3] * spacing[1])
    along_column = inverse @ (RAS * direction[3:] * spacing[0])
    column_axis, row_axis = int(np.argmax(np.abs(along_row))), int(np.argmax(np.abs(along_column)))
    if column_axis == row_axis:
        raise _turned()
    return Layout(
        column_axis,
        row_axis,
        3 - column_axis - row_axis,
        bool(along_row[column_axis] < 0),
        bool(along_column[row_axis] < 0),
    )


def _turned() -> Refused:
    return Refused(
        "geometry-changed",
        "The conversion turned the slices, or lost their order.",
        remedy="The series stays DICOM; report the case with the kind of scanner.",
    )
