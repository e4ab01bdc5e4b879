"""What stands where the face was: a plain wall, so that the cut is no face itself.

A raw cut looks like a skull: ledges under the brow, sockets, pitted bone. Behind the skin that is gone, the
removed space is therefore filled up to a surface that is the same from side to side: no nose, eyes or cheeks
of the head can be in it.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .ears import SOFT_MM
from .grid import Array3
from .head import Head
from .morph import Mask, distance_to
from .region import CURVE, Region, ahead, deepest, tissue

_TOP = -18.0  # above, only scalp was taken
_HEIGHTS = (-168.0, -130.0, -90.0, -60.0, -46.0, -34.0, -26.0, _TOP)
_DEPTHS = (40.0, 43.0, 48.0, 56.0, 65.0, 78.0, 86.0, 92.0)
_OPEN_ABOVE, _NOWHERE = -12.0, 120.0
# how far it stands behind the skin: of the flattest part of a row, and of each place
_ROW_HEIGHTS, _BEHIND_ROW = (-54.0, -46.0, -38.0, -30.0, -24.0), (17.0, 15.0, 13.0, 8.0, 2.0)
_CUT_DEPTHS, _BEHIND_SKIN = (0.0, 6.0, 12.0, 16.0), (0.0, 5.4, 9.4, 11.0)
# bone under the brow is dark and full of holes: a layer of this thickness lies on what is protected there
_LAYER_HEIGHTS, _LAYER_MM = (-60.0, -50.0), (0.0, 6.0)
_LAYER_RISE, _LAYER_BEHIND = (-32.0, -26.0), (9.0, 5.4)
_HALF_WIDTH, _CELL_MM = 44.0, 4.0
_SMOOTH_MM = 3.0
_ADULT = 1.2  # MNI millimetres to one of an adult head, at most

Profile = NDArray[np.float64]


def wall(head: Head, keep: Mask, region: Region) -> Array3:
    """Shape the wall and, at the forehead, an even layer in the deep part of the scalp, for bone is pitted.

    Parameters
    ----------
    head : Head
    keep : ndarray of bool
        What is protected.
    region : Region

    Returns
    -------
    ndarray of float32
        Above 0.5 inside; it rises by 1 in `SOFT_MM`, to be sampled between grid points.
    """
    x, y, z = region.coordinates
    limit, front = deepest(x, y, z), ahead(x, y, z)
    size = _size(head, region)
    behind = np.interp(limit, _CUT_DEPTHS, _BEHIND_SKIN) * size
    # where the cut leaves the skin, the wall rises from it without a groove
    behind = np.where(limit > _CUT_DEPTHS[-1], np.minimum(behind, 2.0 * front), behind)
    heights, depths = _profile(head, region)
    inside: Array3 = np.asarray(np.interp(z, heights, depths) - CURVE * x**2 - y, np.float32)
    inside = np.minimum(inside, np.minimum(region.skin_depth - behind, front + SOFT_MM / 2.0))
    layer = np.interp(z, _LAYER_HEIGHTS, _LAYER_MM) - distance_to(keep, head.grid.spacing)
    behind = np.minimum(behind, np.interp(z, _LAYER_RISE, _LAYER_BEHIND) * size)
    inside = np.maximum(inside, np.minimum(layer, region.skin_depth - behind))
    inside[~head.mask] = -SOFT_MM
    # millimetres, not steps: steps show in the light
    limited = np.clip(inside / SOFT_MM + 0.5, 0.0, 1.0).astype(np.float32)
    return np.asarray(ndi.gaussian_filter(limited, _SMOOTH_MM / head.grid.spacing), np.float32)


def _size(head: Head, region: Region) -> float:
    """Return how small the head is beside that of an adult, at most 1: an infant's skin is thinner."""
    steps = [
        [float(place[corner] - place[0, 0, 0]) for corner in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
        for place in region.coordinates
    ]
    in_template = float(abs(np.linalg.det(np.asarray(steps)))) ** (1.0 / 3.0)
    return float(min(1.0, _ADULT * head.grid.spacing / in_template))


def _profile(head: Head, region: Region) -> tuple[Profile, Profile]:
    """Return heights (MNI z) and where the wall stands there (MNI y on the midline).

    It runs from the brow straight down to the neck, at each height behind the flattest part of a face.
    """
    x, y, z = region.coordinates
    seen = tissue(head) & head.mask & (np.abs(x) < _HALF_WIDTH) & (z > _HEIGHTS[0]) & (z < _TOP)
    x, y, z = x[seen], y[seen], z[seen]
    heights = np.arange(_HEIGHTS[0], _TOP, _CELL_MM) + _CELL_MM / 2.0
    skin = np.full((len(heights), int(2.0 * _HALF_WIDTH / _CELL_MM)), -np.inf, np.float32)
    row, column = (np.intp((place - low) / _CELL_MM) for place, low in ((z, _HEIGHTS[0]), (x, -_HALF_WIDTH)))
    np.maximum.at(skin, (row, column), y + CURVE * x**2)
    skin = ndi.maximum_filter(skin, (1, 3))
    depths = np.interp(heights, _HEIGHTS, _DEPTHS)
    whole = np.isfinite(skin).mean(axis=1) > 0.5
    flattest = np.where(np.isfinite(skin), skin, np.inf).min(axis=1)
    back = flattest - np.interp(heights, _ROW_HEIGHTS, _BEHIND_ROW)
    depths = ndi.gaussian_filter1d(np.where(whole, np.minimum(depths, back), depths), 1.0, mode="nearest")
    return np.append(heights, _OPEN_ABOVE), np.append(depths, _NOWHERE)
