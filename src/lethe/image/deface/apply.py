"""The decision of the 2 mm grid carried to the voxels of the file, slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .grid import Affine, Array3, Grid, Reducer
from .io import Volume, slabs
from .morph import Mask
from .pack import Sink
from .plug import Plug
from .scene import Scene
from .wall import SOFT_MM

REMOVED, PLUGGED = 1, 2
SHARES = 16  # labels from PLUGGED + 1: removed, and so many sixteenths of the voxel filled with tissue
# how the mask file shows them
_IN_MASK = np.minimum(np.arange(PLUGGED + SHARES + 1), PLUGGED).astype(np.uint8)
_FAR_MM = 400.0
_STEP_VOXELS = 4_000_000

_Mode = Literal["constant", "nearest"]

Labels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stencil:
    """What to do with each voxel of the file, stored for a bounding box only.

    Attributes
    ----------
    low : tuple of int
        First voxel of the box.
    labels : ndarray of uint8
        1 removed, 2 filled where it was air, more: removed, and filled in part; 0 untouched. `apply` clears
        the 2 where the first volume holds no air.
    """

    low: tuple[int, int, int]
    labels: Labels

    def slab(self, start: int, count: int) -> tuple[tuple[slice, slice, slice], Labels] | None:
        """Return the window inside a slab of `count` slices and its labels, or None when they do not meet."""
        first = max(start, self.low[2])
        last = min(start + count, self.low[2] + self.labels.shape[2])
        if first >= last:
            return None
        x, y, z = self.low
        window = (
            slice(x, x + self.labels.shape[0]),
            slice(y, y + self.labels.shape[1]),
            slice(first - start, last - start),
        )
        return window, self.labels[:, :, first - z : last - z]


def make_stencil(volume: Volume, grid: Grid, remove: Array3, plug: Plug) -> Stencil:
    """Sample the masks of the grid at the voxels of the file.

    Parameters
    ----------
    volume : Volume
    grid : Grid
        The grid of both.
    remove : ndarray of float32
        Above 0.5 is removed. Sideways and forward this goes on beyond the grid: ghosts of the face lie there.
    plug : Plug
        What may be filled.

    Returns
    -------
    Stencil
    """
    low, high = _box(volume, grid, (remove > 0.5) | plug.fill)
    labels = np.zeros(np.maximum(high - low, 0), np.uint8, order="F")
    matrix = np.linalg.inv(grid.affine) @ volume.affine
    slope = SOFT_MM / float(np.abs(volume.affine[1, :3]).sum())
    fill = plug.fill.astype(np.float32)
    step = max(1, _STEP_VOXELS // max(1, labels.shape[0] * labels.shape[1]))
    for start in range(0, labels.shape[2], step):
        part = labels[:, :, start : start + step]
        corner = matrix[:3, 3] + matrix[:3, :3] @ (low + np.array([0, 0, start]))
        part[_sample(fill, matrix[:3, :3], corner, part.shape, "constant") > 0.5] = PLUGGED
        removed = _sample(remove, matrix[:3, :3], corner, part.shape, "nearest") > 0.5
        # voxels that the surface passes through are filled in part, or thick slices would show it in steps
        level = _sample(plug.level, matrix[:3, :3], corner, part.shape, "constant") - np.float32(0.5)
        shares = np.rint(np.clip(level * np.float32(slope) + 0.5, 0.0, 1.0) * SHARES).astype(np.uint8)
        np.copyto(part, REMOVED + shares + (shares > 0), where=removed)
    return Stencil((int(low[0]), int(low[1]), int(low[2])), labels)


def _sample(
    field: NDArray[np.float32],
    linear: Affine,
    offset: NDArray[np.float64],
    shape: tuple[int, ...],
    mode: _Mode,
) -> NDArray[np.float32]:
    """Trilinear sampling; a plain scaling of the axes is done axis by axis, which is much faster."""
    order = np.abs(linear).argmax(axis=0)
    straight = np.zeros_like(linear)
    straight[order, range(3)] = linear[order, range(3)]
    if len(set(order.tolist())) == 3 and np.allclose(linear, straight, atol=1e-6):
        turned = np.transpose(field, order)
        for axis in (2, 1, 0):
            places = straight[order[axis], axis] * np.arange(shape[axis]) + offset[order[axis]]
            turned = _along(turned, axis, places, mode)
        return turned
    return np.asarray(
        ndi.affine_transform(field, linear, offset, output_shape=shape, order=1, mode=mode, prefilter=False)
    )


def _along(
    field: NDArray[np.float32], axis: int, places: NDArray[np.float64], mode: _Mode
) -> NDArray[np.float32]:
    """Sample along one axis."""
    last = field.shape[axis] - 1
    inside = np.clip(places, 0, last)
    low = np.minimum(inside.astype(np.intp), max(last - 1, 0))
    row = tuple(slice(None) if a == axis else None for a in range(3))
    share = (inside - low).astype(np.float32)[row]
    found = np.take(field, low, axis)
    found += (np.take(field, np.minimum(low + 1, last), axis) - found) * share
    if mode == "constant":
        found *= (inside == places).astype(np.float32)[row]
    return np.asarray(found, np.float32)


def _box(volume: Volume, grid: Grid, mask: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    shape = np.asarray(volume.spatial_shape)
    if not mask.any():
        return np.zeros(3, np.int64), np.zeros(3, np.int64)
    low, high = np.empty(3), np.empty(3)
    for axis in range(3):
        hits = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        low[axis], high[axis] = hits[0] - 1, hits[-1] + 1
        if axis < 2:
            reach = _FAR_MM / grid.spacing
            low[axis] -= reach if hits[0] == 0 else 0
            high[axis] += reach if hits[-1] == mask.shape[axis] - 1 else 0
        elif hits[-1] == mask.shape[axis] - 1:
            high[axis] += 2
    corners = np.array(
        [[a, b, c, 1.0] for a in (low[0], high[0]) for b in (low[1], high[1]) for c in (low[2], high[2])]
    )
    places = (corners @ (np.linalg.inv(volume.affine) @ grid.affine).T)[:, :3]
    first = np.clip(np.floor(places.min(axis=0)).astype(np.int64), 0, shape)
    last = np.clip(np.ceil(places.max(axis=0)).astype(np.int64) + 1, 0, shape)
    return first, np.maximum(first, last)


class Comparison:
    """What really changed between two streams of voxels, averaged to the grid.

    Parameters
    ----------
    scene : Scene
    spacing : float
        Block length of the averages of the result, mm.
    grid : Grid, optional
    watched : ndarray of bool, optional
        Mask on `grid`; every changed voxel of the file that lies in it is counted.
    """

    def __init__(
        self, scene: Scene, spacing: float, grid: Grid | None = None, watched: Mask | None = None
    ) -> None:
        self.after = Reducer(scene.volume, spacing)
        self.changed = Reducer(scene.volume, spacing)
        self.voxels_changed = 0
        self.watched_changed = 0
        self._volume = scene.volume
        self._watched = watched
        self._to_grid = None if grid is None else np.linalg.inv(grid.affine) @ scene.volume.affine

    def add(self, repeat: int, start: int, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Take one slab of both."""
        differs = before != after
        self.voxels_changed += int(np.count_nonzero(differs))
        self.watched_changed += self._count_watched(start, differs)
        if repeat == 0:
            self.after.add(start, self._volume.values(after))
            self.changed.add(start, differs.astype(np.float32))

    def _count_watched(self, start: int, differs: Mask) -> int:
        if self._watched is None or self._to_grid is None:
            return 0
        matrix = self._to_grid.astype(np.float32)
        i, j, k = (places.astype(np.float32) for places in np.nonzero(differs))
        k += start
        kept = np.ones(len(i), bool)
        cells: list[NDArray[np.int32]] = []
        for row, length in zip(matrix[:3], self._watched.shape, strict=True):
            place = np.rint(row[0] * i + row[1] * j + row[2] * k + row[3]).astype(np.int32)
            kept &= (place >= 0) & (place < length)
            cells.append(place)
        return int(self._watched[tuple(cell[kept] for cell in cells)].sum())


def apply(scene: Scene, stencil: Stencil, plug: Plug, sink: Sink, comparisons: list[Comparison]) -> None:
    """Write the de-faced file to `sink`: the header as it was, then every slab.

    Parameters
    ----------
    scene : Scene
    stencil : Stencil
    plug : Plug
    sink : Sink
    comparisons : list of Comparison
        Each is told what changed.
    """
    for piece in _pieces(scene, stencil, plug, comparisons):
        sink.write(piece)


def _pieces(scene: Scene, stencil: Stencil, plug: Plug, comparisons: list[Comparison]) -> Iterator[bytes]:
    volume = scene.volume
    air = volume.stored(scene.air)
    filling = np.full(PLUGGED + SHARES + 1, volume.stored(plug.tissue))
    for share in range(1, SHARES + 1):
        filling[PLUGGED + share] = volume.stored(scene.air + share / SHARES * (plug.tissue - scene.air))
    yield volume.head
    for repeat, start, stored in slabs(volume):
        before = stored.copy(order="F")
        meeting = stencil.slab(start, stored.shape[2])
        if meeting is not None:
            window, labels = meeting
            part = stored[window]
            part[labels == REMOVED] = air
            if repeat == 0:  # the mask says what was filled, not what might have been
                labels[(labels == PLUGGED) & (volume.values(part) >= plug.below)] = 0
            full = labels >= PLUGGED
            part[full] = filling[labels[full]]
        for comparison in comparisons:
            comparison.add(repeat, start, before, stored)
        yield stored.tobytes(order="F")


def write_mask(header: bytes, volume: Volume, stencil: Stencil, sink: Sink) -> None:
    """Write the stencil as a mask image of the whole file: 1 removed, 2 filled."""
    sink.write(header)
    nx, ny, nz = volume.spatial_shape
    for start in range(nz):
        layer = np.zeros((nx, ny, 1), np.uint8, order="F")
        meeting = stencil.slab(start, 1)
        if meeting is not None:
            window, labels = meeting
            layer[window] = _IN_MASK[labels]
        sink.write(layer.tobytes(order="F"))
