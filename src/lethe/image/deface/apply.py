"""The decision of the 2 mm grid carried to the voxels of the file, slab by slab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .ears import SOFT_MM
from .grid import SPACING_MM, Array3, Grid, Reducer, sample
from .io import Volume, slabs
from .morph import Mask
from .pack import Sink
from .plug import Plug
from .scene import Scene

REMOVED, PLUGGED = 1, 2
SHARES = 16  # labels from PLUGGED + 1: removed, and so many sixteenths of the voxel filled with tissue
# how the mask file shows them
_IN_MASK = np.minimum(np.arange(PLUGGED + SHARES + 1), PLUGGED).astype(np.uint8)
_FAR_MM = 400.0
_STEP_VOXELS = 4_000_000

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

    def parts(
        field: Array3, first: NDArray[np.int64], last: NDArray[np.int64], mode: Literal["constant", "nearest"]
    ) -> Iterator[tuple[Labels, Array3]]:
        (x, y, z), (to_x, to_y, to_z) = np.clip((first, last), low, high) - low
        step = int(max(1, _STEP_VOXELS // max(1, (to_x - x) * (to_y - y))))
        for start in range(z, to_z, step):
            part = labels[x:to_x, y:to_y, start : min(start + step, to_z)]
            corner = matrix[:3, 3] + matrix[:3, :3] @ (low + np.array((x, y, start)))
            yield part, sample(field, matrix[:3, :3], corner, part.shape, mode)

    for part, filled in parts(plug.fill.astype(np.float32), *_box(volume, grid, plug.fill), "constant"):
        part[filled > 0.5] = PLUGGED
    for part, removed in parts(remove, low, high, "nearest"):
        part[removed > 0.5] = REMOVED
    # voxels that the surface passes through are filled in part, or thick slices would show it in steps
    slope = np.float32(SOFT_MM / float(np.abs(volume.affine[1, :3]).sum()))
    for part, level in parts(plug.level, *_box(volume, grid, plug.level > 0.0), "constant"):
        shares = np.rint(np.clip((level - np.float32(0.5)) * slope + 0.5, 0.0, 1.0) * SHARES).astype(np.uint8)
        np.copyto(part, PLUGGED + shares, where=(part == REMOVED) & (shares > 0))
    return Stencil((int(low[0]), int(low[1]), int(low[2])), labels)


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
    grid : Grid
    watched : ndarray of bool
        Mask on `grid`; every changed voxel of the file that lies in it is counted.
    """

    def __init__(self, scene: Scene, grid: Grid, watched: Mask) -> None:
        self.after = Reducer(scene.volume, SPACING_MM)
        self.changed = Reducer(scene.volume, SPACING_MM)
        self.voxels_changed = 0
        self.watched_changed = 0
        self._volume = scene.volume
        self._watched = watched
        self._box = _box(scene.volume, grid, watched)
        self._to_grid = (np.linalg.inv(grid.affine) @ scene.volume.affine).astype(np.float32)

    def add(self, repeat: int, start: int, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Take one slab of both."""
        differs = before != after
        self.voxels_changed += int(np.count_nonzero(differs))
        self.watched_changed += self._count_watched(start, differs)
        if repeat == 0:
            self.after.add(start, self._volume.values(after))
            self.changed.add(start, differs.astype(np.float32))

    def _count_watched(self, start: int, differs: Mask) -> int:
        low, high = (np.clip(end - (0, 0, start), 0, differs.shape) for end in self._box)
        part = differs[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        # seen as one row, which numpy searches much faster
        places = np.unravel_index(np.flatnonzero(part.ravel(order="F")), part.shape, order="F")
        i, j, k = (at.astype(np.float32) + np.float32(a) for at, a in zip(places, low, strict=True))
        k += start
        kept = np.ones(len(i), bool)
        cells: list[NDArray[np.int32]] = []
        for row, length in zip(self._to_grid[:3], self._watched.shape, strict=True):
            place = np.rint(row[0] * i + row[1] * j + row[2] * k + row[3]).astype(np.int32)
            kept &= (place >= 0) & (place < length)
            cells.append(place)
        return int(self._watched[tuple(cell[kept] for cell in cells)].sum())


def apply(
    scene: Scene,
    stencil: Stencil,
    plug: Plug,
    sink: Sink,
    comparison: Comparison,
    fine: Reducer | None = None,
) -> None:
    """Write the de-faced file to `sink`: the header as it was, then every slab.

    Parameters
    ----------
    scene : Scene
    stencil : Stencil
    plug : Plug
    sink : Sink
    comparison : Comparison
        Is told what changed.
    fine : Reducer, optional
        Is given the first volume of the result.
    """
    volume = scene.volume
    number_for = np.full(PLUGGED + SHARES + 1, volume.stored(plug.tissue))
    number_for[REMOVED] = volume.stored(scene.air)
    for share in range(1, SHARES + 1):
        number_for[PLUGGED + share] = volume.stored(scene.air + share / SHARES * (plug.tissue - scene.air))
    sink.write(volume.head)
    for repeat, start, stored in slabs(volume):
        before = stored.copy(order="F")
        meeting = stencil.slab(start, stored.shape[2])
        if meeting is not None:
            window, labels = meeting
            part = stored[window]
            if repeat == 0:  # the mask says what was filled, not what might have been
                np.copyto(labels, 0, where=(labels == PLUGGED) & (volume.values(part) >= plug.below))
            np.copyto(part, number_for[labels], where=labels > 0)
        comparison.add(repeat, start, before, stored)
        if fine is not None and repeat == 0:
            fine.add(start, volume.values(stored))
        sink.write(stored.reshape(-1, order="F").view(np.uint8).data)


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
