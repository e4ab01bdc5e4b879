"""The ears: what stands out of the smooth side of the head goes, and a smooth side takes its place.

A cut alone keeps their relief: an ear that headphones or a pillow press flat stands out by a few millimetres
only, and its grooves run deeper than any cut that spares the brain.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from .grid import Array3
from .head import Head
from .morph import Mask, closed, depth, opened

SOFT_MM = 10.0  # the field of a wall rises from 0 to 1 over these

# radius of the balls that find no room in an ear, in its grooves and in what hollows these leave
_EAR_MM, _GROOVE_MM, _HOLLOW_MM = 30.0, 8.0, 18.0
_SKIN_MM = 4.0  # is plain tissue afterwards
_LEVEL_MM = 1.0  # so far the new side lies under the old one
_SMOOTH_MM = 4.0
_SEEN_ML = 3.0


def beside_ears(x: Array3, y: Array3, z: Array3) -> Mask:
    """Say which points (MNI mm) an ear may reach."""
    return np.asarray((np.abs(x) > 56.0) & (y > -62.0) & (y < 26.0) & (z > -100.0) & (z < 4.0))


def ears(side: Array3, x: Array3, y: Array3, z: Array3) -> Mask:
    """Say which points stand out of the smooth side where an ear may be; `side` is from `smooth_side`."""
    return np.asarray(beside_ears(x, y, z) & (side < 0.0))


def share_removed(ears: Mask, gone: Mask, voxel_ml: float) -> float | None:
    """Return the share of the ears that is gone, or None where there is hardly an ear."""
    seen = int(ears.sum())
    return float((ears & gone).sum()) / seen if seen * voxel_ml > _SEEN_ML else None


def smooth_side(head: Head) -> Array3:
    """Return the depth (mm) under the smooth side of the head, negative outside.

    The smooth side leaves out what stands out of the head and goes straight over its grooves. Where the data
    end at an ear, nothing lies beside it; below and above its data the head goes on.

    Parameters
    ----------
    head : Head

    Returns
    -------
    ndarray of float32
    """
    spacing = head.grid.spacing
    smooth = _shut(_continued(head), _GROOVE_MM, spacing)
    # else the end of the data would hold the ear up
    smooth, within = _with_room(smooth, _EAR_MM / spacing, ends=True)
    smooth = _shut(opened(smooth, _EAR_MM, spacing)[within], _HOLLOW_MM, spacing)
    side, within = _with_room(smooth, 1.0, ends=True)
    return np.asarray((depth(side, spacing) - depth(~side, spacing))[within], np.float32)


def _continued(head: Head) -> Mask:
    """Continue each column of the head below and above its data as it ends there."""
    levels = np.arange(head.mask.shape[2], dtype=np.int32)
    below = np.maximum.accumulate(np.where(head.grid.valid, levels, -1), axis=2)
    top_down = np.where(head.grid.valid, levels, len(levels))[:, :, ::-1]
    above = np.minimum.accumulate(top_down, axis=2)[:, :, ::-1]
    nearest = np.where(below >= 0, below, above)
    seen = nearest < len(levels)
    nearest[~seen] = 0
    return np.asarray(np.take_along_axis(head.mask, nearest, axis=2) & seen)


def _shut(mask: Mask, radius: float, spacing: float) -> Mask:
    # where the data end at an ear, its grooves go on, or they would be open
    inside, within = _with_room(mask, radius / spacing, ends=False)
    return closed(inside, radius, spacing)[within]


def _with_room(mask: Mask, cells: float, *, ends: bool) -> tuple[Mask, tuple[slice, ...]]:
    """Add cells at both sides: empty ones where the head ends with its data, or else the last ones again."""
    room = int(cells) + 2
    widths = ((room, room), (0, 0), (0, 0))
    wider = np.pad(mask, widths) if ends else np.pad(mask, widths, mode="edge")
    return wider, (slice(room, -room), slice(None), slice(None))


def skin(side: Array3) -> Mask:
    """Say what is ear or the skin under it; what lies there is removed."""
    return np.asarray(side <= _SKIN_MM)


def level(side: Array3, front: Array3, spacing: float) -> Array3:
    """Shape the new side; it ends at the cut of the face.

    Parameters
    ----------
    side : ndarray of float32
        From `smooth_side`.
    front : ndarray of float32
        How far in front of the cut of the face a point lies, mm.
    spacing : float
        Of the grid, mm.

    Returns
    -------
    ndarray of float32
        Above 0.5 inside; it rises by 1 in `SOFT_MM`, to be sampled between grid points.
    """
    inside = np.minimum(side - _LEVEL_MM, -front)
    limited = np.clip(inside / SOFT_MM + 0.5, 0.0, 1.0).astype(np.float32)
    return np.asarray(ndi.gaussian_filter(limited, _SMOOTH_MM / spacing), np.float32)
