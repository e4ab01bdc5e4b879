"""Where a series lies and how it is cut: slices, gaps, orientation, field of view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lethe.image.frames import Instance
from lethe.image.stack import Stack
from lethe.quality.notes import Grade, Note

# A head is about 150 mm wide, 190 mm long and, to the skull base, 120 mm high.
NARROW_MM = 160.0
SHORT_MM = 100.0
OBLIQUE_DEGREES = 45.0
_PLANES = ("sagittal", "coronal", "axial")


@dataclass(frozen=True, slots=True)
class Geometry:
    """Lengths in mm, angles in degrees.

    Attributes
    ----------
    slices, time_points : int
        Slice positions, and images at one of them.
    spacing_mm, thickness_mm, gap_mm : float
        Distance of slices, their thickness, and the space between them (negative where they overlap).
    pixel_mm, field_of_view_mm : tuple of float
        Along rows and columns.
    coverage_mm : float
        Length covered along the stack.
    plane : str
        ``axial``, ``coronal`` or ``sagittal``, whichever is nearest; empty without planes.
    obliquity_degrees, tilt_degrees : float
        Angle between the slices and that plane; between the normal and the way of the table.
    """

    slices: int
    time_points: int
    spacing_mm: float
    thickness_mm: float
    gap_mm: float
    pixel_mm: tuple[float, float]
    field_of_view_mm: tuple[float, float]
    coverage_mm: float
    plane: str
    obliquity_degrees: float
    tilt_degrees: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for reports."""
        rounded = {name: getattr(self, name) for name in self.__slots__}
        return {name: _rounded(value) for name, value in rounded.items()}

    def notes(self) -> list[Note]:
        """Return what the figures mean."""
        found = []
        if self.slices and min(self.field_of_view_mm) < NARROW_MM and self.plane == "axial":
            found.append(
                Note("narrow-field", "The field of view is narrower than a head.", Grade.QUESTIONABLE)
            )
        if self.slices > 1 and self.coverage_mm < SHORT_MM:
            found.append(
                Note(
                    "short-coverage", "The slices cover less than the height of a brain.", Grade.QUESTIONABLE
                )
            )
        if self.gap_mm > 0.1 + 0.1 * self.thickness_mm:
            found.append(Note("slice-gaps", "There is space between the slices."))
        return found


def geometry(stack: Stack, instances: Sequence[Instance]) -> Geometry:
    """Measure a series.

    Parameters
    ----------
    stack : Stack
        Its planes; may have findings.
    instances : sequence of Instance
        Its objects.
    """
    if not stack.groups:
        return Geometry(0, 0, 0.0, 0.0, 0.0, (0.0, 0.0), (0.0, 0.0), 0.0, "", 0.0, 0.0)
    frame = stack.groups[0][0]
    pixel = (frame.spacing or (0.0, 0.0))[:2]
    direction = np.array(frame.orientation)
    normal = np.abs(np.cross(direction[:3], direction[3:]))
    axis = int(normal.argmax())
    thickness = instances[0].thickness or stack.spacing_mm
    several = len(stack.groups) > 1
    return Geometry(
        slices=len(stack.groups),
        time_points=max(map(len, stack.groups)),
        spacing_mm=stack.spacing_mm,
        thickness_mm=thickness,
        gap_mm=stack.spacing_mm - thickness if several else 0.0,
        pixel_mm=(pixel[1], pixel[0]),
        field_of_view_mm=(pixel[1] * frame.columns, pixel[0] * frame.rows),
        coverage_mm=stack.spacing_mm * (len(stack.groups) - 1) + thickness,
        plane=_PLANES[axis],
        obliquity_degrees=float(np.degrees(np.arccos(min(1.0, normal[axis] / np.linalg.norm(normal))))),
        tilt_degrees=stack.tilt_degrees if several else 0.0,
    )


def stack_notes(stack: Stack) -> list[Note]:
    """Return the irregularities of a stack as notes; those that forbid a NIfTI make it unusable."""
    return [
        Note(finding.code, finding.sentence, Grade.UNUSABLE if finding.fatal else Grade.USABLE)
        for finding in stack.findings
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(part, 3) for part in value]
    return round(value, 3) if isinstance(value, float) else value
