"""Is what stays in front as smooth as a forehead? A nose that stays there shows that the pose was wrong.

All other measures of what was taken ask where the pose says the face is; a face that lies elsewhere is not
seen by them. Here the skin itself is asked: nothing on a forehead stands out as a nose does.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from .align import Alignment
from .front import foremost
from .grid import Array2, Box, Grid
from .morph import Mask

FOREHEAD_Z, FACE_Z = -45.0, -110.0
_STEP = 2.0
# seen from the front in template space; a disk wider than what is asked
_BOX = Box((-60.0, 0.0, -126.0), (60.0, 132.0, 70.0), _STEP)
_DISK_MM = 16.0
_STAYS_MM = 4.0
_MIDDLE_X = 40.0
_BUMP_MM = 5.0
_BEYOND = 3  # cells in front of the skin that the image must show, or it is the end of the data


def skin_ahead(grid: Grid, tissue: Mask, pose: Alignment) -> Array2:
    """Return where the skin lies, seen from the front in template space.

    Parameters
    ----------
    grid : Grid
        Of the head.
    tissue : ndarray of bool
        Head tissue on that grid.
    pose : Alignment

    Returns
    -------
    ndarray of float32, shape (x, z)
        For each column of 2 x 2 mm the number of its foremost cell; 0 where there is none or the data end.
    """
    solid, valid = (_BOX.solid(mask, grid.affine, pose.to_mni) for mask in (tissue, grid.valid))
    found = foremost(solid)
    x, z = np.indices(found.shape)
    seen = valid[x, np.minimum(found + _BEYOND, solid.shape[1] - 1), z]
    return np.where(seen, found, 0).astype(np.float32)


def bumps_left(before: Array2, after: Array2, lowest: float = FOREHEAD_Z) -> float:
    """Measure what stands out of the skin that stays in front.

    Parameters
    ----------
    before, after : ndarray of float32, shape (x, z)
        From `skin_ahead`.
    lowest : float
        MNI z (mm) of the lowest skin that is asked.

    Returns
    -------
    float
        Area (cm2, seen from the front in template space) of skin that moved back by 4 mm at most and stands
        out by more than 5 mm above what a disk of 16 mm radius touches that slides behind the surface
        (grey-scale opening; skin that is gone or ends with the data bounds the surface).
    """
    stays = (before > 0) & (before - after <= _STAYS_MM / _STEP)
    x, z = _BOX.places(0), _BOX.places(2)
    asked = stays & (np.abs(x) <= _MIDDLE_X)[:, None] & (z > lowest)[None, :]
    high = (before - _opened(before, stays)) * _STEP > _BUMP_MM
    return float((asked & high).sum()) * _STEP**2 / 100.0


def _opened(heights: Array2, there: Mask) -> Array2:
    """Return the grey-scale opening by a disk of the heights that are `there`."""
    n = int(_DISK_MM / _STEP)
    i, j = np.ogrid[-n : n + 1, -n : n + 1]
    disk, far = i**2 + j**2 <= n**2, np.float32(1e6)
    low: Array2 = ndi.grey_erosion(
        np.where(there, heights, far), footprint=disk, mode="constant", cval=float(far)
    )
    low = np.where(low < far, low, -far)
    return np.asarray(ndi.grey_dilation(low, footprint=disk, mode="constant", cval=-float(far)), np.float32)
