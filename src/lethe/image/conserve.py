"""Conservation: every slice that was sent is in the NIfTI, once, in its place, with its values.

An independent reader (pydicom and numpy) is compared with what the converter wrote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.frames import Frame
from lethe.image.nifti import Nifti
from lethe.image.stack import Finding, Stack

_RAS = np.array([-1.0, -1.0, 1.0])
_REMEDY = "The series stays DICOM; report the case with the kind of scanner."


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What one NIfTI holds."""

    name: str
    shape: tuple[int, ...]
    largest_misplacement_mm: float
    sha256: str


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
        Each with the SHA-256 of its scaling and stored voxels.
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
                    "sha256": image.sha256,
                }
                for image in self.images
            ],
            "findings": [finding.as_dict() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the planes of a stack lie in the voxel grid of an image."""

    column_axis: int
    row_axis: int
    slice_axis: int
    flip_columns: bool
    flip_rows: bool

    def plane(self, voxels: NDArray[Any], k: int, t: int) -> NDArray[Any]:
        """Return slice k of time t as rows x columns of the scanner."""
        # a view: np.take would copy the whole volume of an image in Fortran order for every slice
        part = np.moveaxis(voxels[..., t], self.slice_axis, 0)[k]
        if self.row_axis > self.column_axis:
            part = part.T
        plane: NDArray[Any] = part[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return plane


PixelSource = Callable[[Path], NDArray[Any]]


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
    layout = _layout(frame, image.affine)
    direction, spacing = np.array(frame.orientation), frame.spacing or (1.0, 1.0)
    ways = {
        layout.column_axis: _RAS * direction[:3] * spacing[1],
        layout.row_axis: _RAS * direction[3:] * spacing[0],
    }
    origin = _RAS * np.array(frame.position)
    affine = np.eye(4)
    flips = {layout.column_axis: layout.flip_columns, layout.row_axis: layout.flip_rows}
    for axis, way in ways.items():
        affine[:3, axis] = -way if flips[axis] else way
        if flips[axis]:
            origin = origin + way * (image.voxels.shape[axis] - 1)
    way = _RAS * stack.step
    downwards = way @ image.affine[:3, layout.slice_axis] < 0
    affine[:3, layout.slice_axis] = -way if downwards else way
    affine[:3, 3] = origin + (way * (len(stack.groups) - 1) if downwards else 0)
    return affine


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
        Gives the stored values of a file, shape (frames, rows, columns).
    instances : int
        Number of DICOM objects, for the report.

    Returns
    -------
    ConservationReport
        Only when everything was found.

    Raises
    ------
    Refused
        ``slices-lost``, ``slices-added``, ``geometry-changed``, ``voxels-changed``, ``time-order``.
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
    for group in stack.groups:
        _match_position(group, boards, pixels)
    for board in boards:
        board.check_order()
    return ConservationReport(
        instances=instances,
        frames=len(frames),
        slices=len(stack.groups),
        time_points=max(map(len, stack.groups)),
        spacing_mm=stack.spacing_mm,
        tilt_degrees=stack.tilt_degrees,
        images=[board.report() for board in boards],
        findings=[finding for finding in stack.findings if not finding.fatal],
    )


def _match_position(group: Sequence[Frame], boards: Sequence[_Board], pixels: PixelSource) -> None:
    """Give each frame of one slice position its place in one of the images."""
    misplaced = True
    for order, frame in enumerate(group):
        plane = pixels(frame.path)[frame.index]
        for board in boards:
            k = board.slice_of(frame)
            if k is None:
                continue
            misplaced = False
            if board.take(frame, k, order, plane):
                break
        else:
            code = "geometry-changed" if misplaced else "voxels-changed"
            raise Refused(
                code,
                "The conversion moved a slice."
                if misplaced
                else "A slice is not in the conversion with its own values in its own place.",
                remedy=_REMEDY,
            )


class _Board:
    """One image, and which of its planes have been accounted for."""

    def __init__(self, name: str, image: Nifti, affine: NDArray[np.float64], stack: Stack) -> None:
        self.name = name
        self._image, self._affine = image, affine
        self._layout = _layout(stack.groups[0][0], affine)
        self._inverse = np.linalg.inv(affine)
        self._allowed = max(0.05, 0.03 * stack.spacing_mm)
        self._worst = 0.0
        # Which scaling the values can have: the same for all slices of an image.
        self._scalings = {"standard", "precise"}
        shape = image.voxels.shape
        self._found: dict[tuple[int, int], Frame] = {}
        self.free = shape[self._layout.slice_axis] * shape[3]

    def slice_of(self, frame: Frame) -> int | None:
        """Return the slice index at which `frame` lies, or None when the grid is not there."""
        layout, shape = self._layout, self._image.voxels.shape
        if (shape[layout.row_axis], shape[layout.column_axis]) != (frame.rows, frame.columns):
            return None
        corners = _corners(frame)
        index = (self._inverse @ np.c_[corners, np.ones(len(corners))].T).T[:, :3]
        k = round(float(index[:, layout.slice_axis].mean()))
        if not 0 <= k < shape[layout.slice_axis]:
            return None
        wanted = np.zeros_like(index)
        wanted[:, layout.slice_axis] = k
        last_column, last_row = frame.columns - 1, frame.rows - 1
        for number, (row, column) in enumerate(((0, 0), (0, last_column), (last_row, 0))):
            wanted[number, layout.column_axis] = last_column - column if layout.flip_columns else column
            wanted[number, layout.row_axis] = last_row - row if layout.flip_rows else row
        miss = float(np.linalg.norm((index - wanted) @ self._affine[:3, :3].T, axis=1).max())
        if miss > self._allowed:
            return None
        self._worst = max(self._worst, miss)
        return k

    def take(self, frame: Frame, k: int, order: int, plane: NDArray[Any]) -> bool:
        """Account for `frame` at the first free time of slice `k` that holds its values."""
        times = self._image.voxels.shape[3]
        for t in sorted(range(times), key=lambda t: (t != order, t)):
            if (k, t) in self._found:
                continue
            if self._equal(frame, self._layout.plane(self._image.voxels, k, t), plane):
                self._found[k, t] = frame
                return True
        return False

    def check_order(self) -> None:
        """Refuse when one volume mixes time points, or volumes are out of order of time."""
        shape = self._image.voxels.shape
        times, slices = shape[3], shape[self._layout.slice_axis]
        if times == 1:
            return
        for name in ("temporal", "acquisition", "echo", "b_value", "trigger"):
            table = [[getattr(self._found[k, t], name) for k in range(slices)] for t in range(times)]
            if (
                name != "trigger"
                and len({v for row in table for v in row}) == times
                and any(len(set(row)) > 1 for row in table)
            ):
                raise Refused("time-order", "The conversion mixes time points in one volume.", remedy=_REMEDY)
            first = [row[0] for row in table]
            if name == "temporal" and None not in first and first != sorted(first):
                raise Refused(
                    "time-order", "The conversion changed the order of time points.", remedy=_REMEDY
                )

    def report(self) -> ImageReport:
        """Return what the image holds."""
        image = self._image
        digest = hashlib.sha256(f"{image.voxels.dtype.str} {image.slope} {image.intercept} ".encode())
        digest.update(image.voxels.reshape(-1, order="F").view(np.uint8).data)
        shape = image.voxels.shape
        return ImageReport(self.name, shape if shape[3] > 1 else shape[:3], self._worst, digest.hexdigest())

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
            return bool(np.array_equal(stored, plane))
        wanted = plane.astype(np.float64) * slope + intercept
        found = stored.astype(np.float64) * image.slope + image.intercept
        # float32 holds seven digits: of the largest value that occurs in the sum.
        scale = max(float(np.abs(wanted).max()), abs(intercept), 1e-30)
        return bool(np.abs(wanted - found).max() <= 4e-7 * scale)


def _corners(frame: Frame) -> NDArray[np.float64]:
    """Return the RAS mm of the first pixel, the last of its row and the last of its column."""
    direction, spacing = np.array(frame.orientation), frame.spacing or (1.0, 1.0)
    origin = np.array(frame.position)
    along_row = direction[:3] * spacing[1] * (frame.columns - 1)
    along_column = direction[3:] * spacing[0] * (frame.rows - 1)
    return np.asarray(_RAS * np.array([origin, origin + along_row, origin + along_column]))


def _layout(frame: Frame, affine: NDArray[np.float64]) -> _Layout:
    inverse = np.linalg.inv(affine[:3, :3])
    direction, spacing = np.array(frame.orientation), frame.spacing or (1.0, 1.0)
    along_row = inverse @ (_RAS * direction[:3] * spacing[1])
    along_column = inverse @ (_RAS * direction[3:] * spacing[0])
    column_axis, row_axis = int(np.argmax(np.abs(along_row))), int(np.argmax(np.abs(along_column)))
    if column_axis == row_axis:
        raise Refused("geometry-changed", "The conversion turned the slices.", remedy=_REMEDY)
    return _Layout(
        column_axis,
        row_axis,
        3 - column_axis - row_axis,
        bool(along_row[column_axis] < 0),
        bool(along_column[row_axis] < 0),
    )
