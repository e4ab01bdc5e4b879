"""How far forward the middle of the face reaches: eyes, nose, mouth, seen from the front in template space.

The one measure that tells a face from a cut: behind a cut the foremost tissue lies far behind the
average skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .align import Alignment
from .grid import Array3, Box, Grid
from .morph import Mask
from .template import Template

_STEP, _LOWEST = 2.0, -20.0
# up to the lids; above lies the brow, which keeps its deep scalp
_BOX = Box((-32.0, _LOWEST, -112.0), (32.0, 124.0, -30.0), _STEP)
_COLUMNS = 60
_UNDER = (2, 3, 4)  # cells behind the surface: where it is a wall of filling, they hold one value
_WALL_SHARE, _WALL_EDGE = 0.1, 3  # untouched heads have 0.03 at most
_FACE_MM = 20.0  # a surface further behind the average skin is no face but a cut or the end of the data

Depths = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Front:
    """Foremost points of the middle face, one per column of 2 x 2 mm in template space.

    Attributes
    ----------
    expected : ndarray of float32, shape (columns,)
        MNI y of the average skin, mm; only columns that the image covers from there on.
    found : ndarray of float32, shape (columns,)
        MNI y of the foremost tissue of the image; the lowest possible value where the column holds none.
        The filling of an image that was de-faced before is no tissue.
    """

    expected: Depths
    found: Depths

    @property
    def recession_mm(self) -> float | None:
        """Median distance of the surface behind the average skin; None when hardly any is in view."""
        there = self.found > _LOWEST
        return float(np.median((self.expected - self.found)[there])) if there.sum() >= _COLUMNS else None

    def moved(self, after: Front, at_least_mm: float) -> float | None:
        """Share of the columns with a face whose surface moved back by at least `at_least_mm`."""
        face = (self.found > _LOWEST) & (self.expected - self.found < _FACE_MM)
        if face.sum() < _COLUMNS:
            return None
        return float(np.mean((self.found - after.found)[face] >= at_least_mm))


def front(grid: Grid, tissue: Mask, template: Template, pose: Alignment) -> Front:
    """Measure the front of the middle face.

    Parameters
    ----------
    grid : Grid
        Of the head.
    tissue : ndarray of bool
        Head tissue on that grid.
    template : Template
    pose : Alignment

    Returns
    -------
    Front
    """
    model = _BOX.solid(template.skin(), template.affine, np.eye(4))
    image, seen = (_BOX.solid(mask, grid.affine, pose.to_mni) for mask in (tissue, grid.valid))
    image &= ~_filling(image, _BOX.of(grid.values, grid.affine, pose.to_mni))
    expected, found = foremost(model), foremost(image)
    ahead = np.minimum(expected + 5, model.shape[1] - 1)
    x, z = np.indices(expected.shape)
    # the image must reach beyond the average skin, or a missing surface says nothing
    use = model.any(axis=1) & seen[x, ahead, z] & seen[x, np.maximum(expected - 10, 0), z]
    scale = np.float32(_STEP)
    return Front(
        (expected[use] * scale + _LOWEST).astype(np.float32),
        (found[use] * scale + _LOWEST).astype(np.float32),
    )


def foremost(solid: Mask) -> NDArray[np.int64]:
    """Return for each column of a box the number of its foremost cell; 0 where there is none."""
    last = solid.shape[1] - 1
    return np.asarray(np.where(solid.any(axis=1), last - solid[:, ::-1].argmax(axis=1), 0), np.int64)


def _filling(image: Mask, values: Array3) -> Mask:
    """Recognise a surface with exactly one value under it in many places: no face is like that.

    Without it, a head whose face is gone would be matched as if the wall that stands there were a face.
    """
    surface = foremost(image)
    hit = surface >= max(_UNDER)
    nothing = np.zeros_like(image)
    if hit.sum() < _COLUMNS:
        return nothing
    x, z = np.nonzero(hit)
    under = np.stack([values[x, surface[hit] - n, z] for n in _UNDER])
    step = 5e-4 * float(values[image].std()) + 1e-6
    levels, counts = np.unique(np.rint(under / step), return_counts=True)
    value = float(levels[counts.argmax()]) * step
    same = (np.abs(under - value) <= 1.5 * step).any(axis=0)
    # what is brightest may be one value because the scanner's range ended there
    if same.mean() < _WALL_SHARE or value >= np.percentile(values[image], 95):
        return nothing
    filling = np.abs(values - value) <= 1.5 * step
    return np.asarray(ndi.binary_dilation(filling & image, iterations=_WALL_EDGE))
