"""Where a CT itself says the brain is, asked without the template: soft tissue with bone all around.

The template can be laid onto a head wrongly; the skull cannot. What is found here may never be removed, pulls
the search for the pose, and contradicts a pose that puts the brain elsewhere.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from .grid import Grid
from .morph import Mask, closed, largest, opened

BONE_HU = 180.0
_BRAIN_HU = -30.0
_PASSES_MM = 7.0  # a ball that passes neither the orbital fissures nor the foramina of the skull base
_ENCLOSED = 0.8  # brain has 0.85 to 1, also under a bone flap; tongue, orbits and muscles less
_DIRECTIONS_KNOWN = 12
_SMALLEST_ML = 100.0  # tongue and muscles of the neck stay below

_OPEN, _BONE, _UNKNOWN, _ON = 1, 2, 3, 0
Events = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SkullParts:
    """What a CT is made of.

    Attributes
    ----------
    free : ndarray of bool
        Neither bone nor fat nor air, inside the head.
    roomy : ndarray of bool
        The part of it that a ball of 7 mm can reach.
    """

    free: Mask
    roomy: Mask


def skull_parts(grid: Grid, head: Mask) -> SkullParts:
    """Take the head of a CT apart.

    Parameters
    ----------
    grid : Grid
    head : ndarray of bool
        Solid head.
    """
    bone = closed(ndi.gaussian_filter(grid.values, 0.4) > BONE_HU, 2.5, grid.spacing)
    # the fat behind the eyes and the air of the sinuses keep the orbits out: their walls are thin as paper
    free = head & ~bone & (ndi.gaussian_filter(grid.values, 0.6) > _BRAIN_HU)
    return SkullParts(np.asarray(free), opened(free, _PASSES_MM, grid.spacing))


def enclosed_brain(grid: Grid, head: Mask, parts: SkullParts) -> Mask | None:
    """Find the largest soft space with bone in nearly every direction, or None.

    Parameters
    ----------
    grid : Grid
    head : ndarray of bool
        Solid head.
    parts : SkullParts
    """
    hidden = parts.roomy & (enclosure(grid, head) >= _ENCLOSED)
    if not hidden.any():
        return None
    space = largest(hidden)
    return space if space.sum() * grid.voxel_ml >= _SMALLEST_ML else None


def enclosure(grid: Grid, head: Mask) -> NDArray[np.float32]:
    """Share of the 26 directions in which one meets bone before the outside; 0 where too few end in the data.

    A direction in which the data end first says nothing.
    """
    events = np.full(head.shape, _ON, np.uint8)
    events[~head] = _OPEN
    events[~grid.valid] = _UNKNOWN
    events[grid.values > BONE_HU] = _BONE
    # where the head reaches the border of the array, the data end there
    border = np.pad(np.where(head, np.uint8(_UNKNOWN), np.uint8(_OPEN)), 1, mode="edge")
    border[1:-1, 1:-1, 1:-1] = events
    hits, ends = np.zeros(border.shape, np.uint8), np.zeros(border.shape, np.uint8)
    for direction in itertools.product((-1, 0, 1), repeat=3):
        if any(direction):
            _look(border, direction, hits, ends)
    known = 26 - ends[1:-1, 1:-1, 1:-1].astype(np.float32)
    share = hits[1:-1, 1:-1, 1:-1] / np.maximum(known, 1.0)
    return np.where(known >= _DIRECTIONS_KNOWN, share, 0.0).astype(np.float32)


def _look(events: Events, direction: tuple[int, ...], hits: Events, ends: Events) -> None:
    """Count for every voxel what is met first when one goes in `direction`, layer after layer."""
    axis = next(a for a in range(3) if direction[a])
    across = [direction[a] for a in range(3) if a != axis]
    layers, hit, end = (np.moveaxis(array, axis, 0) for array in (events, hits, ends))
    count = layers.shape[0]
    order = range(count - 1, -1, -1) if direction[axis] > 0 else range(count)
    met = np.full(layers.shape[1:], _OPEN, np.uint8)
    for number in order:
        met = _moved(met, across)
        here = layers[number]
        np.copyto(met, here, where=here != _ON)
        hit[number] += met == _BONE
        end[number] += met == _UNKNOWN


def _moved(plane: Events, steps: list[int]) -> Events:
    """Return the plane as seen one step further; what comes in from the side is open."""
    moved = np.full_like(plane, _OPEN)
    to = tuple(slice(max(-step, 0), n + min(-step, 0)) for step, n in zip(steps, plane.shape, strict=True))
    come = tuple(slice(max(step, 0), n + min(step, 0)) for step, n in zip(steps, plane.shape, strict=True))
    moved[to] = plane[come]
    return moved
