"""What hospitals do to heads: cuts, tilts, noise, metal, operations.

A variant is made from a head together with its brain mask, so that the mask never has to be found again in an
image that is harder to read. Every random number comes from a generator seeded with the variant's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import nibabel as nib
import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray

from bench_parts.image_heads import Affine, Image, Mask, Values
from lethe.image.deface.align import rotation


def canonical(image: Image) -> Image:
    """Store the axes in the order right, anterior, superior."""
    turn = nib.orientations.io_orientation(image.affine)  # type: ignore[no-untyped-call]
    moved = image.affine @ nib.orientations.inv_ornt_aff(turn, image.values.shape)  # type: ignore[no-untyped-call]
    return replace(
        image,
        values=nib.orientations.apply_orientation(image.values, turn),  # type: ignore[no-untyped-call]
        brain=nib.orientations.apply_orientation(image.brain, turn),  # type: ignore[no-untyped-call]
        affine=np.asarray(moved, np.float64),
    )


def resampled(image: Image, affine: Affine, shape: tuple[int, ...]) -> Image:
    """Sample the head on another lattice."""
    matrix = np.linalg.inv(image.affine) @ affine
    values = ndi.affine_transform(
        image.values, matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=1, cval=image.air
    )
    near = ndi.affine_transform(
        image.brain.astype(np.float32), matrix[:3, :3], matrix[:3, 3], output_shape=shape, order=1
    )
    return replace(image, values=values, brain=near > 0.6, affine=affine)


def _top(image: Image) -> int:
    """Return the slice of the vertex in a canonical head."""
    level = image.air + (700.0 if image.ct else 0.15 * float(np.percentile(image.values, 99)))
    area = (image.values > level).sum(axis=(0, 1)) * image.spacing[0] * image.spacing[1]
    return int(np.flatnonzero(area > 1500.0).max())


def _part(image: Image, axis: int, low: int, high: int) -> Image:
    window = tuple(slice(low, high) if a == axis else slice(None) for a in range(3))
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, axis] * low
    return replace(image, values=image.values[window], brain=image.brain[window], affine=affine)


def thick(image: Image, axis: int) -> Image:
    """Average to slices of about 5 mm along one axis."""
    image = canonical(image)
    factor = max(1, round(5.0 / image.spacing[axis]))
    count = image.values.shape[axis] // factor

    def blocks(array: NDArray[np.float32]) -> Values:
        rolled = np.moveaxis(array, axis, 0)[: count * factor]
        mean = rolled.reshape(count, factor, *rolled.shape[1:]).mean(axis=1)
        return np.ascontiguousarray(np.moveaxis(mean, 0, axis))

    step = np.eye(4)
    step[axis, axis], step[axis, 3] = factor, (factor - 1) / 2.0
    brain = blocks(image.brain.astype(np.float32)) > 0.6
    return replace(image, values=blocks(image.values), brain=brain, affine=image.affine @ step)


def oblique(image: Image, degrees: tuple[float, float, float]) -> Image:
    """Cut slices at an angle through a head that lies straight."""
    image = canonical(image)
    turn = np.eye(4)
    turn[:3, :3] = rotation(*np.deg2rad(degrees))
    return _relaid(image, turn)


def _relaid(image: Image, turn: Affine) -> Image:
    """Sample on a lattice turned (or sheared) about the middle of the image."""
    shape = np.asarray(image.values.shape)
    middle = (image.affine @ [*((shape - 1) / 2.0), 1.0])[:3]
    affine = turn @ image.affine
    affine[:3, 3] += middle - (affine @ [*((shape - 1) / 2.0), 1.0])[:3]
    return resampled(image, affine, tuple(int(n) for n in shape))


def turned(image: Image, matrix: Affine) -> Image:
    """Let the head lie in the scanner as `matrix` says; the voxels stay."""
    shape = np.asarray(image.values.shape)
    middle = (image.affine @ [*((shape - 1) / 2.0), 1.0])[:3]
    move = np.eye(4)
    move[:3, :3] = matrix
    move[:3, 3] = middle - matrix @ middle
    return replace(image, affine=move @ image.affine, upright=image.upright @ np.linalg.inv(move))


def permuted(image: Image) -> Image:
    """Store the axes in another order and direction, with the affine to match."""
    values, brain = (np.flip(np.transpose(a, (2, 0, 1)), 1) for a in (image.values, image.brain))
    affine = image.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 1] * (values.shape[1] - 1)
    affine[:3, 1] *= -1
    return replace(
        image, values=np.ascontiguousarray(values), brain=np.ascontiguousarray(brain), affine=affine
    )


def cut(image: Image, *, above: float | None = None, below: float | None = None) -> Image:
    """Leave out the slices less than `above` mm or more than `below` mm under the vertex."""
    image = canonical(image)
    top, step = _top(image), float(image.spacing[2])
    high = image.values.shape[2] if above is None else max(8, top + 1 - round(above / step))
    low = 0 if below is None else max(0, top + 1 - round(below / step))
    return _part(image, 2, low, high)


def noisy(image: Image, share: float) -> Image:
    """Add noise: in CT `share` x 1000 HU, in MR magnitude noise as a share of the bright tissue."""
    rng = image.random(f"noise {share}")
    one, two = (rng.standard_normal(image.values.shape, np.float32) for _ in range(2))
    if image.ct:
        return replace(image, values=np.clip(image.values + 1000.0 * share * one, -1024, 3071))
    sigma = share * float(np.percentile(image.values, 98))
    return replace(image, values=np.hypot(image.values + sigma * one, sigma * two))


def large(image: Image) -> Image:
    """Sample on 512 x 512 x 324 voxels."""
    image = canonical(image)
    shape = (512, 512, 324)
    step = np.diag([*(np.asarray(image.values.shape) / shape), 1.0])
    step[:3, 3] = (np.diag(step)[:3] - 1) / 2.0
    return resampled(image, image.affine @ step, shape)


def child(image: Image, size: float, *, face: float = 1.0) -> Image:
    """Shrink the head; `face` below 1 shortens and flattens its lower front half as well."""
    image = canonical(image)
    if face < 1.0:
        shape = image.values.shape
        level = _top(image) - 105.0 / image.spacing[2]
        k = np.arange(shape[2], dtype=np.float64)
        k = np.where(k < level, level - (level - k) / face, k)
        j, middle = np.arange(shape[1], dtype=np.float64), shape[1] * 0.55
        deep = np.where(j > middle, middle + (j - middle) / (0.5 + face / 2), j)
        back = np.clip((level - np.arange(shape[2])) * image.spacing[2] / 30.0, 0.0, 1.0)
        i = np.arange(shape[0], dtype=np.float64)[:, None, None]
        rows = j[None, :, None] + back[None, None, :] * (deep - j)[None, :, None]
        places = np.broadcast_arrays(i, rows, k[None, None, :])
        values = ndi.map_coordinates(image.values, places, order=1, cval=image.air)
        brain = ndi.map_coordinates(image.brain.astype(np.float32), places, order=1) > 0.6
        image = replace(image, values=values, brain=brain)
    return replace(image, affine=np.diag([size, size, size, 1.0]) @ image.affine)


def tilted(image: Image, degrees: float) -> Image:
    """Sample on a lattice sheared as a tilted gantry does."""
    image = canonical(image)
    shear = np.eye(4)
    shear[1, 2] = np.tan(np.deg2rad(degrees))
    return _relaid(image, shear)


def narrow(image: Image, *, sides: float = 0.0, front: float = 0.0, half: bool = False) -> Image:
    """Cut millimetres of the field of view at both sides or in front of the head, or its left half."""
    image = canonical(image)
    seen = np.argwhere(image.values > image.air + (500.0 if image.ct else 0.2 * image.values.max()))
    low, high = np.percentile(seen, 0.2, axis=0), np.percentile(seen, 99.8, axis=0)
    if half:
        return _part(image, 0, int((low[0] + high[0]) / 2), image.values.shape[0])
    if front:
        image = _part(image, 1, 0, int(high[1] - front / image.spacing[1]))
    if sides:
        away = sides / image.spacing[0]
        image = _part(image, 0, int(low[0] + away), int(high[0] - away))
    return image


def _ball(image: Image, centre: NDArray[np.float64], radius: float) -> Mask:
    i, j, k = (np.arange(n, dtype=np.float32) for n in image.values.shape)
    far = (
        (((i - centre[0]) * image.spacing[0]) ** 2)[:, None, None]
        + (((j - centre[1]) * image.spacing[1]) ** 2)[None, :, None]
        + (((k - centre[2]) * image.spacing[2]) ** 2)[None, None, :]
    )
    return np.asarray(far < radius**2)


def _on_brain(image: Image, direction: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the voxel where the brain reaches furthest in a direction."""
    places = np.argwhere(image.brain[::2, ::2, ::2]) * 2.0
    return np.asarray(places[np.argmax(places * image.spacing @ np.asarray(direction))])


def operated(image: Image, radius: float, bulge: float) -> Image:
    """Take the bone away over the forehead's side, and let the skin bulge or sink there."""
    image = canonical(image)
    if not image.brain.any():
        return image
    place = _on_brain(image, (0.6, 0.6, 0.5))
    flap = _ball(image, place, radius)
    soft = 35.0 if image.ct else float(np.median(image.values[image.brain])) * 0.8
    values = image.values.copy()
    bone = (values > 120.0) if image.ct else (values < 0.4 * soft)
    outside = (
        ndi.distance_transform_edt(~image.brain[::2, ::2, ::2], sampling=image.spacing * 2) if bulge else None
    )
    inside = flap & ~image.brain
    if image.ct:
        values[inside & bone] = soft
    if outside is not None:
        reach = ndi.zoom(outside, np.asarray(values.shape) / outside.shape, order=1)
        values[inside & (reach < bulge) & bone_or_air(image)] = soft
    return replace(image, values=values)


def bone_or_air(image: Image) -> Mask:
    """Return what is not soft tissue."""
    if image.ct:
        return np.asarray((image.values > 120.0) | (image.values < -200.0))
    return np.asarray(image.values < 0.3 * float(np.percentile(image.values, 98)))


def metal(image: Image) -> Image:
    """Put a bright clip beside the brain, with streaks through its slices."""
    image = canonical(image)
    rng = image.random("metal")
    place = _on_brain(image, (0.7, 0.2, -0.3))
    values = image.values.copy()
    i, j = np.meshgrid(*(np.arange(n) for n in values.shape[:2]), indexing="ij")
    away = np.hypot((i - place[0]) * image.spacing[0], (j - place[1]) * image.spacing[1]) + 4.0
    angle = np.arctan2(j - place[1], i - place[0])
    for number in range(
        int(place[2]) - int(12 / image.spacing[2]), int(place[2]) + int(12 / image.spacing[2])
    ):
        if 0 <= number < values.shape[2]:
            beams = sum(np.cos(n * angle + rng.uniform(0, 6.3)) for n in (5, 9, 14))
            values[:, :, number] += (9000.0 / away * beams).astype(np.float32)
    values[_ball(image, place, 5.0)] = 3071.0
    return replace(image, values=np.clip(values, -1024, 3071))


def biased(image: Image) -> Image:
    """Let the brightness fall off as under a surface coil."""
    image = canonical(image)
    i, j, k = (np.linspace(-1, 1, n, dtype=np.float32) for n in image.values.shape)
    field = 1.0 + 0.5 * i[:, None, None] - 0.35 * j[None, :, None] + 0.4 * k[None, None, :]
    return replace(image, values=image.values * np.clip(field, 0.15, None))


def fat_saturated(image: Image) -> Image:
    """Suppress the scalp as diffusion and fat-saturated images do, at coarse voxels."""
    image = canonical(image)
    away = ndi.distance_transform_edt(~image.brain[::2, ::2, ::2], sampling=image.spacing * 2)
    reach = ndi.zoom(away, np.asarray(image.values.shape) / away.shape, order=1)
    dimmed = image.values * np.where(reach > 5.0, 0.3, 1.0).astype(np.float32)
    dull = replace(image, values=ndi.gaussian_filter(dimmed, 1.2 / image.spacing))
    step = np.diag([*(2.0 / image.spacing[:2]), 4.0 / image.spacing[2], 1.0])
    shape = tuple(int(n) for n in np.asarray(image.values.shape) / np.diag(step)[:3])
    return noisy(resampled(dull, image.affine @ step, shape), 0.03)


def contrast(image: Image, power: float) -> Image:
    """Bend the grey values: below 1 lifts the dark tissue, above 1 sinks it."""
    top = float(np.percentile(image.values, 99.5))
    return replace(image, values=np.clip(image.values / top, 0, 1.5) ** power * top)


def stripped(image: Image) -> Image:
    """Leave the brain only."""
    return replace(image, values=np.where(image.brain, image.values, np.float32(image.air)))


def _pulled(image: Image, places: list[NDArray[np.float64]]) -> Image:
    """Let every voxel show what lies at `places` (in voxels, one array for each axis)."""
    whole = np.broadcast_arrays(*places)
    brain = ndi.map_coordinates(image.brain.astype(np.float32), whole, order=1) > 0.6
    values = ndi.map_coordinates(image.values, whole, order=1, cval=image.air, prefilter=False)
    return replace(image, values=values, brain=brain)


def large_skull(image: Image, size: float) -> Image:
    """Let the brain case grow over a face that stays, as water in the head does."""
    image = canonical(image)
    if not image.brain.any():
        return image
    middle = np.asarray(ndi.center_of_mass(image.brain))
    axes = np.meshgrid(
        *(np.arange(n, dtype=np.float64) for n in image.values.shape), indexing="ij", sparse=True
    )
    above = 1.0 / (1.0 + np.exp(-((axes[2] - middle[2]) * image.spacing[2] + 25.0) / 12.0))
    share = 1.0 + (1.0 / size - 1.0) * above
    return _pulled(image, [m + (a - m) * share for a, m in zip(axes, middle, strict=True)])


def uneven(image: Image) -> Image:
    """Bend the head smoothly and not alike on both sides, as no affine match can follow."""
    image = canonical(image)
    rng = np.random.default_rng(1)
    axes = np.meshgrid(
        *(np.arange(n, dtype=np.float64) for n in image.values.shape), indexing="ij", sparse=True
    )
    coarse = [max(4, int(n * s / 60.0)) + 2 for n, s in zip(image.values.shape, image.spacing, strict=True)]
    places = []
    for axis, step in zip(axes, image.spacing, strict=True):
        bend = ndi.zoom(rng.standard_normal(coarse), np.asarray(image.values.shape) / coarse, order=3)
        places.append(axis + bend / bend.std() * 4.5 / step)
    return _pulled(image, places)


def sinuses(image: Image) -> Image:
    """Leave the front half below the brow only, as images of the sinuses do."""
    image = cut(image, above=85.0)
    seen = np.argwhere(image.values > image.air + (500.0 if image.ct else 0.2 * image.values.max()))[:, 1]
    low, high = np.percentile(seen, (0.2, 99.8))
    return _part(image, 1, int((low + high) / 2) - 10, image.values.shape[1])


def folded(image: Image) -> Image:
    """Let the front of the face appear behind the head, as a field of view that is too small does."""
    image = canonical(image)
    seen = np.argwhere(image.values > 0.2 * image.values.max())[:, 1]
    step = int(image.values.shape[1] - np.percentile(seen, 99.8) + 28.0 / image.spacing[1])
    return replace(image, values=np.roll(image.values, step, 1), brain=np.roll(image.brain, step, 1))


TURN = rotation(*np.deg2rad((22.0, 8.0, -15.0)))
PRONE = rotation(0.0, 0.0, np.pi)

ISSUE: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "5 mm": lambda image: thick(image, 2),
    "coronal 5 mm": lambda image: thick(image, 1),
    "oblique 22/8/-15": lambda image: oblique(image, (22.0, 8.0, -15.0)),
    "turned 22/8/-15": lambda image: turned(image, TURN),
    "prone": lambda image: turned(image, PRONE),
    "axes permuted": permuted,
    "vertex cut": lambda image: cut(image, above=40.0),
    "chin cut": lambda image: cut(image, below=165.0),
    "top 100 mm": lambda image: cut(image, below=100.0),
    "noise": lambda image: noisy(image, 0.06),
    "512x512x324": large,
}
BOTH: dict[str, Callable[[Image], Image]] = {
    "child 0.85": lambda image: child(image, 0.85),
    "child 0.75, small face": lambda image: child(image, 0.75, face=0.8),
    "child 0.65, small face": lambda image: child(image, 0.65, face=0.7),
    "child 0.55, small face": lambda image: child(image, 0.55, face=0.65),
    "tilt 18": lambda image: tilted(image, 18.0),
    "tilt -24": lambda image: tilted(image, -24.0),
    "half a head": lambda image: narrow(image, half=True),
    "sides cut 25 mm": lambda image: narrow(image, sides=25.0),
    "front cut 18 mm": lambda image: narrow(image, front=18.0),
    "neck, 75 mm cut": lambda image: cut(image, above=75.0),
    "flap, skin bulges": lambda image: operated(image, 45.0, 14.0),
    "flap, skin sunk": lambda image: operated(image, 45.0, 0.0),
    "burr hole": lambda image: operated(image, 8.0, 0.0),
    "low signal": lambda image: noisy(image, 0.15),
    "brain only": stripped,
    "large skull": lambda image: large_skull(image, 1.25),
    "uneven skull": uneven,
    "sinuses": sinuses,
}
CT_ONLY: dict[str, Callable[[Image], Image]] = {"metal": metal}
MR_ONLY: dict[str, Callable[[Image], Image]] = {
    "folded over": folded,
    "fat-saturated": fat_saturated,
    "surface coil": biased,
    "contrast 0.5": lambda image: contrast(image, 0.5),
    "contrast 2": lambda image: contrast(image, 2.0),
}


def variants(image: Image, *, further: bool = True) -> dict[str, Callable[[Image], Image]]:
    """Return what can be made of a head: the issue's list, and the further ones."""
    return ISSUE | ((BOTH | (CT_ONLY if image.ct else MR_ONLY)) if further else {})
