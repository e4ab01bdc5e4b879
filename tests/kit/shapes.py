"""Solid shapes in millimetres, joined smoothly: the bricks of the head phantom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Point = tuple[float, float, float]


class Shape(Protocol):
    """A solid with a signed distance (negative inside) and a box that holds it."""

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """Return the signed distance in mm of every point."""
        ...

    def box(self) -> tuple[Point, Point]:
        """Return the lowest and the highest corner in mm."""
        ...

    def mirrored(self) -> Shape:
        """Return the same shape on the other side of the midline."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """Ellipsoid with half axes along x, y, z (mm); the distance is a first-order estimate."""

    centre: Point
    radii: Point

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """See `Shape`."""
        (cx, cy, cz), (rx, ry, rz) = self.centre, self.radii
        px, py, pz = (x - cx) / rx, (y - cy) / ry, (z - cz) / rz
        length = np.sqrt(px * px + py * py + pz * pz)
        slope = np.sqrt((px / rx) ** 2 + (py / ry) ** 2 + (pz / rz) ** 2)
        return np.asarray(length * (length - 1.0) / np.maximum(slope, 1e-6), np.float32)

    def box(self) -> tuple[Point, Point]:
        """See `Shape`."""
        return _corners([self.centre], self.radii)

    def mirrored(self) -> Ellipsoid:
        """See `Shape`."""
        return Ellipsoid(_mirror(self.centre), self.radii)


@dataclass(frozen=True)
class Rod:
    """Round rod from `start` to `end` whose radius runs from `first` to `last` (mm)."""

    start: Point
    end: Point
    first: float
    last: float

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """See `Shape`."""
        a, b = np.array(self.start, np.float32), np.array(self.end, np.float32)
        way = b - a
        px, py, pz = x - a[0], y - a[1], z - a[2]
        along = np.clip((px * way[0] + py * way[1] + pz * way[2]) / float(way @ way), 0.0, 1.0)
        px, py, pz = px - along * way[0], py - along * way[1], pz - along * way[2]
        radius = self.first + along * (self.last - self.first)
        return np.asarray(np.sqrt(px * px + py * py + pz * pz) - radius, np.float32)

    def box(self) -> tuple[Point, Point]:
        """See `Shape`."""
        radius = max(self.first, self.last)
        return _corners([self.start, self.end], (radius, radius, radius))

    def mirrored(self) -> Rod:
        """See `Shape`."""
        return Rod(_mirror(self.start), _mirror(self.end), self.first, self.last)


def both_sides(*shapes: Shape) -> list[Shape]:
    """Return the shapes and their mirror images."""
    return [*shapes, *(shape.mirrored() for shape in shapes)]


class Canvas:
    """A voxel grid seen in the millimetres of the head, on which shapes are evaluated.

    Parameters
    ----------
    shape : tuple of int
        Number of voxels along i, j, k.
    to_head : NDArray, shape (4, 4)
        Voxel index to head millimetres.
    """

    def __init__(self, shape: tuple[int, int, int], to_head: NDArray[np.float64]) -> None:
        self.shape = shape
        self._inverse = np.linalg.inv(to_head)
        i, j, k = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
        m = to_head.astype(np.float32)
        self.x, self.y, self.z = (m[r, 0] * i + m[r, 1] * j + m[r, 2] * k + m[r, 3] for r in range(3))

    def nothing(self) -> Field:
        """Return a field that is far outside everywhere."""
        return np.full(self.shape, 1e3, np.float32)

    def join(self, shapes: Iterable[Shape], blend: float = 0.0) -> Field:
        """Return the signed distance of the union of `shapes`, rounded over `blend` mm."""
        field = self.nothing()
        for shape in shapes:
            self.add(field, shape, blend)
        return field

    def add(self, field: Field, shape: Shape, blend: float = 0.0, reach: float = 24.0) -> None:
        """Join `shape` into `field` in place, evaluating only within `reach` mm of it."""
        part = self.part(shape, reach)
        if part is None:
            return
        here = field[part]
        distance = shape.distance(self.x[part], self.y[part], self.z[part])
        field[part] = _soft_minimum(here, distance, blend)

    def carve(self, field: Field, shape: Shape, blend: float = 0.0) -> None:
        """Cut `shape` out of `field` in place."""
        part = self.part(shape, 12.0)
        if part is None:
            return
        distance = shape.distance(self.x[part], self.y[part], self.z[part])
        field[part] = -_soft_minimum(-field[part], distance, blend)

    def part(self, shape: Shape, reach: float) -> tuple[slice, slice, slice] | None:
        """Return the index block within `reach` mm of a shape, or None when it lies outside."""
        low, high = shape.box()
        corners = np.array([[(low, high)[b >> n & 1][n] for n in range(3)] + [1.0] for b in range(8)])
        corners[:, :3] += np.where(corners[:, :3] == np.array(low), -reach, reach)
        index = corners @ self._inverse.T
        first = np.maximum(np.floor(index.min(0)[:3]).astype(int), 0)
        last = np.minimum(np.ceil(index.max(0)[:3]).astype(int) + 1, self.shape)
        if np.any(last <= first):
            return None
        return (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))

    def waves(
        self, wavelength: float, count: int, rng: np.random.Generator, where: NDArray[np.bool_]
    ) -> Field:
        """Return a smooth random field in about [-1, 1] at the voxels of `where` (mm wavelength)."""
        x, y, z = self.x[where], self.y[where], self.z[where]
        total = np.zeros(x.shape, np.float32)
        for _ in range(count):
            direction = rng.normal(size=3)
            k = direction / np.linalg.norm(direction) * 2 * np.pi / (wavelength * rng.uniform(0.75, 1.35))
            total += np.sin(k[0] * x + k[1] * y + k[2] * z + rng.uniform(0, 2 * np.pi)).astype(np.float32)
        return np.asarray(total / np.float32(np.sqrt(count) * 1.2), np.float32)


def _soft_minimum(a: Field, b: Field, blend: float) -> Field:
    if blend <= 0:
        return np.minimum(a, b)
    h = np.maximum(blend - np.abs(a - b), 0.0) / np.float32(blend)
    return np.asarray(np.minimum(a, b) - h * h * np.float32(blend / 4), np.float32)


def _mirror(point: Point) -> Point:
    return (-point[0], point[1], point[2])


def _corners(points: list[Point], margin: Point) -> tuple[Point, Point]:
    array = np.array(points)
    low, high = array.min(0) - margin, array.max(0) + margin
    return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))
