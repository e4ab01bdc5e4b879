"""A synthetic head with skull, brain, scalp and face, as CT or T1-weighted MR.

No real person is in it. It is drawn from solid shapes in millimetres of MNI space (so that a template
finds its way), scaled to the size of an ordinary adult, with the noise of a seeded generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kit.shapes import Canvas, Ellipsoid, Field, Rod, Shape, both_sides

Modality = Literal["ct", "mr"]


@dataclass(frozen=True)
class Volume:
    """Voxels with their place in the scanner.

    Attributes
    ----------
    data : NDArray, shape (i, j, k) or (i, j, k, t)
        Intensities (CT: HU), int16.
    affine : NDArray, shape (4, 4)
        Voxel index to RAS millimetres.
    """

    data: NDArray[np.int16]
    affine: NDArray[np.float64]


class Tissue(IntEnum):
    """Labels of the phantom."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    BONE = 4
    MARROW = 5
    FLUID = 6
    GREY = 7
    WHITE = 8
    EYE = 9
    TOOTH = 10
    HOLDER = 11


# Typical values of an adult on a brain CT (HU) and on a T1-weighted scan (arbitrary units).
_INTENSITY: dict[Modality, dict[Tissue, float]] = {
    "ct": dict(zip(Tissue, (-1000, 20, -95, 52, 1150, 420, 6, 38, 27, 12, 2100, -180), strict=True)),
    "mr": dict(zip(Tissue, (4, 250, 620, 230, 25, 260, 95, 330, 460, 110, 15, 4), strict=True)),
}

_SKIN: list[Shape] = [
    Ellipsoid((0, -15, 12), (82, 101, 86)),
    Ellipsoid((0, -34, -24), (76, 78, 60)),
    Ellipsoid((0, 30, -75), (64, 60, 72)),
    Ellipsoid((0, 58, -124), (36, 38, 24)),
    Rod((0, -36, -70), (0, -34, -300), 62, 58),
    *both_sides(
        Rod((10, 80, -12), (42, 66, -14), 9, 9),
        Ellipsoid((46, 56, -64), (21, 24, 22)),
        Ellipsoid((44, 2, -84), (27, 42, 48)),
    ),
]
_FEATURES: list[Shape] = [
    Rod((0, 82, -26), (0, 101, -78), 7, 10.5),
    Ellipsoid((0, 104, -81), (11, 9, 9)),
    Ellipsoid((0, 89, -104), (26, 9, 5.5)),
    Ellipsoid((0, 88, -114), (22, 9, 5.5)),
    *both_sides(Ellipsoid((14, 94, -84), (8, 11, 7.5)), Ellipsoid((32, 69, -31), (15.5, 15.5, 14.5))),
]
_SOCKETS = both_sides(Ellipsoid((34, 94, -34), (19, 16, 13)))
_EARS = both_sides(
    Rod((80, -28, -58), (86, -36, -24), 6, 6),
    Rod((86, -36, -24), (88, -52, -14), 5, 4),
    Rod((88, -52, -14), (86, -54, -42), 4, 4),
    Rod((86, -54, -42), (80, -28, -66), 4, 6),
)
_CONCHAS = both_sides(Ellipsoid((89, -38, -38), (6, 7, 12)))

_BRAIN: list[Shape] = [
    Ellipsoid((0, -18, 20), (68, 86, 62)),
    Ellipsoid((0, 40, 2), (42, 27, 26)),
    Ellipsoid((0, -62, -38), (50, 34, 26)),
    Rod((0, -24, -18), (0, -38, -76), 15, 11),
    *both_sides(Ellipsoid((44, -8, -26), (24, 40, 24))),
]
_CORD = Rod((0, -38, -76), (0, -46, -300), 8, 8)
_VENTRICLES: list[Shape] = [
    Ellipsoid((0, -12, 2), (3, 16, 12)),
    Ellipsoid((0, -46, -36), (9, 7, 9)),
    *both_sides(Rod((9, 30, 14), (14, -30, 24), 6, 7), Rod((14, -30, 24), (30, -24, -8), 6, 4)),
]
_DEEP_GREY = both_sides(Ellipsoid((14, -14, 6), (9, 15, 9)), Ellipsoid((27, 4, 0), (7, 18, 12)))

_FACE_BONE: list[Shape] = [
    Ellipsoid((0, 60, -82), (30, 24, 24)),
    Ellipsoid((0, 12, -42), (22, 20, 15)),
    Ellipsoid((0, 72, -8), (26, 9, 14)),
    Rod((0, 80, -22), (0, 90, -46), 4.5, 2.5),
    Rod((-14, 84, -134), (14, 84, -134), 7, 7),
    *both_sides(
        Rod((28, 70, -58), (58, 42, -58), 7, 5),
        Rod((58, 42, -58), (68, 0, -50), 4.5, 4),
        Rod((12, 74, -14), (44, 60, -16), 5, 5),
        Rod((46, 58, -16), (46, 54, -50), 4, 5),
        Rod((14, 84, -134), (36, 56, -130), 7.5, 7),
        Rod((36, 56, -130), (52, 14, -122), 7, 6.5),
        Rod((52, 14, -122), (57, 4, -58), 6.5, 5),
        Rod((18, -14, -48), (60, -32, -50), 11, 12),
        Ellipsoid((58, -42, -62), (12, 13, 18)),
    ),
    *(Ellipsoid((0, -22 - 0.02 * (-90 - z), z), (13, 11, 7)) for z in range(-98, -300, -18)),
]
_TEETH: list[Shape] = [
    Rod((x0, y0, z), (x1, y1, z), 4, 4)
    for z in (-100, -113)
    for (x0, y0), (x1, y1) in (((-10, 82), (10, 82)), ((10, 82), (22, 62)), ((-10, 82), (-22, 62)))
]
_AIRWAYS: list[Shape] = [
    Ellipsoid((0, 14, -42), (14, 12, 9)),
    Rod((0, 28, -78), (0, 10, -104), 9, 8),
    Rod((0, 10, -104), (0, -4, -300), 8, 9),
    Ellipsoid((0, 60, -107), (20, 22, 2.5)),
    *both_sides(
        Ellipsoid((23, 56, -68), (13, 17, 15)),
        Ellipsoid((9, 72, -4), (8, 5, 9)),
        Ellipsoid((7, 50, -38), (5.5, 21, 11)),
        Ellipsoid((7.5, 62, -72), (4.5, 32, 18)),
        Rod((7, 96, -90), (7, 80, -84), 4, 5),
        Rod((88, -34, -40), (58, -22, -44), 3, 2.5),
    ),
]
_EYES = both_sides(Ellipsoid((32, 67, -31), (13, 13, 13)))
_ORBITS = both_sides(Ellipsoid((29, 54, -32), (19, 28, 17)))


def head(
    modality: Modality = "ct",
    *,
    spacing: tuple[float, float, float] = (1.5, 1.5, 2.0),
    pose: NDArray[np.float64] | None = None,
    z_range: tuple[float, float] = (-138.0, 100.0),
    seed: int = 0,
) -> Volume:
    """Draw the head phantom.

    Parameters
    ----------
    modality : {"ct", "mr"}
        Hounsfield units with a head holder, or T1-weighted intensities with a bias field.
    spacing : tuple of float
        Voxel size along x, y, z in mm.
    pose : NDArray, shape (4, 4), optional
        Rigid movement of the head in scanner millimetres.
    z_range : tuple of float
        Lowest and highest scanner z in mm; the vertex lies near 88, the chin near -130.
    seed : int
        Of folding pattern and noise: the same seed gives the same voxels.

    Returns
    -------
    Volume
        int16 voxels in RAS order and their affine.
    """
    labels, canvas, affine = draw(spacing=spacing, pose=pose, z_range=z_range, seed=seed)
    if modality == "ct":
        _head_holder(labels, canvas)
    rng = np.random.default_rng([seed, 2])
    values = np.array([_INTENSITY[modality][t] for t in Tissue], np.float32)[labels]
    values = ndimage.gaussian_filter(values, [0.7 / s for s in spacing])
    if modality == "ct":
        values += rng.normal(0, 5, values.shape).astype(np.float32)
        data = np.clip(np.rint(values), -1024, 3071).astype(np.int16)
    else:
        values *= 1.0 + 0.12 * np.sin(canvas.x / 110 + 0.4) * np.cos(canvas.y / 130) - 0.0008 * canvas.z
        # Magnitude of a complex signal: the noise of the air is never negative.
        noise = rng.normal(0, 9, (2, *values.shape)).astype(np.float32)
        data = np.rint(np.hypot(values + noise[0], noise[1])).astype(np.int16)
    return Volume(data, affine)


# An adult head is smaller than the MNI template; the shapes above are in template millimetres.
ADULT = 0.9


def draw(
    *,
    spacing: tuple[float, float, float],
    pose: NDArray[np.float64] | None = None,
    z_range: tuple[float, float] = (-138.0, 100.0),
    seed: int = 0,
) -> tuple[NDArray[np.uint8], Canvas, NDArray[np.float64]]:
    """Return the tissue labels, the canvas they are drawn on, and the affine (see `head`)."""
    low, high = np.array([-114.0, -132.0, z_range[0]]), np.array([114.0, 122.0, z_range[1]])
    size = np.ceil((high - low) / spacing).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    move = np.eye(4) if pose is None else np.asarray(pose, float)
    canvas = Canvas(
        (int(size[0]), int(size[1]), int(size[2])),
        np.diag([1 / ADULT] * 3 + [1.0]) @ np.linalg.inv(move) @ affine,
    )
    labels = np.zeros(canvas.shape, np.uint8)
    skin = _outside(canvas, labels)
    brain = canvas.join(_BRAIN, 12)
    _bones(canvas, labels, brain, skin, np.random.default_rng([seed, 0]))
    _inside(canvas, labels, brain, np.random.default_rng([seed, 1]))
    return labels, canvas, affine


def _outside(canvas: Canvas, labels: NDArray[np.uint8]) -> Field:
    skin = canvas.join(_SKIN, 14)
    for shape in _SOCKETS:
        canvas.carve(skin, shape, 8)
    for shape in _FEATURES:
        canvas.add(skin, shape, 5)
    ears = canvas.join(_EARS, 4)
    for shape in _CONCHAS:
        canvas.carve(ears, shape, 3)
    labels[skin < 0] = Tissue.MUSCLE
    # Fat lies under 2 mm of skin: thicker on cheeks and neck than on the scalp.
    depth = np.where(canvas.z < -50, 7.5, 5.0)
    labels[(skin < -2) & (skin > -depth)] = Tissue.FAT
    labels[((skin <= 0) & (skin >= -2)) | (ears < 0)] = Tissue.SKIN
    return np.minimum(skin, ears)


def _bones(
    canvas: Canvas, labels: NDArray[np.uint8], brain: Field, skin: Field, rng: np.random.Generator
) -> None:
    deep = skin < -4
    vault = (brain < 10.5) & (brain >= 3) & deep & (canvas.z > -70)
    labels[vault] = Tissue.BONE
    labels[vault & (brain > 5.2) & (brain < 8.2)] = Tissue.MARROW
    for shape, tissue in [(s, Tissue.FAT) for s in _ORBITS] + [(s, Tissue.BONE) for s in _FACE_BONE]:
        _paint(canvas, labels, shape, tissue, skin < -3)
    for shape in _TEETH:
        _paint(canvas, labels, shape, Tissue.TOOTH, skin < -3)
    ring = canvas.join([_CORD])
    rings = (ring > 4) & (ring < 10) & (canvas.z < -80) & (np.mod(canvas.z, 18.0) > 5) & deep
    labels[rings] = Tissue.BONE
    for shape in _EYES:
        _paint(canvas, labels, shape, Tissue.EYE)
    for shape in _AIRWAYS:
        _paint(canvas, labels, shape, Tissue.AIR)
    for shape in both_sides(Ellipsoid((58, -42, -58), (9, 10, 14))):
        cells = canvas.join([shape]) < 0
        labels[cells] = np.where(canvas.waves(7, 8, rng, cells) > 0, Tissue.AIR, labels[cells])


def _inside(canvas: Canvas, labels: NDArray[np.uint8], brain: Field, rng: np.random.Generator) -> None:
    labels[(brain < 3) | (canvas.join([_CORD]) < 4)] = Tissue.FLUID
    tissue = (brain < 0) | (canvas.join([_CORD]) < 0)
    depth = -brain[tissue]
    fold = canvas.waves(17, 14, rng, tissue)
    kind = np.where(depth < 9 + 8 * fold, Tissue.GREY, Tissue.WHITE)
    kind[depth < 22 * (fold - 0.5)] = Tissue.FLUID
    # The fissure between the hemispheres.
    x, z = canvas.x[tissue], canvas.z[tissue]
    kind[(np.abs(x) < 1.3) & (z > 14) & (depth < 40)] = Tissue.FLUID
    labels[tissue] = kind
    for shape in _DEEP_GREY:
        _paint(canvas, labels, shape, Tissue.GREY)
    for shape in _VENTRICLES:
        _paint(canvas, labels, shape, Tissue.FLUID)


def _paint(
    canvas: Canvas,
    labels: NDArray[np.uint8],
    shape: Shape,
    tissue: Tissue,
    where: NDArray[np.bool_] | None = None,
) -> None:
    part = canvas.part(shape, 1.0)
    if part is None:
        return
    inside = shape.distance(canvas.x[part], canvas.y[part], canvas.z[part]) < 0
    labels[part][inside if where is None else inside & where[part]] = tissue


def _head_holder(labels: NDArray[np.uint8], canvas: Canvas) -> None:
    """Put a curved head rest under the back of the head, as on every CT table."""
    radius = np.hypot(canvas.x, canvas.y + 24)
    shell = (radius > 107) & (radius < 112) & (canvas.y < -60) & (canvas.z < 60)
    labels[shell & (labels == Tissue.AIR)] = Tissue.HOLDER
