"""Copies of objects that the converter cannot read as they are: alike, uncompressed, numbered in order.

They are its input only. What it makes of them is compared with the objects that were sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    "The converter was given copies, uncompressed or numbered anew, as it could not read the objects.",
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
    numbers: dict[Path, int] = {}
    for frame in order:
        numbers.setdefault(frame.path, len(numbers) + 1)
    known = {instance.path: instance for instance in instances}
    return [_copy(known[path], number, kind, planes, folder) for path, number in numbers.items()]


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


def _copy(instance: Instance, number: int, kind: str, planes: Planes, folder: Path) -> Path:
    import pydicom

    from lethe.image.quiet import quiet_reading

    path = folder / f"{number:06d}.dcm"
    with quiet_reading():
        dataset = pydicom.dcmread(instance.path)
        if not instance.enhanced:
            dataset.InstanceNumber = number
        if kind:
            _uncompressed(dataset, np.array([planes(frame).astype(kind) for frame in instance.frames]))
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
