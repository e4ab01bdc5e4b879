"""Copies of objects that the converter cannot read as they are.

They are uncompressed where that helps, numbered in order, on the line through the slices, and of one kind in
each series. They are its input only: what it makes of them is compared with the objects that were sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lethe.image.findings import Finding
from lethe.image.frames import Instance
from lethe.image.pixels import Planes, readings
from lethe.image.stack import Stack

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

COPIED = Finding(
    "converted-from-copies",
    "The converter was given copies of the objects: uncompressed, numbered anew or sorted by kind.",
    fatal=False,
)
HELPED = frozenset(
    {
        "converter-failed",
        "converter-output",
        "geometry-changed",
        "slices-added",
        "slices-lost",
        "split-series",
        "time-order",
        "voxels-changed",
    }
)
"""Codes of refusals that another form of the objects may spare."""
# Two decoders of lossy JPEG round the last steps of their sums differently.
_ROUNDING = 2
_KINDS = ("<u1", "<i2", "<u2", "<i4")
# Their type depends on that of the pixels.
_LIKE_PIXELS = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)


def plain_copies(
    stack: Stack, instances: Sequence[Instance], planes: Planes, folder: Path, *, decode: bool
) -> list[Path]:
    """Write a copy of every object.

    Parameters
    ----------
    stack : Stack
        The planes of the series.
    instances : sequence of Instance
        Its objects.
    planes : Planes
        Gives their stored values.
    folder : Path
        An empty private folder.
    decode : bool
        Whether pixels are written uncompressed and all in one type, not only the headers anew.

    Returns
    -------
    list of Path
        In order of time, then of place; empty where copies would not help, or would prove nothing because
        just one decoder knows the compression.
    """
    if any(instance.mosaic for instance in instances):
        return []
    frames = [frame for group in stack.groups for frame in group]
    kind = _common_kind(map(planes, frames)) if decode else ""
    if decode and not (kind and all(_agree(instance) for instance in instances)):
        return []
    times = max(map(len, stack.groups))
    order = [group[t] for t in range(times) for group in stack.groups if t < len(group)]
    kinds = sorted({(frame.component, frame.kind) for frame in frames})
    slices = {frame: k for k, group in enumerate(stack.groups) for frame in group}
    known = {instance.path: instance for instance in instances}
    copies: dict[Path, Path] = {}
    for frame in order:
        if frame.path in copies:  # of an object with several frames
            continue
        instance, number = known[frame.path], len(copies) + 1
        place = None if instance.enhanced else stack.origin + stack.step * slices[frame]
        edit = _Edit(number, kinds.index((frame.component, frame.kind)) + 1, place, kind)
        copies[frame.path] = _copy(instance, edit, planes, folder / f"{number:06d}.dcm")
    return list(copies.values())


@dataclass(frozen=True, slots=True)
class _Edit:
    """Number of the image and of its series, position, and type of the pixels, if they are to change."""

    number: int
    series: int
    place: NDArray[np.float64] | None
    kind: str


def _common_kind(values: Iterable[NDArray[Any]]) -> str:
    """Return the smallest type of integers that holds all planes, bytes only for bytes; empty for floats."""
    low = high = 0
    narrow = True
    for plane in values:
        if plane.dtype.kind not in "iu":
            return ""
        low, high = min(low, int(plane.min())), max(high, int(plane.max()))
        narrow = narrow and plane.itemsize == 1
    fitting = (kind for kind in _KINDS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return next((kind for kind in fitting if narrow or np.dtype(kind).itemsize > 1), "")


def _agree(instance: Instance) -> bool:
    """Return whether two decoders read the same, or none is needed."""
    if instance.pixels is not None:
        return True
    found = readings(instance)
    if found is None:
        return True
    room = _ROUNDING if instance.lossy else 0
    return len(found) > 1 and all(_apart(one, found[0]) <= room for one in found[1:])


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one.astype(np.int64) - other.astype(np.int64)).max(initial=0))


def _copy(instance: Instance, edit: _Edit, planes: Planes, path: Path) -> Path:
    import pydicom

    from lethe.image.quiet import quiet_reading

    with quiet_reading():
        dataset = pydicom.dcmread(instance.path)
        if (
            edit.place is not None
        ):  # not of an enhanced object, whose frames have places and kinds of their own
            dataset.InstanceNumber = edit.number
            dataset.SeriesNumber, dataset.SeriesInstanceUID = edit.series, f"2.25.{edit.series}"
            dataset.ImagePositionPatient = [f"{value:.6f}"[:16] for value in edit.place]
        if edit.kind:
            _uncompressed(dataset, np.array([planes(f).astype(edit.kind) for f in instance.frames]))
            pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=True)
        else:
            dataset.save_as(path)
    return path


def _uncompressed(dataset: Dataset, values: NDArray[Any]) -> None:
    from pydicom.uid import ExplicitVRLittleEndian

    for keyword in _LIKE_PIXELS:
        dataset.pop(keyword, None)
    bits = 8 * values.itemsize
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    data = values.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    dataset["PixelData"].is_undefined_length = False
