"""Planes that the converter has read well but put in disorder, put in the order of their headers.

It mixes up time points where a scanner numbers all times of one slice before the next one, and those of one
object of several vendors. Every plane is recognised by its content, used once, and compared again afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lethe.image import nifti
from lethe.image.converter import Raw
from lethe.image.findings import Finding
from lethe.image.frames import Frame
from lethe.image.gzblocks import crc32
from lethe.image.layout import RAS
from lethe.image.nifti import Nifti
from lethe.image.pixels import Planes
from lethe.image.stack import Stack

MIXED_UP = frozenset({"geometry-changed", "split-series", "time-order", "voxels-changed"})
"""Codes of refusals that disorder leads to."""
REORDERED = Finding(
    "reordered", "Planes that the converter mixed up were put in the order of their headers.", fatal=False
)


def put_in_order(
    raws: Sequence[Raw], stack: Stack, planes: Planes, work: Path, *, apart: bool = False
) -> list[Raw]:
    """Write the planes of all images anew, in order.

    Parameters
    ----------
    raws : sequence of Raw
        The converter's images.
    stack : Stack
        The planes of the series.
    planes : Planes
        Gives their stored values.
    work : Path
        An empty private folder.
    apart : bool
        Whether each time point becomes an image of its own.

    Returns
    -------
    list of Raw
        Empty where that is not possible: planes are not there with their stored values, or differ in more
        than time. Gradients are left out, as their order is no longer known.
    """
    images = [nifti.read(raw.nifti) for raw in raws]
    frames = [frame for group in stack.groups for frame in group]
    times = {len(group) for group in stack.groups}
    alike = {
        (image.voxels.dtype.str, image.voxels.shape[:2], image.slope, image.intercept) for image in images
    }
    kinds = {(frame.echo, frame.component) for frame in frames}
    if len(alike) > 1 or len(kinds) > 1 or len(times) > 1:
        return []
    count = max(times)
    found = _in_order([group[t] for t in range(count) for group in stack.groups], planes, images)
    parts = count if apart else 1
    share, written = len(found) // parts, []
    for part in range(parts if found else 0):
        target = work / f"image-{part:04d}.nii"
        shape = (*images[0].voxels.shape[:2], len(stack.groups), count // parts)
        content = found[part * share : (part + 1) * share]
        nifti.write_planes(target, images[0], shape, _affine(stack), content)
        written.append(Raw(target, raws[0].sidecar, ()))
    return written


def _in_order(order: Sequence[Frame], planes: Planes, images: Sequence[Nifti]) -> list[memoryview]:
    bag: dict[tuple[int, int], list[memoryview]] = defaultdict(list)
    for image in images:
        slices, times = image.voxels.shape[2:]
        content = image.voxels.reshape(-1, order="F").view(np.uint8).data
        size = len(content) // (slices * times)
        for start in range(0, len(content), size):
            part = content[start : start + size]
            bag[size, crc32(part)].append(part)
    found = []
    for frame in order:
        raw = planes.turned(frame).data.cast("B")
        same = bag.get((len(raw), crc32(raw)))
        if not same:
            return []
        found.append(same.pop())
    return found


def _affine(stack: Stack) -> NDArray[np.float64]:
    """Return the affine of columns, rows from the last to the first, and slices upwards."""
    frame = stack.groups[0][0]
    direction, spacing = np.array(frame.orientation), frame.spacing or (1.0, 1.0)
    down = RAS * direction[3:] * spacing[0]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = RAS * direction[:3] * spacing[1], -down
    affine[:3, 2] = RAS * stack.step
    affine[:3, 3] = RAS * stack.origin + down * (frame.rows - 1)
    return affine
