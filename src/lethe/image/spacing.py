"""Distances of slices, and the straight line through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lethe.image.findings import Finding
from lethe.image.frames import Frame, Instance

# Unit to which archives round positions, and how far that can move one: half a unit along each axis.
_ROUNDED = ((1.0, 0.87), (0.1, 0.087))


def rounding(frames: Sequence[Frame]) -> float:
    """Return how far rounding alone may have moved a position: half a unit along each axis."""
    places = np.array([frame.position for frame in frames], float)
    for unit, most in _ROUNDED:
        if np.allclose(places / unit, np.rint(places / unit), rtol=0, atol=1e-6):
            return most
    return 0.0


def gaps(places: NDArray[np.float64], instances: Sequence[Instance], allowed: float) -> list[Finding]:
    """Return what is wrong with the distances of places in rising order, which may be off by `allowed` mm."""
    if len(places) < 2:
        return []
    distances = np.diff(places)
    usual = float(np.median(distances)) if len(distances) > 3 else float(distances.min())
    odd = distances[np.abs(distances - usual) > 2 * allowed]
    between = instances[0].between
    if not len(odd):
        # Evenly thinned series: the header still tells the distance that was planned.
        if between and usual > 1.5 * abs(between) and (instances[0].thickness or 0) < 0.75 * usual:
            return [
                Finding(
                    "missing-slices",
                    "Slices lie further apart than the header says.",
                    remedy="Send the complete series again.",
                )
            ]
        return []
    multiples = odd / usual
    if np.all(np.abs(multiples - np.rint(multiples)) * usual <= 2 * allowed) and np.all(multiples > 1.5):
        return [
            Finding(
                "missing-slices",
                "Gaps between slices show that images are missing.",
                remedy="Send the complete series again.",
            )
        ]
    return [
        Finding(
            "uneven-spacing",
            "The distance between slices changes within the series.",
            remedy="Make a series of each part with one distance, for example of the thick and of the thin "
            "slices; if there should be one distance only, send the complete series again.",
        )
    ]


@dataclass(frozen=True, slots=True)
class Line:
    """The straight line through the slices: first point, step, tilt in degrees, largest distance from it."""

    origin: NDArray[np.float64]
    step: NDArray[np.float64]
    tilt: float
    scatter: float


def line_through(groups: Sequence[Sequence[Frame]]) -> Line:
    """Return the straight line that fits all planes best, from one position to the next."""
    points = np.array([frame.position for group in groups for frame in group], float)
    if len(groups) < 2:
        return Line(points[0], np.zeros(3), 0.0, 0.0)
    index = np.repeat(np.arange(len(groups)), [len(group) for group in groups]).astype(float)
    centred = index - index.mean()
    step = (centred @ (points - points.mean(0))) / (centred @ centred)
    origin = points.mean(0) - step * index.mean()
    scatter = float(np.linalg.norm(points - origin - np.outer(index, step), axis=1).max())
    direction = np.array(groups[0][0].orientation)
    normal = np.cross(direction[:3], direction[3:])
    cosine = abs(float(normal @ step)) / float(np.linalg.norm(step) * np.linalg.norm(normal))
    return Line(origin, step, float(np.degrees(np.arccos(min(cosine, 1.0)))), scatter)
