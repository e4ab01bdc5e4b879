"""From the voxels of a file to a small grid in scanner directions, and points between the two.

All thinking is done on a grid of 2 mm with axes right, anterior, superior (RAS); the file is touched only to
read it once and to write it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from lethe.errors import Refused

from .io import Volume
from .morph import Mask

SPACING_MM = 2.0

Array2 = NDArray[np.float32]
Array3 = NDArray[np.float32]
Affine = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """An image on axes right, anterior, superior with equal spacing.

    Attributes
    ----------
    values : ndarray of float32, shape (nx, ny, nz)
    valid : ndarray of bool, same shape
        Where the file really has data: oblique volumes leave corners that are nothing, not air.
    affine : ndarray, shape (4, 4)
        Grid indices to scanner millimetres.
    """

    values: Array3
    valid: Mask
    affine: Affine

    @property
    def spacing(self) -> float:
        """Distance between neighbouring grid points, mm."""
        return float(self.affine[0, 0])

    @property
    def voxel_ml(self) -> float:
        """Volume of one grid cell, millilitres."""
        return self.spacing**3 / 1000.0

    def crop(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> Grid:
        """Return the part with indices from `low` up to, not including, `high`."""
        window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ low
        return Grid(self.values[window], self.valid[window], affine)

    def carry(self, other: Array3, other_affine: Affine, to_other: Affine, *, outside: float = 0.0) -> Array3:
        """Sample `other` at the grid points; `to_other` maps scanner mm to the mm of `other_affine`."""
        matrix = np.linalg.inv(other_affine) @ to_other @ self.affine
        return np.asarray(
            ndi.affine_transform(
                np.ascontiguousarray(other),  # much faster than in the order of a file
                matrix[:3, :3],
                matrix[:3, 3],
                output_shape=self.values.shape,
                order=1,
                cval=outside,
                prefilter=False,
            ),
            np.float32,
        )

    def coordinates(self, to_space: Affine) -> tuple[Array3, Array3, Array3]:
        """Return x, y, z of every grid point after `to_space`."""
        matrix = (to_space @ self.affine).astype(np.float32)
        i, j, k = (np.arange(n, dtype=np.float32) for n in self.values.shape)
        found = [
            (row[0] * i)[:, None, None] + (row[1] * j)[None, :, None] + (row[2] * k + row[3])[None, None, :]
            for row in matrix[:3]
        ]
        return found[0], found[1], found[2]


class Reducer:
    """Averages blocks of voxels while the slabs of a file pass by.

    Block averages are the anti-alias filter: 0.43 mm voxels are averaged 4 x 4, a 5 mm slice is left alone.

    Parameters
    ----------
    volume : Volume
    target_mm : float
        Blocks are as large as fits into this length along each axis.
    """

    def __init__(self, volume: Volume, target_mm: float) -> None:
        self._volume = volume
        self._factors = np.maximum(1, np.floor(target_mm / volume.spacing + 0.2)).astype(int)
        shape = [-(-n // f) for n, f in zip(volume.spatial_shape, self._factors, strict=True)]
        self._sums = np.zeros(shape, np.float32, order="F")
        self._counts = [
            np.bincount(np.arange(n) // f, minlength=m).astype(np.float32)
            for n, f, m in zip(volume.spatial_shape, self._factors, shape, strict=True)
        ]

    def add(self, start: int, values: Array3) -> None:
        """Take the slices from number `start` on."""
        for axis in (0, 1):
            values = _block_sum(values, int(self._factors[axis]), axis)
        for number in range(values.shape[2]):
            self._sums[:, :, (start + number) // self._factors[2]] += values[:, :, number]

    def result(self) -> tuple[Array3, Affine]:
        """Return the averages and the affine of the blocks."""
        a, b, c = self._counts
        means = (self._sums.T / (c[:, None, None] * b[:, None] * a)).T  # in the order of the file
        blocks = np.diag([*self._factors.astype(float), 1.0])
        blocks[:3, 3] = (self._factors - 1) / 2.0
        return means, self._volume.affine @ blocks


def _block_sum(values: Array3, factor: int, axis: int) -> Array3:
    if factor == 1:
        return values
    length = -(-values.shape[axis] // factor)
    shape = list(values.shape)
    shape[axis] = length
    total = np.zeros(shape, np.float32, order="F")
    for offset in range(factor):
        part = values[(slice(None),) * axis + (slice(offset, None, factor),)]
        total[(slice(None),) * axis + (slice(0, part.shape[axis]),)] += part
    return total


def sample(
    field: Array3,
    linear: Affine,
    offset: NDArray[np.float64],
    shape: tuple[int, ...],
    mode: Literal["constant", "nearest"],
) -> Array3:
    """Sample trilinearly; a plain scaling of the axes is done axis by axis, which is much faster.

    Parameters
    ----------
    field : ndarray of float32
    linear : ndarray, shape (3, 3)
    offset : ndarray, shape (3,)
        Index of the result to index of `field`: ``linear @ index + offset``.
    shape : tuple of int
        Of the result.
    mode : {"constant", "nearest"}
        Beyond the field lies 0, or the value at its border.
    """
    order = np.abs(linear).argmax(axis=0)
    straight = np.zeros_like(linear)
    straight[order, range(3)] = linear[order, range(3)]
    if len(set(order.tolist())) == 3 and np.allclose(linear, straight, atol=1e-6):
        turned = np.transpose(field, order)
        steps = [
            _Steps.of(straight[o, a] * np.arange(shape[a]) + offset[o], field.shape[o])
            for a, o in enumerate(order)
        ]
        turned = turned[tuple(slice(s.low.min(), s.low.max() + 2) for s in steps)].T
        # the last axis last: whole planes of a file in Fortran order are copied at once
        for axis in range(3):
            turned = _along(turned, 2 - axis, steps[axis], mode)
        return np.asarray(turned.T, np.float32)
    return np.asarray(
        ndi.affine_transform(field, linear, offset, output_shape=shape, order=1, mode=mode, prefilter=False)
    )


@dataclass(frozen=True, slots=True)
class Box:
    """Points of equal distance in another space, to measure a head there.

    Attributes
    ----------
    low, high : tuple of float
        First and last point, mm.
    step : float
        Distance of neighbours, mm.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    step: float

    def places(self, axis: int) -> NDArray[np.float64]:
        """Return the coordinates (mm) along one axis."""
        count = int((self.high[axis] - self.low[axis]) / self.step) + 1
        return np.asarray(self.low[axis] + self.step * np.arange(count), np.float64)

    def of(self, values: Array3, affine: Affine, to_box: Affine) -> Array3:
        """Sample trilinearly; beyond the values lies 0.

        Parameters
        ----------
        values : ndarray of float32
        affine : ndarray, shape (4, 4)
            Index of `values` to millimetres.
        to_box : ndarray, shape (4, 4)
            Those millimetres to the millimetres of the box.
        """
        points = np.diag([self.step, self.step, self.step, 1.0])
        points[:3, 3] = self.low
        matrix = np.linalg.inv(affine) @ np.linalg.inv(to_box) @ points
        shape = tuple(len(self.places(axis)) for axis in range(3))
        linear, offset = matrix[:3, :3], matrix[:3, 3]
        return np.asarray(
            ndi.affine_transform(values, linear, offset, output_shape=shape, order=1, prefilter=False),
            np.float32,
        )

    def solid(self, mask: Mask, affine: Affine, to_box: Affine) -> Mask:
        """Sample a mask."""
        return np.asarray(self.of(mask.astype(np.float32), affine, to_box) > 0.5)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Places along one axis: the index below, the share of the one above, and whether they are inside."""

    low: NDArray[np.intp]
    share: Array3
    inside: Array3

    @classmethod
    def of(cls, places: NDArray[np.float64], length: int) -> _Steps:
        inside = np.clip(places, 0, length - 1)
        low = np.minimum(inside.astype(np.intp), max(length - 2, 0))
        return cls(low, (inside - low).astype(np.float32), (inside == places).astype(np.float32))


def _along(field: Array3, axis: int, steps: _Steps, mode: str) -> Array3:
    """Sample along one axis of a field that begins at the lowest place."""
    low = steps.low - steps.low.min()
    row = tuple(slice(None) if a == axis else None for a in range(3))
    found: Array3 = np.take(field, low, axis)
    rise = np.take(field, np.minimum(low + 1, field.shape[axis] - 1), axis)
    rise -= found
    rise *= steps.share[row]
    found += rise
    if mode == "constant":
        found *= steps.inside[row]
    return found


def to_grid(
    means: Array3, affine: Affine, *, air: float, spacing: float = SPACING_MM, exact: bool = True
) -> Grid:
    """Resample block averages to a grid in scanner directions.

    Parameters
    ----------
    means : ndarray of float32, shape (nx, ny, nz)
    affine : ndarray, shape (4, 4)
        Block indices to scanner millimetres.
    air : float
        Value outside the data.
    spacing : float
        Spacing of the grid, mm.
    exact : bool
        False for pictures, which may differ in the last bit and are made sooner.

    Returns
    -------
    Grid
    """
    shape = np.asarray(means.shape)
    corners = np.array([[x, y, z, 1.0] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners[:, :3] *= shape - 1
    places = (corners @ affine.T)[:, :3]
    low, high = places.min(axis=0), places.max(axis=0)
    size = np.ceil((high - low) / spacing).astype(int) + 1
    if size.prod() > 60_000_000:
        raise Refused(
            "too-large",
            "The image covers far more than a head.",
            remedy="Cut the series to head and neck, then start again.",
        )
    target = np.diag([spacing, spacing, spacing, 1.0])
    target[:3, 3] = low
    matrix: Affine = np.asarray(np.linalg.inv(affine) @ target, np.float64)
    blur = np.maximum(0.0, (spacing / np.sqrt((affine[:3, :3] ** 2).sum(axis=0)) - 1.0) * 0.4)
    # a narrower one has a single point
    soft = ndi.gaussian_filter(means, blur) if blur.max() >= 0.125 else means
    if exact:
        values = ndi.affine_transform(
            np.ascontiguousarray(soft),
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=tuple(size),
            order=1,
            mode="nearest",
            prefilter=False,
        )
    else:
        values = sample(soft, matrix[:3, :3], matrix[:3, 3], tuple(size), "nearest")
    valid = _inside(matrix, tuple(int(n) for n in size), shape)
    values[~valid] = air
    return Grid(np.asarray(values, np.float32), valid, target)


def _inside(matrix: Affine, size: tuple[int, ...], shape: NDArray[np.int64]) -> Mask:
    i, j, k = (np.arange(n, dtype=np.float32) for n in size)
    inside = np.ones(size, bool)
    for row, length in zip(matrix[:3].astype(np.float32), shape, strict=True):
        place: NDArray[Any] = (row[0] * i)[:, None, None] + (row[1] * j)[None, :, None]
        place = place + (row[2] * k + row[3])[None, None, :]
        inside &= (place >= -0.5) & (place <= length - 0.5)
    return inside
