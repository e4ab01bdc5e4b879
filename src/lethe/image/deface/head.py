"""Where the head is: one solid shape without table, head rest and blankets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from lethe.errors import Refused

from .grid import Array3, Grid
from .morph import Mask, closed, depth, dilate, filled, largest, opened
from .mrbrain import shown_brain
from .scene import Modality, Scene
from .witness import BONE_HU, SkullParts, enclosed_brain, skull_parts

_BORDER_MM = 18.0
_REACH_MM = 280.0  # CTA starts at the aortic arch: nothing below this under the vertex is head
_MINIMUM_ML = 250.0
_THIN_ML = 60.0
_SKIN_HU = -250.0
_NOISY_HU = 25.0  # at 2 mm; ordinary head CT has 3 to 12
_BONE_SHARE = 0.03  # a head is one fifth bone, a water bottle none
_SPREAD = 0.2  # real heads have 0.37 to 0.9 in any contrast, a bottle 0.01
_FILLED = 0.92
_COIL_MM = 24.0
_UNEVEN = 2.5  # most heads under a head coil have less
_BRAIN_ML = (300.0, 2000.0)  # a whole adult head has more than 2500
_SAME_AROUND = 0.995
_DARK_LAYER = 0.11  # cut-out brains have 0.00 to 0.09, heads 0.14 to 0.35


@dataclass(frozen=True, slots=True)
class Head:
    """The head on a grid cropped to it.

    Attributes
    ----------
    grid : Grid
    mask : ndarray of bool
        Solid head, cavities included.
    modality : Modality
    skin : float
        Value above which a voxel is tissue, not air.
    bare : bool
        Only the brain is there: scalp and skull were cut away before.
    parts : SkullParts or None
        What a CT is made of; None in MR.
    brain : ndarray of bool or None
        Brain that the image shows by itself; None where no skull encloses any.
    """

    grid: Grid
    mask: Mask
    modality: Modality
    skin: float
    bare: bool = False
    parts: SkullParts | None = None
    brain: Mask | None = None


def find_head(scene: Scene, *, thin: bool = False) -> Head:
    """Find the head and crop the grid to it.

    Parameters
    ----------
    scene : Scene
    thin : bool
        Take less than a head: a slab whose pose another image knows.

    Returns
    -------
    Head

    Raises
    ------
    Refused
        ``no-head`` when there is no solid object of the size of a part of a head.
    """
    grid = scene.grid
    skin = _SKIN_HU if scene.modality is Modality.CT else _mr_threshold(grid.values, grid.valid)
    rough = ndi.binary_opening(grid.values > skin, iterations=2)
    if not rough.any():
        raise no_head()
    low, high = _box(rough, 6)
    part = grid.crop(low, high)
    if scene.modality is Modality.CT:
        part = _calm(part)
    mask = _ct_mask(part) if scene.modality is Modality.CT else _mr_mask(part, skin)
    least = _THIN_ML if thin else _MINIMUM_ML
    bare = _bare_brain(part, mask, scene.modality)
    if mask.sum() * grid.voxel_ml < least or not (thin or bare or _like_a_head(part, mask, scene.modality)):
        raise no_head()
    low, high = _box(mask, int(_BORDER_MM / grid.spacing))
    top = int(np.argwhere(mask.any(axis=(0, 1))).max())
    low[2] = max(low[2], top - int(_REACH_MM / grid.spacing))
    low, high = np.maximum(low, 0), np.minimum(high, mask.shape)
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    head = Head(part.crop(low, high), mask[window], scene.modality, skin, bare)
    if scene.modality is Modality.MR:
        return head if bare else replace(head, brain=shown_brain(head.grid, head.mask, evened(head)))
    parts = skull_parts(head.grid, head.mask)
    return replace(head, parts=parts, brain=enclosed_brain(head.grid, head.mask, parts))


def _calm(grid: Grid) -> Grid:
    """Take the noise out of a very noisy CT: single cells of brain would count as air, bone or fat."""
    flat = grid.values[:-1, :-1] - grid.values[1:, :-1] - grid.values[:-1, 1:] + grid.values[1:, 1:]
    soft = (grid.values > _SKIN_HU) & (grid.values < BONE_HU)
    detail = flat[soft[:-1, :-1] & soft[1:, 1:]]
    # half the sum of four numbers has their spread, whose median is 0.6745 of it
    if not detail.size or float(np.median(np.abs(detail))) / 2.0 / 0.6745 < _NOISY_HU:
        return grid
    return replace(grid, values=ndi.median_filter(grid.values, size=3))


def _like_a_head(grid: Grid, mask: Mask, modality: Modality) -> bool:
    """Rule out noise without any air around, bottles of one value, and objects without bone."""
    if mask.sum() > _FILLED * grid.valid.sum():
        return False
    values = grid.values[mask]
    if modality is Modality.CT:
        return float(np.mean(values > BONE_HU)) > _BONE_SHARE
    low, middle, high = np.percentile(values, (25, 50, 75))
    return bool(high - low > _SPREAD * middle)


def _bare_brain(grid: Grid, mask: Mask, modality: Modality) -> bool:
    """Recognise a brain that was cut out: one value all around it, its size, and no skull under its surface.

    The skull is what tells it from a small head: bone in CT, a dark layer in MR.
    """
    around = grid.values[grid.valid & ~dilate(mask, 6.0, grid.spacing)]
    if not _BRAIN_ML[0] < mask.sum() * grid.voxel_ml < _BRAIN_ML[1] or not around.size:
        return False
    nothing = float(np.median(around))
    if np.mean(np.abs(around - nothing) < 1e-3 * float(grid.values.max())) < _SAME_AROUND:
        return False
    if modality is Modality.CT:
        return bool(np.mean(grid.values[mask] > BONE_HU) < _BONE_SHARE / 4)
    below = depth(mask | ~grid.valid, grid.spacing)
    inner = grid.values[mask & (below > 14.0)]
    layer = grid.values[mask & (below > 3.0) & (below < 11.0)]
    return bool(inner.size and np.mean(layer < 0.4 * np.median(inner)) < _DARK_LAYER)


def unevenness(head: Head) -> float:
    """How much brighter the bright parts of an MR head are than its dark parts, at the scale of a coil."""
    if head.modality is Modality.CT:
        return 1.0
    low, high = np.percentile(_coil(head)[head.mask & head.grid.valid], (5, 95))
    return float(high / max(low, 1e-6))


def evened(head: Head) -> Array3:
    """Return the values without the fall-off of a surface coil, where there is much of it."""
    if unevenness(head) < _UNEVEN:
        return head.grid.values
    local = _coil(head)
    usual = float(np.median(local[head.mask & head.grid.valid]))
    return np.asarray(head.grid.values * (usual / np.maximum(local, 0.1 * usual)), np.float32)


def _coil(head: Head) -> Array3:
    """Mean brightness of the head around each voxel."""
    inner = head.mask & head.grid.valid
    sigma = _COIL_MM / head.grid.spacing
    weight = ndi.gaussian_filter(inner.astype(np.float32), sigma)
    local = ndi.gaussian_filter(np.where(inner, head.grid.values, np.float32(0)), sigma) / (weight + 1e-6)
    return np.asarray(local, np.float32)


def no_head() -> Refused:
    """Return the refusal of an image that shows no head."""
    return Refused(
        "no-head",
        "No object of the size of a head is in the image.",
        remedy="Check that the series shows a head; leave phantoms and localisers out.",
    )


def _box(mask: Mask, border: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    low, high = [], []
    for axis in range(3):
        hits = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        low.append(max(0, int(hits[0]) - border))
        high.append(min(mask.shape[axis], int(hits[-1]) + border + 1))
    return np.asarray(low), np.asarray(high)


def _ct_mask(grid: Grid) -> Mask:
    tissue = grid.values > _SKIN_HU
    # an opening of 4 mm drops the shell of the head rest, the table and blankets
    core = largest(opened(tissue, 4.0, grid.spacing))
    # ... and rounds off nose, lips and ears, which 5 mm of regrowth into tissue gives back
    whole = largest(dilate(core, 5.0, grid.spacing) & (grid.values > _SKIN_HU - 50.0))
    return filled(closed(whole, 6.0, grid.spacing))


def _mr_mask(grid: Grid, skin: float) -> Mask:
    core = largest(opened(grid.values > skin, 1.5, grid.spacing))
    return filled(closed(core, 6.0, grid.spacing))


def _mr_threshold(values: Array3, valid: Mask) -> float:
    """A third of the way from the air to Otsu's threshold: below the skull's marrow, above most ghosts.

    Air is not always 0: noise, an offset or a bent grey scale lift it.
    """
    positive = values[values > 0]
    if positive.size < 1000:
        raise no_head()
    level = otsu(np.minimum(positive, np.percentile(positive, 98)))
    air = min(max(float(np.percentile(values[valid], 15)), 0.0), 0.5 * level)
    return max(air + 0.35 * (level - air), 1e-6)


def otsu(values: NDArray[np.float32]) -> float:
    """Threshold that best separates `values` into two groups (Otsu 1979), from 256 bins."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2.0
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = total / below - (total[-1] - total) / above
        score = np.where((below > 0) & (above > 0), below * above * gap**2, 0.0)
    return float(centres[int(np.argmax(score))])
