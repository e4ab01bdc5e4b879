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
from .grid import Affine, Grid
from .morph import Mask
from .template import Template

_LOW = np.array([-32.0, -20.0, -112.0])
_HIGH = np.array([32.0, 124.0, -24.0])
_STEP = 2.0
_COLUMNS = 60
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
    """

    expected: Depths
    found: Depths

    @property
    def recession_mm(self) -> float | None:
        """Median distance of the surface behind the average skin; None when hardly any is in view."""
        there = self.found > _LOW[1]
        return float(np.median((self.expected - self.found)[there])) if there.sum() >= _COLUMNS else None

    def moved(self, after: Front, at_least_mm: float) -> float | None:
        """Share of the columns with a face whose surface moved back by at least `at_least_mm`."""
        face = (self.found > _LOW[1]) & (self.expected - self.found < _FACE_MM)
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
    box = np.diag([_STEP, _STEP, _STEP, 1.0])
    box[:3, 3] = _LOW
    to_grid = np.linalg.inv(grid.affine) @ np.linalg.inv(pose.to_mni) @ box
    to_template: Affine = np.asarray(np.linalg.inv(template.affine) @ box, np.float64)
    model = _sample(template.skin(), to_template)
    image = _sample(tissue, to_grid)
    seen = _sample(grid.valid, to_grid)
    expected, found = _foremost(model), _foremost(image)
    ahead = np.minimum(expected + 5, model.shape[1] - 1)
    x, z = np.indices(expected.shape)
    # the image must reach beyond the average skin, or a missing surface says nothing
    use = model.any(axis=1) & seen[x, ahead, z] & seen[x, np.maximum(expected - 10, 0), z]
    scale = np.float32(_STEP)
    return Front(
        (expected[use] * scale + _LOW[1]).astype(np.float32),
        (found[use] * scale + _LOW[1]).astype(np.float32),
    )


def _foremost(solid: Mask) -> NDArray[np.int64]:
    last = solid.shape[1] - 1
    return np.asarray(np.where(solid.any(axis=1), last - solid[:, ::-1].argmax(axis=1), 0), np.int64)


def _sample(mask: Mask, matrix: Affine) -> Mask:
    shape = tuple(int(n) for n in (_HIGH - _LOW) / _STEP + 1)
    sampled = ndi.affine_transform(
        mask.astype(np.float32),
        matrix[:3, :3],
        matrix[:3, 3],
        output_shape=shape,
        order=1,
        cval=0.0,
        prefilter=False,
    )
    return np.asarray(sampled > 0.5)
