"""Views of the surface of a head: parallel rays, first hit, plain shading. numpy and scipy only."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .grid import Array3, Grid
from .morph import CROSS, Mask

Picture = NDArray[np.uint8]

_LIGHT = np.array([-0.25, 0.8, 0.55])
_AMBIENT, _DIFFUSE, _FRONTAL = 40.0, 170.0, 40.0


@dataclass(frozen=True, slots=True)
class View:
    """A surface as it is seen.

    Attributes
    ----------
    picture : ndarray of uint8, shape (height, width)
        Superior at the top; from the front, the head's right is at the left.
    distance : ndarray of float32, same shape
        Distance along the ray to the surface, mm; infinite where nothing is met.
    """

    picture: Picture
    distance: NDArray[np.float32]


def views(
    grid: Grid,
    threshold: float,
    azimuths: Sequence[float],
    *,
    frame: Mask | None = None,
    pixel_mm: float = 1.2,
) -> list[View]:
    """Show the surface of `grid` at `threshold`, seen from the front turned by each of `azimuths`.

    Parameters
    ----------
    grid : Grid
    threshold : float
        Tissue is above this value.
    azimuths : sequence of float
        Degrees about the vertical axis; 0 is from the front, positive from the head's right.
    frame : ndarray of bool, optional
        What the picture is framed on, so that before and after have the same frame; default: the tissue.
    pixel_mm : float

    Returns
    -------
    list of View
        Views with the same `frame` and azimuth fit on one another, pixel by pixel.
    """
    # the head ends where the data end, and that end is a surface like any other
    outside = min(float(grid.values.min()), threshold - 1.0)
    soft = ndi.gaussian_filter(np.pad(grid.values, 3, constant_values=outside), 0.7)
    solid = soft > threshold
    shown = solid if frame is None else np.pad(frame, 3)
    if not shown.any():
        nothing = View(np.zeros((64, 64), np.uint8), np.full((64, 64), np.inf, np.float32))
        return [nothing for _ in azimuths]
    corners = np.argwhere(shown & ~ndi.binary_erosion(shown, CROSS)).astype(np.float64)
    surface = _Surface(soft, solid, threshold, grid.spacing, corners)
    # numpy and scipy let two threads work at a time
    with ThreadPoolExecutor(2) as both:
        return list(both.map(partial(_view, surface, pixel_mm), azimuths))


@dataclass(frozen=True, slots=True)
class _Surface:
    """A head made ready to be looked at; `corners` are the points the pictures are framed on."""

    soft: Array3
    solid: Mask
    threshold: float
    spacing: float
    corners: NDArray[np.float64]


def _view(surface: _Surface, pixel_mm: float, azimuth: float) -> View:
    turn = np.deg2rad(azimuth)
    front = np.array([np.sin(turn), np.cos(turn), 0.0])
    across = np.array([-np.cos(turn), np.sin(turn), 0.0])  # picture's left to right
    corners = surface.corners
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
    width = np.abs((corners - middle) @ across).max() + 6.0
    height = np.abs(corners[:, 2] - middle[2]).max() + 6.0
    reach = np.abs((corners - middle) @ front).max() + 6.0
    step = pixel_mm / surface.spacing
    u, w = np.meshgrid(np.arange(-width, width, step), np.arange(height, -height, -step))
    start = middle + u[..., None] * across + w[..., None] * np.array([0.0, 0.0, 1.0]) + reach * front
    travelled = _first_hit(surface.solid, start, -front, 2.0 * reach)
    hit = np.isfinite(travelled)
    picture = np.zeros(hit.shape, np.float64)
    if hit.any():
        places = start[hit] - (travelled[hit, None]) * front
        places = _on_surface(surface.soft, surface.threshold, places, -front)
        picture[hit] = _shade(surface.soft, places, front, across)
    distance = (travelled * surface.spacing).astype(np.float32)
    return View(np.asarray(np.clip(picture, 0, 255), np.uint8), distance)


def _first_hit(
    solid: Mask, start: NDArray[np.float64], direction: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """March along level rays, one voxel per step; infinite where nothing is met.

    All rays of one column of the picture run above one another: each step looks at a whole upright line.
    """
    steps = np.arange(int(reach) + 1)
    places = np.rint(start[0, :, None, :2] + steps[:, None] * direction[:2]).astype(np.intp)
    inside = ((places >= 0) & (places < solid.shape[:2])).all(axis=2)
    lines = np.zeros((*inside.shape, solid.shape[2]), bool)
    lines[inside] = solid[tuple(places[inside].T)]
    first = np.where(lines.any(axis=1), lines.argmax(axis=1), np.inf)
    heights = np.rint(start[:, 0, 2]).astype(np.intp)
    seen = (heights >= 0) & (heights < solid.shape[2])
    travelled = np.full(start.shape[:2], np.inf)
    travelled[seen] = first[:, heights[seen]].T
    return travelled


def _on_surface(
    soft: Array3, threshold: float, places: NDArray[np.float64], direction: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bisect between the last point in air and the first in tissue."""
    near, far = places - 1.5 * direction, places + 0.5 * direction
    for _ in range(5):
        half = (near + far) / 2.0
        dense = ndi.map_coordinates(soft, half.T, order=1, mode="nearest", prefilter=False) > threshold
        far = np.where(dense[:, None], half, far)
        near = np.where(dense[:, None], near, half)
    return np.asarray((near + far) / 2.0, np.float64)


def _shade(
    soft: Array3, places: NDArray[np.float64], front: NDArray[np.float64], across: NDArray[np.float64]
) -> NDArray[np.float64]:
    normal = np.empty_like(places)
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = 1.0
        ahead = ndi.map_coordinates(soft, (places + offset).T, order=1, mode="nearest", prefilter=False)
        behind = ndi.map_coordinates(soft, (places - offset).T, order=1, mode="nearest", prefilter=False)
        normal[:, axis] = behind - ahead
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    light = _LIGHT[0] * across + _LIGHT[1] * front + np.array([0.0, 0.0, _LIGHT[2]])
    light /= np.linalg.norm(light)
    lit = np.clip(normal @ light, 0.0, 1.0)
    return np.asarray(_AMBIENT + _DIFFUSE * lit + _FRONTAL * np.clip(normal @ front, 0.0, 1.0), np.float64)
