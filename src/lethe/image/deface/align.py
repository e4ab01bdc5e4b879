"""Where the head lies in MNI space: affine registration by normalised mutual information.

Points of the image are pushed into the template, so a head that is only partly in the image costs nothing.
Points that land where the template has no data are left out of the histogram; poses that push many of them
out are penalised, because leaving points out rewards absurd poses.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from scipy.optimize import minimize

from .brains import Brains
from .grid import Affine, Grid
from .head import Head, evened
from .morph import dilate
from .scene import Modality
from .template import Template

Vector = NDArray[np.float64]

BINS = 32
_UNIT = 80.0  # rotations and scales are measured in mm at this distance from the centre
_OUTSIDE = -500.0
_SEED = 0
_RIM_MM = 12.0
_TOP_MM = 150.0  # the head proper, for centring
_USED_MM = 230.0
_SIZES = (0.0, 10.0)  # as the template, and 13 % smaller, as most adults are
_TEMPLATE_MM = (152.0, 182.0)  # width and length of the template's vault
_CHILD = 1.22  # adults need up to 1.19
# a brain 10 mm beside the template's weighs more than poses differ in information; what an MR shows of its
# brain may take in an eye, which must not pull the pose down
_INNER_WEIGHT = {Modality.CT: 0.5, Modality.MR: 0.15}
_HOPELESS = 0.06  # who is so far behind the best stays behind: the second search gains up to 0.03
_MNI_CENTRE = np.array([0.0, -15.0, 8.0])


@dataclass(frozen=True, slots=True)
class Alignment:
    """The pose that was found.

    Attributes
    ----------
    to_mni : ndarray, shape (4, 4)
        Scanner millimetres to MNI millimetres.
    nmi : float
        Normalised mutual information at that pose (1: none).
    inside : float
        Share of the points that land inside the template's data.
    scales : tuple of float
        Size of the template relative to the head along three axes, sorted.
    runner_up : float
        Best score among poses that differ, same measure.
    turned : bool
        The head does not lie as the header says: on its face or upside down.
    shared_nmi : float or None
        When the pose is that of another image of the session: how well the two images lie on one another.
    expected_size : float
        Size of the template relative to the head by width and length alone; 1 unless the head is a child's.
    """

    to_mni: Affine
    nmi: float
    inside: float
    scales: tuple[float, float, float]
    runner_up: float
    turned: bool
    shared_nmi: float | None = None
    expected_size: float = 1.0


@dataclass(frozen=True, slots=True)
class _Points:
    places: Vector
    bins: NDArray[np.int64]

    def first(self, count: int) -> _Points:
        return _Points(self.places[:, :count], self.bins[:count])


@dataclass(frozen=True, slots=True)
class _Level:
    """Template at one sharpness, in bins, `_OUTSIDE` where it has no data."""

    values: NDArray[np.float32]
    to_index: Affine


def align(head: Head, template: Template) -> Alignment:
    """Register the head to the template.

    Parameters
    ----------
    head : Head
    template : Template

    Returns
    -------
    Alignment
        Same input, same numbers: the random points are drawn with a fixed seed.
    """
    rng = np.random.default_rng(_SEED)
    coarse, fine = _level(template, 2.0, 3), _level(template, 1.0, 2)
    search = _Search(head, template)
    few, many = search.draw(rng, 2500), search.draw(rng, 7000)
    quick = partial(search.refine, points=few, level=coarse, step=0.5, calls=350, first=(6, 6, 6, 8, 6, 6, 4))
    exact = partial(search.refine, points=many, level=fine, step=0.3)
    # each search stands alone, so that two may run at a time; the order of the results is that of the starts
    with ThreadPoolExecutor(2) as both:
        upright, turned = search.starts(few, coarse), search.turned(few, coarse)
        found = [pose for _, pose in both.map(quick, upright + turned)]
        # the blurred template and the sharper one do not agree on the order of poses that differ much
        rough = _ranked(found[: len(upright)], search.cost, many, fine)[:3] + found[len(upright) :]
        scored = [(search.cost(pose, many, fine), pose) for pose in rough]
        limit = min(cost for cost, _ in scored) + _HOPELESS
        second = [(cost, pose) for cost, pose in scored if cost > limit]
        near = [pose for cost, pose in scored if cost <= limit]
        second += both.map(partial(exact, calls=300, first=(2, 2, 2, 3, 3, 3, 3)), near)
    second.sort(key=lambda found: found[0])
    start = np.concatenate([second[0][1], np.zeros(5)])
    _, pose = exact(start, calls=700, first=(1, 1, 1, *(2,) * 9))
    matrix = search.matrix(pose)
    nmi, inside = search.measure(pose, many, fine)
    others = [-score for score, other in second[1:] if _far(matrix, search.matrix(other))]
    turned_over = bool(np.trace(matrix[:3, :3]) < np.cbrt(np.linalg.det(matrix[:3, :3])))
    scales = sorted(float(s) for s in np.linalg.svd(matrix[:3, :3])[1])
    return Alignment(
        matrix,
        nmi,
        inside,
        (scales[0], scales[1], scales[2]),
        max(others, default=1.0),
        turned_over,
        expected_size=search.expected,
    )


def _expected_size(vault: NDArray[np.int64], top: float, grid: Grid) -> float:
    """How much larger the template is, if more than adults need; a cut side makes nobody a child."""
    heights = vault[:, 2] * grid.spacing + grid.affine[2, 3]
    inner = vault[heights < top - 20.0]
    if not len(inner):
        return 1.0
    spans = np.subtract(*np.percentile(inner[:, :2], (98, 2), axis=0)) * grid.spacing
    ratio = float(min(whole / max(span, 1.0) for whole, span in zip(_TEMPLATE_MM, spans, strict=True)))
    return min(ratio, 2.0) if ratio > _CHILD else 1.0


def _far(one: Affine, other: Affine) -> bool:
    """Say whether two poses put the head more than 25 mm apart somewhere."""
    corners = np.array([[x, y, z, 1.0] for x in (-70, 70) for y in (-100, 70) for z in (-60, 70)]).T
    moved = other @ np.linalg.inv(one) @ corners
    return bool(np.sqrt(((moved - corners)[:3] ** 2).sum(axis=0)).max() > 25.0)


def _level(template: Template, blur: float, step: int) -> _Level:
    values = ndi.gaussian_filter(template.head, blur)[::step, ::step, ::step]
    fov = ndi.binary_erosion(template.fov, iterations=2)[::step, ::step, ::step]
    affine = template.affine.copy()
    affine[:3, :3] *= step
    values = np.clip(values / np.percentile(values[values > 0.05], 99), 0, 1) * (BINS - 1)
    # above the vertex the template may end, but what is missing there is air
    above = np.arange(values.shape[2]) * affine[2, 2] + affine[2, 3] > 40
    values[~fov & ~above] = _OUTSIDE
    return _Level(np.asarray(values, np.float32), np.asarray(np.linalg.inv(affine), np.float64))


def _entropy(histogram: Vector) -> float:
    filled = histogram[histogram > 0]
    return float(-(filled * np.log(filled)).sum())


def information(landed: NDArray[np.float32], bins: NDArray[np.int64]) -> float:
    """Normalised mutual information of template values and image bins, linear Parzen window."""
    lower = np.clip(landed.astype(np.int64), 0, BINS - 2)
    weight = landed - lower
    cell = bins * BINS + lower
    joint = (
        np.bincount(cell, 1.0 - weight, BINS * BINS)
        + np.bincount(cell + 1, weight, BINS * BINS)[: BINS * BINS]
    )
    table = joint.reshape(BINS, BINS) / joint.sum()
    return (_entropy(table.sum(axis=1)) + _entropy(table.sum(axis=0))) / max(_entropy(table), 1e-9)


def rotation(x: float, y: float, z: float) -> Affine:
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return np.asarray(about_z @ about_y @ about_x, np.float64)


class _Search:
    """Poses of one head and their scores.

    A pose is a vector of 7 (shift, rotation, size) or 12 numbers (and anisotropy, shear), in mm-like units.
    """

    def __init__(self, head: Head, template: Template) -> None:
        grid, mask = head.grid, head.mask
        self._grid = grid
        self._bins = image_bins(head)
        seen = np.argwhere(mask & grid.valid)
        heights = seen[:, 2] * grid.spacing + grid.affine[2, 3]
        self._top, self._bottom = float(heights.max()), float(heights.min())
        self.expected = _expected_size(seen[heights > self._top - 110.0], self._top, grid)
        self._usual = _UNIT * float(np.log(self.expected))
        near = seen[heights > self._top - _TOP_MM]
        middle = near[:, :2].mean(axis=0) * grid.spacing + grid.affine[:2, 3]
        self._centre = np.array([middle[0], middle[1], self._top - 70.0 / self.expected])
        usable = np.argwhere(dilate(mask, _RIM_MM, grid.spacing) & grid.valid)
        above = usable[:, 2] * grid.spacing + grid.affine[2, 3] > self._top - _USED_MM
        self._usable = usable[above]
        self._weight = _INNER_WEIGHT[head.modality]
        self._brains = None if head.brain is None else Brains(head.brain, grid, template)

    def _sizes(self) -> tuple[float, ...]:
        return _SIZES if self.expected == 1.0 else (self._usual - 8.0, self._usual + 2.0)

    def draw(self, rng: np.random.Generator, count: int) -> _Points:
        chosen = self._usable[rng.choice(len(self._usable), min(count, len(self._usable)), replace=False)]
        places = (chosen @ self._grid.affine[:3, :3].T + self._grid.affine[:3, 3]).T
        return _Points(np.ascontiguousarray(places), self._bins[tuple(chosen.T)])

    def matrix(self, pose: Vector, *, centre: Vector | None = None) -> Affine:
        """Scanner mm to MNI mm."""
        shape = np.eye(3) * np.exp(pose[6] / _UNIT)
        if len(pose) > 7:
            shape = shape @ np.diag(np.exp(np.array([pose[7], pose[8], -pose[7] - pose[8]]) / _UNIT))
            shape[0, 1] += pose[9] / _UNIT
            shape[0, 2] += pose[10] / _UNIT
            shape[1, 2] += pose[11] / _UNIT
        linear = rotation(*(pose[3:6] / _UNIT)) @ shape
        found = np.eye(4)
        found[:3, :3] = linear
        found[:3, 3] = _MNI_CENTRE + pose[:3] - linear @ (self._centre if centre is None else centre)
        return found

    def _land(self, to_mni: Affine, points: _Points, level: _Level) -> NDArray[np.float32]:
        whole = level.to_index @ to_mni
        places = whole[:3, :3] @ points.places + whole[:3, 3:4]
        return np.asarray(
            ndi.map_coordinates(level.values, places, order=1, mode="constant", cval=0.0, prefilter=False)
        )

    def measure(self, pose: Vector, points: _Points, level: _Level) -> tuple[float, float]:
        """Normalised mutual information and share of points inside the template's data."""
        return self._measure(self.matrix(pose), points, level)

    def _measure(self, to_mni: Affine, points: _Points, level: _Level) -> tuple[float, float]:
        landed = self._land(to_mni, points, level)
        inside = landed > -0.5
        if not inside.any():
            return 1.0, 0.0
        return information(landed[inside], points.bins[inside]), float(inside.mean())

    def cost(self, pose: Vector, points: _Points, level: _Level) -> float:
        """Minus the information, plus penalties on size, shear and points outside the template."""
        to_mni = self.matrix(pose)
        nmi, inside = self._measure(to_mni, points, level)
        if inside < 0.35:
            return 0.0
        unusual = max(0.0, abs(pose[6] - self._usual) - 16.0) / 8.0
        penalty = 0.02 * unusual**2 + 0.12 * max(0.0, 0.85 - inside) + self._astray(to_mni)
        if len(pose) > 7:
            penalty += 0.0006 * float(np.sum((pose[7:] / 4.0) ** 2)) / 6.0
        return float(penalty - nmi)

    def _cost_as_air(self, pose: Vector, points: _Points, level: _Level) -> float:
        to_mni = self.matrix(pose)
        landed = np.maximum(self._land(to_mni, points, level), 0.0)
        return self._astray(to_mni) - information(landed, points.bins)

    def _astray(self, to_mni: Affine) -> float:
        """Penalty on a pose that puts the brain elsewhere than the image shows it."""
        return 0.0 if self._brains is None else self._weight * self._brains.astray(to_mni)

    def starts(self, points: _Points, level: _Level) -> list[Vector]:
        """Return the best poses of an upright head, by either way of counting the outside.

        Only leaving the outside out finds a neck CT without vertex; only counting it as air finds some T1.
        """
        poses = [
            np.array([0, depth, height, np.deg2rad(turn) * _UNIT, 0, 0, size])
            for turn, height, depth, size in itertools.product(
                (-36, -18, 0, 18, 36), (-95, -72, -48, -24, 0, 25), (-20, 0, 20), self._sizes()
            )
        ]
        picked: list[Vector] = []
        for cost, wanted in ((self.cost, 4), (self._cost_as_air, 8)):
            for pose in _ranked(poses, cost, points, level):
                if len(picked) >= wanted:
                    break
                if all(np.abs(pose - other).sum() > 30.0 for other in picked):
                    picked.append(pose)
        return picked

    def turned(self, points: _Points, level: _Level) -> list[Vector]:
        """Return one start each for a head on its face and two upside down (wrong patient position)."""
        picked = []
        for flip in ((0.0, 0.0, np.pi), (0.0, np.pi, 0.0), (np.pi, 0.0, 0.0)):
            poses = [
                self._turn(flip, turn, height, size)
                for turn, height, size in itertools.product((-25, 0, 25), (-50, -20, 10), self._sizes())
            ]
            picked.append(_ranked(poses, self.cost, points, level)[0])
        return picked

    def _turn(self, flip: tuple[float, float, float], turn: float, height: float, size: float) -> Vector:
        pose = np.array([0, 0, height, *(np.asarray(flip) * _UNIT), size])
        pose[3] += np.deg2rad(turn) * _UNIT
        if not flip[2]:  # upside down: the vertex is at the bottom
            shift = np.array([0.0, 0.0, self._bottom + 70.0 / self.expected - self._centre[2]])
            pose[:3] -= self.matrix(pose)[:3, :3] @ shift
        return pose

    def refine(
        self, start: Vector, points: _Points, level: _Level, step: float, calls: int, first: Iterable[float]
    ) -> tuple[float, Vector]:
        """Powell search from `start`; return cost and pose."""
        known: dict[bytes, float] = {}  # one pose in eight is asked for again

        def cost(pose: Vector) -> float:
            key = pose.tobytes()
            if key not in known:
                known[key] = self.cost(pose, points, level)
            return known[key]

        found = minimize(
            cost,
            start,
            method="Powell",
            options={
                "xtol": step,
                "ftol": 3e-5,
                "maxfev": calls,
                "direc": np.diag(np.fromiter(first, float)),
            },
        )
        return float(found.fun), np.asarray(found.x, np.float64)


def _ranked(
    poses: list[Vector], cost: Callable[[Vector, _Points, _Level], float], points: _Points, level: _Level
) -> list[Vector]:
    scores = [cost(pose, points, level) for pose in poses]
    return [poses[i] for i in np.argsort(scores, kind="stable")]


def image_bins(head: Head) -> NDArray[np.int64]:
    """Image values as bins; CT between fat and bone, MR up to the 99th percentile of the head."""
    soft = ndi.gaussian_filter(evened(head), 1.0)
    if head.modality is Modality.CT:
        scaled = (np.clip(soft, -200.0, 300.0) + 200.0) / 500.0
    else:
        scaled = np.clip(soft / max(float(np.percentile(soft[head.mask], 99)), 1e-6), 0.0, 1.0)
    return np.minimum((scaled * BINS).astype(np.int64), BINS - 1)
