"""How the planes of a series stand to each other, and what is wrong with them.

Every irregularity gets a name. Fatal ones mean that a NIfTI could not hold, or would hide, what was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lethe.image.frames import Frame, Instance
from lethe.image.series import along_normal, positions_of

# Positions are written with a few decimals and come from a moving table: real series scatter by some
# hundredths of a millimetre. Beyond these bounds a NIfTI affine would misplace a slice.
_PLACE_MM = 0.05
_PLACE_PART = 0.03
_TILT_DEGREES = 0.05
# What can tell frames at one position apart, for reasons of acquisition.
EVIDENCE = (
    "temporal",
    "acquisition",
    "echo",
    "inversion",
    "flip",
    "component",
    "kind",
    "trigger",
    "b_value",
    "direction",
    "seconds",
)
# What all slices of a volume have in common.
_OF_VOLUMES = ("temporal", "echo", "component", "b_value")


@dataclass(frozen=True, slots=True)
class Finding:
    """A named irregularity; `fatal` ones forbid a NIfTI."""

    code: str
    sentence: str
    fatal: bool = True

    def as_dict(self) -> dict[str, str | bool]:
        """Return the finding for reports."""
        return {"code": self.code, "sentence": self.sentence, "fatal": self.fatal}


@dataclass(frozen=True, slots=True)
class Stack:
    """The planes of a series in order.

    Attributes
    ----------
    groups : list of list of Frame
        Frames of each slice position, lowest along the normal first; inside a position in order of time.
    spacing_mm : float
        Distance between neighbouring slices along the normal; 0 for one slice.
    step : NDArray, shape (3,)
        Way from one slice to the next in LPS mm, which the normal is not when the gantry was tilted.
    tilt_degrees : float
        Angle between the normal and `step`.
    findings : list of Finding
        Everything irregular.
    """

    groups: list[list[Frame]]
    spacing_mm: float
    step: NDArray[np.float64]
    tilt_degrees: float
    findings: list[Finding] = field(default_factory=list)

    @property
    def fatal(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.fatal]


def analyse(instances: Sequence[Instance]) -> Stack:
    """Order the planes of a series and name everything irregular.

    Parameters
    ----------
    instances : sequence of Instance
        All objects of one series.

    Returns
    -------
    Stack
        With findings; empty `groups` when the planes cannot be ordered at all.
    """
    frames = [frame for instance in instances for frame in instance.frames]
    findings = _sameness(instances, frames)
    if any(f.code in ("no-geometry", "mixed-orientation", "mosaic") for f in findings):
        return Stack([], 0.0, np.zeros(3), 0.0, findings)
    groups = [sorted(group, key=time_key) for group in positions_of(frames)]
    places = np.array([along_normal(group[0]) for group in groups])
    findings += _counts(groups)
    findings += _gaps(places, instances)
    step, tilt, scatter = _way(groups)
    spacing = float(np.median(np.diff(places))) if len(places) > 1 else 0.0
    if not any(f.code in ("missing-slices", "uneven-spacing") for f in findings):
        findings += _straightness(spacing, scatter)
    if abs(tilt) > _TILT_DEGREES:
        findings.append(Finding("gantry-tilt", "The slices were taken with a tilted gantry.", fatal=False))
    findings += _numbering(groups, instances, spacing)
    return Stack(groups, spacing, step, tilt, findings)


def time_key(frame: Frame) -> tuple[object, ...]:
    """Return the order of a frame among those at its position."""
    return (
        frame.temporal or 0,
        frame.acquisition or 0,
        frame.echo or 0.0,
        frame.inversion or 0.0,
        frame.flip or 0.0,
        {"M": 0, "P": 1, "R": 2, "I": 3}.get(frame.component, 9),
        frame.kind,
        frame.trigger or 0.0,
        frame.b_value or 0.0,
        frame.seconds or 0.0,
        frame.number or 0,
    )


def evidence_key(frame: Frame) -> tuple[object, ...]:
    """Return what tells a frame from others at its position, for reasons of acquisition."""
    return tuple(getattr(frame, name) for name in EVIDENCE)


def _sameness(instances: Sequence[Instance], frames: Sequence[Frame]) -> list[Finding]:
    findings = []
    mosaics = [instance for instance in instances if "MOSAIC" in instance.image_type]
    if not all(instance.mosaic for instance in mosaics):
        findings.append(
            Finding("mosaic", "The slices are tiles of mosaic images, and the header does not place them.")
        )
    elif mosaics and len({instance.mosaic for instance in instances}) > 1:
        findings.append(Finding("mosaic", "Mosaic images of the series have different numbers of tiles."))
    uids = Counter(instance.sop_uid for instance in instances)
    if max(uids.values()) > 1:
        findings.append(Finding("doubled-instance", "An object is there twice."))
    if any(i.enhanced and i.declared_frames != len(i.frames) for i in instances):
        findings.append(Finding("frame-count", "An object describes fewer or more frames than it announces."))
    if any(instance.lookup for instance in instances):
        findings.append(
            Finding("modality-lut", "A table, not a line, turns stored values into physical ones.")
        )
    if any(
        not frame.position or not frame.orientation or not frame.spacing or min(frame.spacing) <= 0
        for frame in frames
    ):
        findings.append(Finding("no-geometry", "A slice does not say where it lies."))
        return findings
    if len({(f.rows, f.columns) for f in frames}) > 1:
        findings.append(Finding("mixed-sizes", "Slices have different numbers of rows or columns."))
    if _spread([f.spacing for f in frames]) > 1e-4:
        findings.append(Finding("mixed-pixel-sizes", "Slices have different pixel sizes."))
    if _spread([f.orientation for f in frames]) > 1e-3:
        findings.append(Finding("mixed-orientation", "Slices are not parallel to each other."))
    if _skewed(frames[0]):
        findings.append(Finding("bad-orientation", "Rows and columns are not at right angles."))
    return findings


def _spread(vectors: Sequence[tuple[float, ...] | None]) -> float:
    array = np.array([v for v in vectors if v is not None])
    return float(np.ptp(array, axis=0).max())


def _skewed(frame: Frame) -> bool:
    direction = np.array(frame.orientation)
    row, column = direction[:3], direction[3:]
    lengths = abs(row @ row - 1) + abs(column @ column - 1)
    return bool(abs(row @ column) > 1e-3 or lengths > 1e-2)


def _counts(groups: Sequence[Sequence[Frame]]) -> list[Finding]:
    findings = []
    counts = Counter(len(group) for group in groups)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        if any(count > usual for count in counts):
            findings.append(
                Finding("doubled-slices", "Some slice positions hold more images than the others.")
            )
        if any(count < usual for count in counts):
            findings.append(
                Finding("missing-slices", "Some slice positions hold fewer images than the others.")
            )
    elif any(_spoken(group, name) != _spoken(groups[0], name) for name in _OF_VOLUMES for group in groups):
        findings.append(Finding("mixed-times", "Slice positions do not hold the same time points or echoes."))
    elif any(len({evidence_key(frame) for frame in group}) < len(group) for group in groups):
        findings.append(
            Finding("doubled-slices", "Images at one position differ in nothing that was acquired.")
        )
    if len(groups) < 2:
        findings.append(Finding("one-slice", "The series holds a single slice position, not a volume."))
    return findings


def _spoken(group: Sequence[Frame], name: str) -> Counter[object]:
    """Return how often each value of an attribute of whole volumes occurs at a position."""
    return Counter(getattr(frame, name) for frame in group)


def _gaps(places: NDArray[np.float64], instances: Sequence[Instance]) -> list[Finding]:
    if len(places) < 2:
        return []
    distances = np.diff(places)
    usual = float(np.median(distances)) if len(distances) > 3 else float(distances.min())
    allowed = max(_PLACE_MM, _PLACE_PART * usual)
    odd = distances[np.abs(distances - usual) > 2 * allowed]
    between = instances[0].between
    if not len(odd):
        # Evenly thinned series: the header still tells the distance that was planned.
        if between and usual > 1.5 * abs(between) and (instances[0].thickness or 0) < 0.75 * usual:
            return [Finding("missing-slices", "Slices lie further apart than the header says.")]
        return []
    multiples = odd / usual
    if np.all(np.abs(multiples - np.rint(multiples)) * usual <= 2 * allowed) and np.all(multiples > 1.5):
        return [Finding("missing-slices", f"{len(odd)} gaps between slices show that images are missing.")]
    return [Finding("uneven-spacing", "The distance between slices changes within the series.")]


def _way(groups: Sequence[Sequence[Frame]]) -> tuple[NDArray[np.float64], float, float]:
    """Fit a straight line through the slice positions: step, tilt in degrees, largest distance from it."""
    points = np.array([frame.position for group in groups for frame in group], float)
    index = np.repeat(np.arange(len(groups)), [len(group) for group in groups]).astype(float)
    if len(groups) < 2:
        return np.zeros(3), 0.0, 0.0
    first, last = points[index == 0].mean(0), points[index == index[-1]].mean(0)
    step = (last - first) / index[-1]
    scatter = float(np.linalg.norm(points - first - np.outer(index, step), axis=1).max())
    direction = np.array(groups[0][0].orientation)
    normal = np.cross(direction[:3], direction[3:])
    cosine = abs(float(normal @ step)) / float(np.linalg.norm(step) * np.linalg.norm(normal))
    return step, float(np.degrees(np.arccos(min(cosine, 1.0)))), scatter


def _straightness(spacing: float, scatter: float) -> list[Finding]:
    if scatter > max(2 * _PLACE_MM, _PLACE_PART * spacing):
        return [Finding("uneven-positions", "The slices do not lie on one straight line.")]
    return []


def _numbering(
    groups: Sequence[Sequence[Frame]], instances: Sequence[Instance], spacing: float
) -> list[Finding]:
    """Compare the numbers the scanner gave with the places of the slices."""
    if any(instance.enhanced for instance in instances):
        return _enhanced_numbering(groups, instances)
    total = sum(len(group) for group in groups)
    findings = _declared(instances, total)
    # One row for each time point; the shortest positions end the table, but then images are missing anyway.
    table = [
        [frame.number for frame in row if frame.number is not None] for row in zip(*groups, strict=False)
    ]
    numbers = sorted(f.number for group in groups for f in group if f.number is not None)
    if len(numbers) < total:
        return findings
    thickness = instances[0].thickness or spacing
    # Some scanners begin again with each time point.
    for series in [numbers] if len(set(numbers)) == total else map(sorted, table):
        if len(set(series)) < len(series):
            findings.append(Finding("repeated-numbers", "Image numbers repeat within one volume."))
            break
        findings += [f for f in _gaps_in(series, spacing > 1.5 * thickness) if f not in findings]
    if not all(map(_regular, table)):
        findings.append(
            Finding("order-contradiction", "Image numbers and slice positions contradict each other.")
        )
    return findings


def _gaps_in(numbers: Sequence[int], apart: bool) -> list[Finding]:
    """Return what is wrong with numbers in rising order; `apart` slices do not touch each other."""
    findings = []
    steps = np.diff(numbers)
    if len(steps) and steps.max() > steps.min():
        findings.append(Finding("missing-slices", "The image numbers of the scanner have gaps."))
    elif len(steps) and steps[0] > 1 and apart:
        # Some scanners number every second image only, but then the slices still touch each other.
        findings.append(Finding("missing-slices", "Image numbers and slice distance jump evenly."))
    if numbers[0] > 1 and (not len(steps) or steps.max() == 1):
        findings.append(Finding("first-slice-missing", "The image numbers do not begin with 1."))
    return findings


def _enhanced_numbering(groups: Sequence[Sequence[Frame]], instances: Sequence[Instance]) -> list[Finding]:
    findings = []
    if len(instances) < max(instance.declared_parts for instance in instances):
        findings.append(Finding("missing-slices", "Parts of a concatenation are missing."))
    places = [frame.in_stack for group in groups for frame in group if frame.in_stack is not None]
    if not places:
        return findings
    numbers = sorted(set(places))
    if numbers[0] > 1:
        findings.append(Finding("first-slice-missing", "The stack does not begin with its first slice."))
    if numbers[-1] - numbers[0] + 1 > len(numbers):
        findings.append(Finding("missing-slices", "The positions in the stack have gaps."))
    order = [group[0].in_stack or 0 for group in groups]
    if len(numbers) == len(groups) and (
        not _regular(order) or any(f.in_stack != g[0].in_stack for g in groups for f in g)
    ):
        findings.append(
            Finding("order-contradiction", "Stack numbers and slice places contradict each other.")
        )
    return findings


def _declared(instances: Sequence[Instance], total: int) -> list[Finding]:
    declared = {instance.declared_images for instance in instances}
    acquisitions = {frame.acquisition for instance in instances for frame in instance.frames}
    if len(declared) == 1 and len(acquisitions) == 1 and total < max(declared):
        return [Finding("missing-slices", "The header announces more images than there are.")]
    return []


def _regular(numbers: Sequence[int]) -> bool:
    """Return whether slices were numbered along the stack, in either direction, plainly or interleaved.

    Interleaved means: walking in order of number, the slice index advances by one fixed stride and
    jumps back at most stride - 1 times.
    """
    walk = np.diff(np.argsort(numbers))
    if len(walk) == 0:
        return True
    stride = int(Counter(walk.tolist()).most_common(1)[0][0])
    jumps = int((walk != stride).sum())
    return jumps <= max(abs(stride) - 1, 0) and abs(stride) <= max(2, len(numbers) // 2)
