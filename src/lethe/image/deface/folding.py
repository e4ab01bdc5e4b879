"""Fold-over in MR: what lies beyond the field of view along the phase direction comes back at its other end.

A nose or a forehead that does not fit in front is then seen behind the head, where nobody looks for a face.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .grid import Affine, Grid
from .head import Head
from .morph import Mask
from .scene import Modality

_LAYERS = 2  # grid cells at the end of the data that are looked at
_APART_CM2, _TOUCHING_CM2 = 3.0, 40.0
_FACE_X, _FACE_Z = 60.0, (-130.0, 30.0)  # MNI


def front_folded(grid: Grid, head: Head, axes: Affine, to_mni: Affine) -> bool:
    """Tell whether the front of an MR head may lie at the other end of the image.

    The face must meet the end of the data in front. Behind, something that is not the head is proof enough;
    a head that fills its field of view from end to end is suspect only where it does so broadly.

    Parameters
    ----------
    grid : Grid
        The whole image, not cropped to the head.
    head : Head
    axes : ndarray, shape (4, 4)
        Affine of the file: fold-over follows its axes.
    to_mni : ndarray, shape (4, 4)
        Scanner millimetres to MNI millimetres.
    """
    if head.modality is Modality.CT:
        return False
    ahead = np.linalg.inv(to_mni)[:3, 1]
    directions = axes[:3, :3] / np.linalg.norm(axes[:3, :3], axis=0)
    along = ahead @ directions
    axis = int(np.argmax(np.abs(along)))
    step = np.rint(_LAYERS * directions[:, axis] * np.sign(along[axis])).astype(int)
    tissue = ndi.uniform_filter(grid.values, 3) > head.skin  # single voxels of noise are none
    x, _, z = grid.coordinates(to_mni)
    facing = (np.abs(x) < _FACE_X) & (z > _FACE_Z[0]) & (z < _FACE_Z[1])
    back = tissue & _end(grid.valid, -step)
    front, behind, apart = (
        float(part.sum()) * grid.spacing**2 / 100.0 / _LAYERS
        for part in (tissue & facing & _end(grid.valid, step), back, back & ~_near_head(grid, head))
    )
    return min(front, apart) > _APART_CM2 or min(front, behind) > _TOUCHING_CM2


def _near_head(grid: Grid, head: Head) -> Mask:
    """The head, a cell larger, on the whole grid."""
    corner = np.linalg.inv(grid.affine) @ head.grid.affine[:, 3]
    window = tuple(
        slice(s, s + n) for s, n in zip(np.rint(corner).astype(int), head.mask.shape, strict=False)
    )
    whole = np.zeros(grid.values.shape, bool)
    whole[window] = head.mask
    return ndi.binary_dilation(whole)


def _end(valid: Mask, step: NDArray[np.int64]) -> Mask:
    """Cells behind which the data end in the direction of `step`."""
    around = int(np.abs(step).max())
    padded = np.pad(valid, around)
    window = tuple(slice(around + s, around + s + n) for s, n in zip(step, valid.shape, strict=True))
    return np.asarray(valid & ~padded[window])
