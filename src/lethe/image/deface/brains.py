"""How well the brain that an image shows by itself and the template's lie on one another in a pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .grid import Affine, Grid
from .morph import Mask, distance_to
from .template import Template

_POINTS = 400
_NEAR_MM, _FAR_MM = 6.0, 26.0


@dataclass(frozen=True, slots=True)
class _Target:
    """Points of one brain, and how far from the other one each place is: 0 near it, 1 far away."""

    places: NDArray[np.float64]
    away: NDArray[np.float32]
    to_index: Affine
    beyond: float

    def missed(self, pose: Affine) -> float:
        whole = self.to_index @ pose
        places = whole[:3, :3] @ self.places + whole[:3, 3:4]
        return float(
            ndi.map_coordinates(self.away, places, order=1, cval=self.beyond, prefilter=False).mean()
        )


class Brains:
    """Two brains to be laid on one another.

    Parameters
    ----------
    inner : ndarray of bool
        Brain that the image shows, on `grid`.
    grid : Grid
    template : Template
    """

    def __init__(self, inner: Mask, grid: Grid, template: Template) -> None:
        expected = template.brain > 0.5
        spacing = float(template.affine[0, 0])
        self._shown = _Target(
            _places(inner, grid.affine), _scaled(expected, spacing), _inverse(template.affine), 1.0
        )
        # where the data end, the brain may go on
        away = np.where(grid.valid, _scaled(inner, grid.spacing), np.float32(0))
        self._expected = _Target(_places(expected, template.affine), away, _inverse(grid.affine), 0.0)

    def astray(self, to_mni: Affine) -> float:
        """Return 0 when either brain lies in the other or near it, up to 2 when they lie far apart.

        Parameters
        ----------
        to_mni : ndarray, shape (4, 4)
            Scanner millimetres to MNI millimetres.
        """
        return self._shown.missed(to_mni) + self._expected.missed(_inverse(to_mni))


def _inverse(affine: Affine) -> Affine:
    return np.asarray(np.linalg.inv(affine), np.float64)


def _places(mask: Mask, affine: Affine) -> NDArray[np.float64]:
    cells = np.argwhere(mask)
    chosen = cells[:: max(1, len(cells) // _POINTS)]
    return np.ascontiguousarray((chosen @ affine[:3, :3].T + affine[:3, 3]).T, np.float64)


def _scaled(mask: Mask, spacing: float) -> NDArray[np.float32]:
    away = (distance_to(mask, spacing) - _NEAR_MM) / (_FAR_MM - _NEAR_MM)
    return np.asarray(np.clip(away, 0.0, 1.0), np.float32)
