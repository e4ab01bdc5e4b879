"""How the planes of a series stand to each other, and what is wrong with them.

Every irregularity gets a name. Fatal ones mean that a NIfTI could not hold, or would hide, what was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lethe.image.findings import Finding
from lethe.image.frames import Frame, Instance
from lethe.image.numbering import numbering
from lethe.image.series import along_normal, positions_of
from lethe.image.spacing import gaps, line_through, rounding

# Positions are written with a few decimals and come from a moving table: real series scatter by some
# hundredths of a millimetre. Beyond these bounds a NIfTI affine would misplace a slice.
_PLACE_MM = 0.05
_PLACE_PART = 0.03
# As far as they were rounded, that much of a slice's distance.
_ROUNDED_PART = 0.1
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
class Stack:
    """The planes of a series in order.

    Attributes
    ----------
    groups : list of list of Frame
        Frames of each slice position, lowest along the normal first; inside a position in order of time.
    spacing_mm : float
        Distance between neighbouring slices along the normal; 0 for one slice.
    origin, step : NDArray, shape (3,)
        Where the first slice lies and the way from one slice to the next, in LPS mm: the straight line that
        fits all positions best. The way is not the normal when the gantry was tilted.
    tilt_degrees : float
        Angle between the normal and `step`.
    findings : list of Finding
        Everything irregular.
    """

    groups: list[list[Frame]]
    spacing_mm: float
    origin: NDArray[np.float64]
    step: NDArray[np.float64]
    tilt_degrees: float
    findings: list[Finding] = field(default_factory=list)
    tolerance_mm: float = 2 * _PLACE_MM
    """How far a slice may lie from the line."""

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
        return Stack([], 0.0, np.zeros(3), np.zeros(3), 0.0, findings)
    groups = [sorted(group, key=time_key) for group in positions_of(frames)]
    places = np.array([along_normal(group[0]) for group in groups])
    findings += _counts(groups, instances)
    spacing = float(np.median(np.diff(places))) if len(places) > 1 else 0.0
    place = max(_PLACE_MM, _PLACE_PART * spacing, min(rounding(frames), _ROUNDED_PART * spacing))
    findings += gaps(places, instances, place)
    line = line_through(groups)
    tolerance = max(2 * _PLACE_MM, place)
    if line.scatter > tolerance and not any(f.code in ("missing-slices", "uneven-spacing") for f in findings):
        findings.append(
            Finding(
                "uneven-positions",
                "The slices do not lie on one straight line.",
                remedy="Send the series as the scanner stored it, each scan as a series of its own.",
            )
        )
    # What is within the scatter of the positions is no tilt.
    leaning = np.sin(np.radians(line.tilt)) * np.linalg.norm(line.step) * (len(groups) - 1)
    if line.tilt > _TILT_DEGREES and leaning > tolerance:
        findings.append(Finding("gantry-tilt", "The slices were taken with a tilted gantry.", fatal=False))
    thickness = instances[0].thickness or spacing
    findings += numbering(groups, instances, apart=spacing > 1.5 * thickness)
    return Stack(groups, spacing, line.origin, line.step, line.tilt, findings, tolerance)


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
    if any(instance.lossy for instance in instances):
        findings.append(
            Finding(
                "lossy",
                "Pixels were compressed with loss before they came here; small values in them may be untrue.",
                fatal=False,
            )
        )
    mosaics = [instance for instance in instances if "MOSAIC" in instance.image_type]
    if not all(instance.mosaic for instance in mosaics):
        findings.append(
            Finding(
                "mosaic",
                "The slices are tiles of mosaic images, and the header does not place them.",
                remedy="Send the series with Siemens' private CSA header, or as an enhanced object.",
            )
        )
    elif mosaics and len({instance.mosaic for instance in instances}) > 1:
        findings.append(
            Finding(
                "mosaic",
                "Mosaic images of the series have different numbers of tiles.",
                remedy="Make a series of those with one number of tiles.",
            )
        )
    if len({instance.frame_uid for instance in instances if instance.frame_uid}) > 1:
        findings.append(
            Finding(
                "mixed-frames",
                "Slices lie in different frames of reference, so their positions cannot be compared.",
                remedy="Make a series of the slices of each frame of reference.",
            )
        )
    if not all(instance.sop_uid for instance in instances):
        findings.append(
            Finding(
                "no-uid",
                "An object has no SOPInstanceUID.",
                remedy="Send the series as the archive stored it; a cleaning program may have emptied it.",
            )
        )
    uids = Counter(instance.sop_uid or str(instance.path) for instance in instances)
    if max(uids.values()) > 1:
        findings.append(
            Finding(
                "doubled-instance",
                "An object is there twice.",
                remedy="Remove the second copy; if the two differ, ask the sender which is true.",
            )
        )
    if any(i.enhanced and i.declared_frames != len(i.frames) for i in instances):
        findings.append(
            Finding(
                "frame-count",
                "An object describes fewer or more frames than it announces.",
                remedy="Send the object again; it was cut or changed on the way.",
            )
        )
    if any(instance.lookup for instance in instances):
        findings.append(
            Finding(
                "modality-lut",
                "A table, not a line, turns stored values into physical ones.",
                remedy="Ask the sender for the images with RescaleSlope and RescaleIntercept.",
            )
        )
    if any(
        not frame.position or not frame.orientation or not frame.spacing or min(frame.spacing) <= 0
        for frame in frames
    ):
        findings.append(
            Finding(
                "no-geometry",
                "A slice does not say where it lies.",
                remedy="Send the series with position, orientation and pixel size in every image; leave out "
                "what is no slice, such as a report page.",
            )
        )
        return findings
    if len({(f.rows, f.columns) for f in frames}) > 1:
        findings.append(
            Finding(
                "mixed-sizes",
                "Slices have different numbers of rows or columns.",
                remedy="Make a series of the images of each size.",
            )
        )
    if _spread([f.spacing for f in frames]) > 1e-4:
        findings.append(
            Finding(
                "mixed-pixel-sizes",
                "Slices have different pixel sizes.",
                remedy="Make a series of the images of each pixel size.",
            )
        )
    if _spread([f.orientation for f in frames]) > 1e-3:
        findings.append(
            Finding(
                "mixed-orientation",
                "Slices are not parallel to each other.",
                remedy="Make a series of the slices of each orientation.",
            )
        )
    if _skewed(frames[0]):
        findings.append(
            Finding(
                "bad-orientation",
                "Rows and columns are not at right angles.",
                remedy="Send the series with ImageOrientationPatient as the scanner wrote it.",
            )
        )
    return findings


def _spread(vectors: Sequence[tuple[float, ...] | None]) -> float:
    array = np.array([v for v in vectors if v is not None])
    return float(np.ptp(array, axis=0).max())


def _skewed(frame: Frame) -> bool:
    direction = np.array(frame.orientation)
    row, column = direction[:3], direction[3:]
    lengths = abs(row @ row - 1) + abs(column @ column - 1)
    return bool(abs(row @ column) > 1e-3 or lengths > 1e-2)


def _counts(groups: Sequence[Sequence[Frame]], instances: Sequence[Instance]) -> list[Finding]:
    findings = []
    counts = Counter(len(group) for group in groups)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        if any(count > usual for count in counts):
            findings.append(
                Finding(
                    "doubled-slices",
                    "Some slice positions hold more images than the others.",
                    remedy="Keep each image once; make a series of each scan or reconstruction.",
                )
            )
        if any(count < usual for count in counts):
            findings.append(
                Finding(
                    "missing-slices",
                    "Some slice positions hold fewer images than the others.",
                    remedy="Send the complete series again, all time points of it.",
                )
            )
    elif any(_spoken(group, name) != _spoken(groups[0], name) for name in _told(groups) for group in groups):
        findings.append(
            Finding(
                "mixed-times",
                "Slice positions do not hold the same time points or echoes.",
                remedy="Make a series of each time point, or send the complete series again.",
            )
        )
    elif any(len({evidence_key(frame) for frame in group}) < len(group) for group in groups):
        findings.append(
            Finding(
                "doubled-slices",
                "Images at one position differ in nothing that was acquired.",
                remedy="Make a series of each time point or reconstruction, or keep in the headers what "
                "tells them apart, such as AcquisitionNumber.",
            )
        )
    if _merged(groups, instances):
        findings.append(
            Finding(
                "merged-scans",
                "Slices of one scan lie between those of another.",
                remedy="Make a series of each scan; their AcquisitionNumber tells them apart.",
            )
        )
    if len(groups) < 2:
        findings.append(
            Finding(
                "one-slice",
                "The series holds a single slice position, not a volume.",
                remedy="Send the complete series; a single image stays DICOM.",
            )
        )
    return findings


def _merged(groups: Sequence[Sequence[Frame]], instances: Sequence[Instance]) -> bool:
    """Return whether the acquisitions of a CT, one image at each position, take turns along the table."""
    if instances[0].modality != "CT" or any(len(group) > 1 for group in groups):
        return False
    order = [group[0].acquisition for group in groups]
    changes = sum(one != other for one, other in pairwise(order))
    return changes > 2 * (len(set(order)) - 1)


def _told(groups: Sequence[Sequence[Frame]]) -> tuple[str, ...]:
    """Return what all slices of a volume have in common; some scanners number all slices on as times."""
    numbered_on = len({group[0].temporal for group in groups}) == sum(map(len, groups))
    return tuple(name for name in _OF_VOLUMES if not (numbered_on and name == "temporal"))


def _spoken(group: Sequence[Frame], name: str) -> Counter[object]:
    """Return how often each value of an attribute of whole volumes occurs at a position."""
    return Counter(getattr(frame, name) for frame in group)
