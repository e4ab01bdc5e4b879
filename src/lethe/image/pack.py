"""Images packed plane by plane, beginning while the converter is still at work.

A plane of the series, turned as the converter turns it, is very likely a plane of the image to come. It is
compressed ahead, and used if the image's own plane has the same length and checksum.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.image import gzblocks
from lethe.image.frames import Frame
from lethe.image.gzblocks import Block
from lethe.image.pixels import Planes
from lethe.image.stack import Stack

_MOST_AHEAD = 512 << 20  # compressed bytes kept in memory before the image is there
_TOGETHER = 64


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
        self._planes, self._groups, self._held = planes, stack.groups, 0
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
        for job in list(self._ahead.values()):
            job.result()

    def plane(self, frame: Frame) -> NDArray[Any]:
        """Return the stored values of a frame, as soon as they have been read to be compressed."""
        job = self._ahead.get((frame.path, frame.index))
        if job is not None:
            job.result()
        return self._planes(frame)

    def write(self, path: Path, head: bytes, voxels: NDArray[Any]) -> int:
        """Write a ``.nii.gz``.

        Parameters
        ----------
        path : Path
            In a folder of the caller.
        head : bytes
            What precedes the voxels.
        voxels : NDArray, shape (i, j, k, t)
            In Fortran order.

        Returns
        -------
        int
            CRC-32 of the uncompressed file.
        """
        with path.open("wb") as stream:
            crc = gzblocks.write(stream, self._blocks(head, voxels))
            stream.flush()
            os.fsync(stream.fileno())
        return crc

    def _blocks(self, head: bytes, voxels: NDArray[Any]) -> Iterator[tuple[Block, memoryview]]:
        yield gzblocks.compress(head), memoryview(head)
        content = voxels.reshape(-1, order="F").view(np.uint8).data
        slices, times = voxels.shape[2:]
        size = len(content) // (slices * times)
        waiting: deque[tuple[Future[Block], memoryview]] = deque()
        for number in range(slices * times):
            part = content[number * size : (number + 1) * size]
            waiting.append((self._job(number % slices, slices, part), part))
            if len(waiting) > _TOGETHER:
                job, part = waiting.popleft()
                yield job.result(), part
        for job, part in waiting:
            yield job.result(), part

    def _job(self, k: int, slices: int, content: memoryview) -> Future[Block]:
        """Return the block of slice `k`: that of a plane at its place, if one is equal, or a new one."""
        frames = self._groups[k] + self._groups[-1 - k] if slices == len(self._groups) else []
        wanted = (len(content), gzblocks.crc32(content))
        for key in ((frame.path, frame.index) for frame in frames):
            block = self._ahead[key].result() if key in self._ahead else None
            if block is not None and (block.size, block.crc) == wanted:
                done: Future[Block] = Future()
                done.set_result(block)
                return done
        return self._pool.submit(gzblocks.compress, content)

    def _compressed(self, frame: Frame) -> Block | None:
        if self._held > _MOST_AHEAD:
            return None
        block = gzblocks.compress(self._planes.turned(frame).data.cast("B"))
        self._held += len(block.data)
        return block
