"""Images packed plane by plane, beginning while the converter is still at work.

A plane of the series, turned as the converter turns it, is very likely a plane of the image to come. It is
compressed ahead, and used if the image's own plane has the same length and checksum.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.image import gzblocks
from lethe.image.conserve import Found
from lethe.image.frames import Frame
from lethe.image.gzblocks import Block
from lethe.image.pixels import Planes
from lethe.image.stack import Stack

_MOST_AHEAD = 512 << 20  # compressed bytes kept in memory before the image is there
_TOGETHER = 64
Part = tuple[Frame | None, memoryview]


class Packer:
    """Threads that compress planes.

    Parameters
    ----------
    stack : Stack
        The planes, in the order of the image to come.
    planes : Planes
        Gives the stored values of a frame.
    """

    def __init__(self, stack: Stack, planes: Planes) -> None:
        self._planes, self._held = planes, 0
        self._pool = ThreadPoolExecutor(2)
        self._second = threading.Event()
        # The converter has the second core until it comes to its end.
        self._pool.submit(self._second.wait)
        times = max(map(len, stack.groups))
        order = [group[t] for t in range(times) for group in stack.groups if t < len(group)]
        self._ahead: dict[tuple[Path, int], Future[Block | None]] = {
            (frame.path, frame.index): self._pool.submit(self._compressed, frame) for frame in order
        }

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._second.set()
        self._pool.shutdown(cancel_futures=True)

    def use_both_cores(self) -> None:
        """Say that the converter has come to its end."""
        self._second.set()

    def read_all(self) -> None:
        """Wait until every plane was read, so that a damaged one is named."""
        for job in self._ahead.values():
            job.result()

    def write(self, path: Path, head: bytes, voxels: NDArray[Any], found: Found) -> int:
        """Write a ``.nii.gz``.

        Parameters
        ----------
        path : Path
            In a folder of the caller.
        head : bytes
            What precedes the voxels.
        voxels : NDArray, shape (i, j, k, t)
            In Fortran order.
        found : Found
            Which frame became which plane.

        Returns
        -------
        int
            CRC-32 of the uncompressed file.
        """
        with path.open("wb") as stream:
            crc = gzblocks.write(stream, self._blocks(head, voxels, found))
            stream.flush()
            os.fsync(stream.fileno())
        return crc

    def _blocks(self, head: bytes, voxels: NDArray[Any], found: Found) -> Iterator[tuple[Block, memoryview]]:
        yield gzblocks.compress(head), memoryview(head)
        content = voxels.reshape(-1, order="F").view(np.uint8).data
        size = len(content) // (voxels.shape[2] * voxels.shape[3])
        parts: list[Part] = [
            (found.get((k, t)), content[at : at + size])
            for at, (t, k) in zip(range(0, len(content), size), np.ndindex(voxels.shape[:1:-1]), strict=True)
        ]
        for start in range(0, len(parts), _TOGETHER):
            some = parts[start : start + _TOGETHER]
            yield from zip(self._pool.map(self._block, some), (part for _, part in some), strict=True)

    def _block(self, part: Part) -> Block:
        frame, content = part
        # Jobs are done in the order given: those ahead are at work or done by now.
        ahead = self._ahead.pop((frame.path, frame.index), None) if frame else None
        block = ahead.result() if ahead else None
        if block and (block.size, block.crc) == (len(content), gzblocks.crc32(content)):
            return block
        return gzblocks.compress(content)

    def _compressed(self, frame: Frame) -> Block | None:
        if self._held > _MOST_AHEAD:
            return None
        block = gzblocks.compress(self._planes.turned(frame).data.cast("B"))
        self._held += len(block.data)
        return block
