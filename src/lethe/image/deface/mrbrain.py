"""Where an MR itself says the brain is, asked without the template: what is bright inside the dark skull.

The skull is dark in every contrast. Tissue brighter than some share of the deep head, through whose bridges a
ball does not pass, is therefore the brain alone once that share is high enough; below, it hangs together with
face and neck, which come close to the skin as the brain never does. The lowest share that keeps away from the
skin is taken. Where there is none, nothing is said.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi

from .grid import Array3, Grid
from .morph import Mask, closed, depth, dilate

_SHARES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
_PASSES_MM, _CLOSING_MM = 7.0, 6.0
_SCALP_MM, _NEAR_MM = 3.0, 7.0
_DEEP = 0.55  # of the greatest depth
_NEAR_SHARE = 0.006  # brains have 0.000 to 0.006, with face or neck 0.015 to 0.18
_SOLID = 0.7  # volume beside that of the ellipsoid of equal spread: brains 0.75 to 0.96, parts of one 0.5
_SMALLEST_ML = 100.0
_THIN_MM = 60.0  # a slab has no depth


def shown_brain(grid: Grid, head: Mask, values: Array3) -> Mask | None:
    """Find the brain in an MR head, or None.

    Parameters
    ----------
    grid : Grid
    head : ndarray of bool
        Solid head.
    values : ndarray of float32
        Without the fall-off of a coil.
    """
    seen = np.argwhere(grid.valid)
    if not len(seen) or np.ptp(seen, axis=0).min() * grid.spacing < _THIN_MM:
        return None
    below = depth(head | ~grid.valid, grid.spacing)
    deepest = float(below[head].max())
    deep = head & grid.valid & (below > _DEEP * deepest)
    if not np.isfinite(deepest) or not deep.any():
        return None
    soft = ndi.gaussian_filter(values, 0.5)
    usual = float(np.median(soft[deep]))
    inside = head & grid.valid & (below > _SCALP_MM)
    # the higher the share the less hangs together: halve the list until the lowest that will do is found
    low, high, best = 0, len(_SHARES), None
    while low < high:
        middle = (low + high) // 2
        part = _deepest_part(inside & (soft > _SHARES[middle] * usual), below, grid.spacing)
        if part is not None and np.mean(below[part] < _NEAR_MM) > _NEAR_SHARE:
            low = middle + 1
        else:
            high, best = middle, part
    if best is None or best.sum() * grid.voxel_ml < _SMALLEST_ML or _solidity(best) < _SOLID:
        return None
    return best


def _deepest_part(bright: Mask, below: Array3, spacing: float) -> Mask | None:
    """Return the part that holds most of the deep head, cut where it is narrow."""
    core = depth(bright, spacing) > _PASSES_MM
    labels, count = ndi.label(core)
    if not count:
        return None
    weights = ndi.sum_labels(below**2, labels, np.arange(1, count + 1))
    part = dilate(labels == 1 + int(np.argmax(weights)), _PASSES_MM + 1.0, spacing) & bright
    return closed(np.asarray(part, bool), _CLOSING_MM, spacing)


def _solidity(part: Mask) -> float:
    """Volume beside that of the ellipsoid that is spread as far."""
    places = np.argwhere(part).astype(np.float64)
    spread = np.cov(places.T)
    return float(len(places) / (4.0 / 3.0 * np.pi * 5.0**1.5 * np.sqrt(max(np.linalg.det(spread), 1e-9))))
