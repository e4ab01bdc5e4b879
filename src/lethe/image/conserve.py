"""Conservation: every slice that was sent is in the NIfTI, once, in its place, with its values.

An independent reader (pydicom and numpy) is compared with what the converter wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.findings import Finding
from lethe.image.frames import Frame
from lethe.image.layout import RAS, Lattice, layout_of
from lethe.image.nifti import Nifti
from lethe.image.stack import EVIDENCE, Stack, time_key

_PRIVATE = Finding("private-scaling", "The values are those of the scanner's private scaling.", fatal=False)
_REMEDY = "The series stays DICOM; report the case with the kind of scanner."


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What one NIfTI holds.

    Attributes
    ----------
    name : str
        Without ending.
    shape : tuple of int
        Numbers of voxels; the fourth only with several time points.
    largest_misplacement_mm : float
        Between a slice of the image and where its header put it.
    volumes : tuple of Frame
        One plane of each time point, in order.
    crc32 : int
        Of the uncompressed file, as gzip keeps it (``gzip -lv`` shows it).
    """

    name: str
    shape: tuple[int, ...]
    largest_misplacement_mm: float
    volumes: tuple[Frame, ...] = ()
    crc32: int = 0


@dataclass(frozen=True, slots=True)
class ConservationReport:
    """The result of the comparison.

    Attributes
    ----------
    instances, frames : int
        Objects and image planes that were sent; each plane was found in the images exactly once.
    slices, time_points : int
        Slice positions, and the largest number of planes at one of them.
    spacing_mm, tilt_degrees : float
        Distance of slices, angle of the gantry.
    images : list of ImageReport
        In order of time, echo and kind; each with the checksum of its content.
    findings : list of Finding
        Irregularities that did no harm.
    """

    instances: int
    frames: int
    slices: int
    time_points: int
    spacing_mm: float
    tilt_degrees: float
    images: list[ImageReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``conservation.json``."""
        return {
            "conserved": True,
            "instances": self.instances,
            "frames": self.frames,
            "slices": self.slices,
            "time_points": self.time_points,
            "spacing_mm": round(self.spacing_mm, 6),
            "tilt_degrees": round(self.tilt_degrees, 4),
            "images": [
                {
                    "name": image.name,
                    "shape": list(image.shape),
                    "largest_misplacement_mm": round(image.largest_misplacement_mm, 6),
                    "crc32": f"{image.crc32:08x}",
                }
                for image in self.images
            ],
            "findings": [finding.as_dict() for finding in self.findings],
        }


PixelSource = Callable[[Frame], NDArray[Any]]


def stack_affine(stack: Stack, image: Nifti) -> NDArray[np.float64]:
    """Return the affine that the DICOM positions give to an image's own index order.

    Parameters
    ----------
    stack : Stack
        Planes of the series.
    image : Nifti
        The converter's image of them; its affine may miss the shear of a tilted gantry.

    Returns
    -------
    NDArray, shape (4, 4)
        Voxel index to RAS mm.
    """
    frame = stack.groups[0][0]
    layout = layout_of(frame, image.affine)
    direction, spacing = np.array(frame.orientation), frame.spacing or (1.0, 1.0)
    ways = {
        layout.column_axis: RAS * direction[:3] * spacing[1],
        layout.row_axis: RAS * direction[3:] * spacing[0],
    }
    origin = RAS * stack.origin
    affine = np.eye(4)
    flips = {layout.column_axis: layout.flip_columns, layout.row_axis: layout.flip_rows}
    for axis, way in ways.items():
        affine[:3, axis] = -way if flips[axis] else way
        if flips[axis]:
            origin = origin + way * (image.voxels.shape[axis] - 1)
    way = RAS * stack.step
    downwards = way @ image.affine[:3, layout.slice_axis] < 0
    affine[:3, layout.slice_axis] = -way if downwards else way
    affine[:3, 3] = origin + (way * (len(stack.groups) - 1) if downwards else 0)
    return affine


def misplacement(stack: Stack, image: Nifti, affine: NDArray[np.float64]) -> float:
    """Return the largest distance in mm of a plane from its place in an image; infinite outside of it."""
    lattice = Lattice(affine, image.voxels.shape, stack.groups[0][0])
    places = [lattice.place(group[0]) for group in stack.groups]
    return max(float("inf") if place is None else place.miss_mm for place in places)


def compare(
    stack: Stack,
    images: Mapping[str, Nifti],
    affines: Mapping[str, NDArray[np.float64]],
    pixels: PixelSource,
    *,
    instances: int,
) -> ConservationReport:
    """Find every plane of the series in the images.

    Parameters
    ----------
    stack : Stack
        The planes, in order, without fatal findings.
    images : mapping of str to Nifti
        The images that are to be kept, by name.
    affines : mapping of str to NDArray, shape (4, 4)
        The affine that each of them will have.
    pixels : callable
        Gives the stored values of a frame, shape (rows, columns).
    instances : int
        Number of DICOM objects, for the report.

    Returns
    -------
    ConservationReport
        Only when everything was found.

    Raises
    ------
    Refused
        ``slices-lost``, ``slices-added``, ``split-series``, ``geometry-changed``, ``voxels-changed``,
        ``time-order``.
    """
    boards = [_Board(name, image, affines[name], stack) for name, image in images.items()]
    frames = [frame for group in stack.groups for frame in group]
    room = sum(board.free for board in boards)
    if room != len(frames):
        raise Refused(
            "slices-lost" if room < len(frames) else "slices-added",
            f"{len(frames)} image planes were sent, the conversion holds {room}.",
            remedy=_REMEDY,
        )
    if any(board.slices != len(stack.groups) for board in boards):
        raise Refused(
            "split-series", "The conversion distributed one volume over several images.", remedy=_REMEDY
        )
    homes: dict[int, tuple[_Board, int]] = {}
    for group in _from_the_middle(stack.groups):
        _match_position(group, boards, pixels, homes)
    _check_times(stack, [board.volumes() for board in boards])
    return ConservationReport(
        instances=instances,
        frames=len(frames),
        slices=len(stack.groups),
        time_points=max(map(len, stack.groups)),
        spacing_mm=stack.spacing_mm,
        tilt_degrees=stack.tilt_degrees,
        images=sorted((board.report() for board in boards), key=lambda report: time_key(report.volumes[0])),
        findings=[finding for finding in stack.findings if not finding.fatal]
        + [_PRIVATE for _ in {board.private_scaling for board in boards} - {False}],
    )


def _from_the_middle(groups: Sequence[Sequence[Frame]]) -> list[Sequence[Frame]]:
    """Return the slice positions, those first whose volumes differ: the ends may be air in all of them."""
    if max(map(len, groups)) == 1:
        return list(groups)
    order = sorted(range(len(groups)), key=lambda k: abs(k - len(groups) // 2))
    return [groups[k] for k in order]


def _match_position(
    group: Sequence[Frame],
    boards: Sequence[_Board],
    pixels: PixelSource,
    homes: dict[int, tuple[_Board, int]],
) -> None:
    """Give each frame of one slice position its place in one of the images.

    `homes` tells which volume took the frames of this number at other positions: equal planes, such as air,
    belong there too.
    """
    for order, frame in enumerate(group):
        plane = pixels(frame)
        places = {board: k for board in boards if (k := board.slice_of(frame)) is not None}
        if not places:
            raise Refused("geometry-changed", "The conversion moved a slice.", remedy=_REMEDY)
        home = [homes[order]] if order in homes and homes[order][0] in places else []
        spots = chain(home, ((board, t) for board in places for t in board.times_like(order)))
        for board, t in spots:
            if board.take(frame, places[board], t, plane):
                homes[order] = board, t
                break
        else:
            raise Refused(
                "voxels-changed",
                "A slice is not in the conversion with its own values in its own place.",
                remedy=_REMEDY,
            )


def _check_times(stack: Stack, images: Sequence[Sequence[Sequence[Frame]]]) -> None:
    """Refuse volumes that mix what every slice position holds alike, or that are out of order of time."""
    for name in EVIDENCE if max(map(len, stack.groups)) > 1 else ():
        told = [Counter(getattr(frame, name) for frame in group) for group in stack.groups]
        # What is not the same everywhere, as the second at which a slice was taken, tells no volumes apart.
        if len(told[0]) < 2 or any(other != told[0] for other in told):
            continue
        if any(
            getattr(one, name) != getattr(volume[0], name) for i in images for volume in i for one in volume
        ):
            raise Refused("time-order", "The conversion mixes time points in one volume.", remedy=_REMEDY)
    for image in images:
        for first in ([volume[0].temporal for volume in image], [volume[0].acquisition for volume in image]):
            numbers = [number for number in first if number is not None]
            if len(set(numbers)) == len(image):
                if numbers != sorted(numbers):
                    raise Refused(
                        "time-order", "The conversion changed the order of time points.", remedy=_REMEDY
                    )
                break


class _Board:
    """One image, and which of its planes have been accounted for."""

    def __init__(self, name: str, image: Nifti, affine: NDArray[np.float64], stack: Stack) -> None:
        self.name = name
        self._image = image
        self._lattice = Lattice(affine, image.voxels.shape, stack.groups[0][0])
        self._allowed = stack.tolerance_mm
        self._worst = 0.0
        # Which scaling the values can have: the same for all slices of an image.
        self._scalings = {"standard", "precise"}
        shape = image.voxels.shape
        self._found: dict[tuple[int, int], Frame] = {}
        self.slices = self._lattice.slices
        self.free = self.slices * shape[3]

    def slice_of(self, frame: Frame) -> int | None:
        """Return the slice index at which `frame` lies, or None when the grid is not there."""
        found = self._lattice.place(frame)
        if found is None or found.miss_mm > self._allowed:
            return None
        self._worst = max(self._worst, found.miss_mm)
        return found.k

    def times_like(self, order: int) -> Iterator[int]:
        """Return all times, the `order`-th first."""
        times = self._image.voxels.shape[3]
        if order < times:
            yield order
        yield from (t for t in range(times) if t != order)

    def take(self, frame: Frame, k: int, t: int, plane: NDArray[Any]) -> bool:
        """Account for `frame` if slice `k` of time `t` is free and holds its values."""
        if (k, t) in self._found:
            return False
        if not self._equal(frame, self._lattice.layout.plane(self._image.voxels, k, t), plane):
            return False
        self._found[k, t] = frame
        return True

    def volumes(self) -> list[list[Frame]]:
        """Return the planes of each volume, in order of time."""
        slices = range(self._lattice.slices)
        return [[self._found[k, t] for k in slices] for t in range(self._image.voxels.shape[3])]

    def report(self) -> ImageReport:
        """Return what the image holds."""
        shape = self._image.voxels.shape
        volumes = tuple(self._found[0, t] for t in range(shape[3]))
        return ImageReport(self.name, shape if shape[3] > 1 else shape[:3], self._worst, volumes)

    @property
    def private_scaling(self) -> bool:
        """Whether the values are those of Philips' private scaling, not those of the standard."""
        return self._scalings == {"precise"}

    def _equal(self, frame: Frame, stored: NDArray[Any], plane: NDArray[Any]) -> bool:
        scalings = {"standard": frame.scaling}
        if frame.precise is not None:
            # Philips' own: stored / scale slope + rescale intercept / (rescale slope x scale slope).
            slope = 1.0 / frame.precise
            scalings["precise"] = (slope, frame.intercept * slope / frame.slope)
        fitting = {name for name in scalings if self._scaled(stored, plane, *scalings[name])} & self._scalings
        if fitting:
            self._scalings = fitting
        return bool(fitting)

    def _scaled(self, stored: NDArray[Any], plane: NDArray[Any], slope: float, intercept: float) -> bool:
        image = self._image
        same = np.array([slope, intercept], "f4") == np.array([image.slope, image.intercept], "f4")
        if same.all() and stored.dtype.kind in "iu":
            return same_integers(stored, plane)
        wanted = plane.astype(np.float64) * slope + intercept
        found = stored.astype(np.float64) * image.slope + image.intercept
        # float32 holds seven digits: of the largest value that occurs in the sum.
        scale = max(float(np.abs(wanted).max()), abs(intercept), 1e-30)
        return bool(np.abs(wanted - found).max() <= 4e-7 * scale)


def same_integers(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Compare two planes of integers; quickly where the rows of both lie in memory without gaps."""
    kinds = {dtype.str[0] + dtype.str[2:] for dtype in (one.dtype, other.dtype)}  # byte order and size
    whole = all(plane.strides[1] == plane.itemsize for plane in (one, other))
    if len(kinds) > 1 or not whole or one.shape != other.shape or one.shape[1] * one.itemsize % 8:
        return bool(np.array_equal(one, other))
    same = np.array_equal(one.view(np.uint64), other.view(np.uint64))
    # The same bits mean the same number unless only one of them has a sign, and uses it.
    signed = one if one.dtype.kind == "i" else other
    return bool(same) and (one.dtype == other.dtype or bool(signed.min() >= 0))
