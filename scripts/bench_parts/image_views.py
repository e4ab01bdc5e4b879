"""Pictures of a head before and after for the face detectors, and how far its surface moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from PIL import Image as Pillow

from bench_parts.image_heads import Image
from lethe.image.deface import render
from lethe.image.deface.grid import Grid, to_grid
from lethe.image.deface.head import otsu
from lethe.image.deface.morph import closed, dilate, filled, largest, opened
from lethe.image.deface.render import View

ANGLES = (-50.0, -25.0, 0.0, 25.0, 50.0)
MORE_ANGLES = (-45.0, -20.0, 20.0, 45.0)
PIXEL_MM = 1.2
ENLARGED = 2.5
BORDER = 30
MOVED_MM = 4.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Stage:
    """Where to look from, and what must not stand in the way."""

    grid: Grid
    solid: Mask
    near: Mask
    level: float


def set_stage(image: Image) -> Stage:
    """Find head and skin without any template.

    The grid stands upright whatever the scanner says, so that every head looks into the camera.
    """
    grid = _grid(image, image.values)
    if image.ct:
        level, core = -300.0, 4.0
    else:
        bright = grid.values[grid.values > 0]
        level, core = 0.4 * otsu(np.minimum(bright, np.percentile(bright, 98))), 1.5
    tissue = ndi.gaussian_filter(grid.values, 0.7) > level
    solid = largest(opened(tissue, core, grid.spacing))
    solid = filled(closed(largest(dilate(solid, 5.0, grid.spacing) & tissue), 6.0, grid.spacing))
    return Stage(grid, solid, dilate(solid, 6.0, grid.spacing), level)


def _grid(image: Image, values: NDArray[np.float32]) -> Grid:
    step = np.maximum(1, np.floor(PIXEL_MM / image.spacing + 0.2)).astype(int)
    shape = tuple(int(n) for n in np.asarray(values.shape) // step)
    part = values[tuple(slice(n * s) for n, s in zip(shape, step, strict=True))]
    blocks = part.reshape(shape[0], step[0], shape[1], step[1], shape[2], step[2]).mean(axis=(1, 3, 5))
    places = np.diag([*step.astype(float), 1.0])
    places[:3, 3] = (step - 1) / 2.0
    affine = image.upright @ image.affine @ places
    return to_grid(blocks.astype(np.float32), affine, air=image.air, spacing=PIXEL_MM)


def shown(stage: Stage, image: Image, values: NDArray[np.float32]) -> Grid:
    """Return what is looked at: only what was near the head before."""
    grid = _grid(image, values)
    return replace(grid, values=np.where(stage.near, grid.values, np.float32(image.air)))


def views(
    stage: Stage,
    image: Image,
    values: NDArray[np.float32],
    *,
    behind: bool = False,
    angles: tuple[float, ...] = ANGLES,
) -> list[View]:
    """Look at the head from every angle, or at its back."""
    grid = shown(stage, image, values)
    turned = [angle + 180.0 * behind for angle in angles]
    return render.views(grid, stage.level, turned, frame=stage.solid, pixel_mm=PIXEL_MM)


def save(found: list[View], folder: Path, name: str, angles: tuple[float, ...] = ANGLES) -> list[Path]:
    """Write the pictures as large as detectors like them."""
    paths = []
    for angle, view in zip(angles, found, strict=True):
        picture = Pillow.fromarray(np.pad(view.picture, BORDER))
        size = (round(picture.width * ENLARGED), round(picture.height * ENLARGED))
        paths.append(folder / f"{name}_{angle:+.0f}.png")
        picture.resize(size, Pillow.Resampling.BICUBIC).save(paths[-1])
    return paths


def moved(
    before: list[View], after: list[View], *, top_mm: float = 70.0, half_mm: float = 55.0
) -> float | None:
    """Return the share of the frontal surface below the brow that moved back by more than 4 mm.

    The face is taken as what is seen from the front more than 70 mm below the vertex and less than 55 mm
    beside the middle: no template is asked.
    """
    one, other = (found[ANGLES.index(0.0)].distance for found in (before, after))
    hit = np.isfinite(one)
    if not hit.any():
        return None
    rows, columns = (np.asarray(n, np.float64) for n in np.indices(one.shape))
    top, middle = int(hit.any(axis=1).argmax()), float(np.median(columns[hit]))
    face = hit & ((rows - top) * PIXEL_MM > top_mm) & (np.abs(columns - middle) * PIXEL_MM < half_mm)
    face &= (rows - top) * PIXEL_MM < 215.0
    # only what really lies in front: the neck and the end of the data are no face
    face &= one < np.percentile(one[face], 5) + 70.0 if face.any() else face
    if face.sum() * PIXEL_MM**2 < 600.0:
        return None
    return float(np.mean(other[face] - one[face] > MOVED_MM))
