"""Images packed plane by plane, beginning while the converter is still at work.

A plane of the series, turned as the converter turns it, is very likely a plane of the image to come, and the
planes in order are very likely the image. They are compressed and written ahead. Each is used if the image's
own plane has the same length and checksum; if all are, what was written is the file.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lethe.image import gzblocks
from lethe.image.frames import Frame
from lethe.image.gzblocks import Block
from lethe.image.nifti import HEAD_BYTES
from lethe.image.pixels import Planes
from lethe.image.stack import Stack

_TOGETHER = 64
_BEGINNING = len(gzblocks.beginning(bytes(HEAD_BYTES)))


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A plane that was compressed ahead: its number in the file, length and CRC-32 of its content."""

    number: int
    size: int
    crc: int


class Packer:
    """Threads that compress planes.

    Parameters
    ----------
    stack : Stack
        The planes, in the order of the image to come.
    planes : Planes
        Gives the stored values of a frame.
    folder : Path
        Private folder on the disk of the result.
    """

    def __init__(self, stack: Stack, planes: Planes, folder: Path) -> None:
        self._planes, self._groups = planes, stack.groups
        self._spool = _Spool(folder / "ahead")
        self._pool = ThreadPoolExecutor(2)
        self._second = threading.Event()
        # The converter has the second core until it comes to its end.
        self._pool.submit(self._second.wait)
        times = max(map(len, stack.groups))
        order = [group[t] for t in range(times) for group in stack.groups if t < len(group)]
        self._ahead: dict[tuple[Path, int], Future[_Ahead | None]] = {
            (frame.path, frame.index): self._pool.submit(self._compressed, number, frame)
            for number, frame in enumerate(order)
        }

    def __enter__(self) -> Packer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._second.set()
        self._pool.shutdown(cancel_futures=True)
        self._spool.close()

    def use_both_cores(self) -> None:
        """Say that the converter has come to its end."""
        self._second.set()

    def read_all(self) -> None:
        """Wait until every plane was read, so that a damaged one is named."""
        for job in list(self._ahead.values()):
            job.result()

    def write(self, path: Path, head: bytes, voxels: NDArray[Any]) -> int:
        """Write a ``.nii.gz``.

        Parameters
        ----------
        path : Path
            In the private folder.
        head : bytes
            What precedes the voxels, `HEAD_BYTES` long.
        voxels : NDArray, shape (i, j, k, t)
            In Fortran order.

        Returns
        -------
        int
            CRC-32 of the uncompressed file.
        """
        crc, size, count = gzblocks.crc32(head), len(head), 0
        part = path.with_name(f"{path.name}.part")  # what lies at `path` may be the file written ahead
        with ExitStack() as closing:
            target: IO[bytes] | None = None

            def own_file() -> IO[bytes]:
                stream = closing.enter_context(part.open("wb"))
                stream.write(gzblocks.beginning(head))
                for number in range(count):
                    stream.write(self._spool.read(number))
                return stream

            for piece, content in self._pieces(voxels):
                if target is None and not (isinstance(piece, _Ahead) and piece.number == count):
                    target = own_file()
                if target is not None:
                    target.write(self._spool.read(piece.number) if isinstance(piece, _Ahead) else piece.data)
                crc, size, count = gzblocks.crc32(content, crc), size + len(content), count + 1
            if target is None and count == len(self._ahead) and not self._spool.given_away:
                self._spool.finish(path, head, gzblocks.ending(crc, size))
                return crc
            target = target or own_file()
            target.write(gzblocks.ending(crc, size))
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, path)
        return crc

    def _pieces(self, voxels: NDArray[Any]) -> Iterator[tuple[_Ahead | Block, memoryview]]:
        content = voxels.reshape(-1, order="F").view(np.uint8).data
        slices, times = voxels.shape[2:]
        size = len(content) // (slices * times)
        waiting: deque[tuple[Future[Block] | _Ahead, memoryview]] = deque()
        for number in range(slices * times):
            part = content[number * size : (number + 1) * size]
            waiting.append((self._job(number, slices, part), part))
            while waiting and (len(waiting) > _TOGETHER or isinstance(waiting[0][0], _Ahead)):
                job, part = waiting.popleft()
                yield job if isinstance(job, _Ahead) else job.result(), part
        for job, part in waiting:
            yield job if isinstance(job, _Ahead) else job.result(), part

    def _job(self, number: int, slices: int, content: memoryview) -> Future[Block] | _Ahead:
        """Return the plane ahead that equals a plane of the image, or the compression of a new block."""
        wanted = (len(content), gzblocks.crc32(content))
        t, k = divmod(number, slices)
        frames = self._groups[k] + self._groups[-1 - k] if slices == len(self._groups) else []
        for frame in frames[t : t + 1] + frames[:t] + frames[t + 1 :]:
            plane = self._ahead[frame.path, frame.index].result()
            if plane is not None and (plane.size, plane.crc) == wanted:
                return plane
        return self._pool.submit(gzblocks.compress, content)

    def _compressed(self, number: int, frame: Frame) -> _Ahead | None:
        if self._spool.broken:
            return None
        try:
            block = gzblocks.compress(self._planes.turned(frame).data.cast("B"))
            self._spool.put(number, block.data)
        except BaseException:
            self._spool.broken = True  # the rest would wait for this one in vain
            raise
        return _Ahead(number, block.size, block.crc)


class _Spool:
    """The file that is written ahead: room for a beginning, then blocks in order of their numbers."""

    def __init__(self, path: Path) -> None:
        self.broken = self.given_away = False
        self._path = path
        self._stream = path.open("w+b", buffering=0)
        self._stream.seek(_BEGINNING)
        self._ends = [_BEGINNING]
        self._early: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def put(self, number: int, data: bytes) -> None:
        """Keep a block until all before it are written."""
        with self._lock:
            self._early[number] = data
            while (data := self._early.pop(len(self._ends) - 1, b"")) != b"":
                _write_all(self._stream, data)
                self._ends.append(self._ends[-1] + len(data))

    def read(self, number: int) -> bytes:
        """Return a block, be it written or not."""
        with self._lock:
            if number in self._early:
                return self._early[number]
            start, end = self._ends[number : number + 2]
            return os.pread(self._stream.fileno(), end - start, start)

    def finish(self, path: Path, head: bytes, ending: bytes) -> None:
        """Make the blocks a whole file, and give it away; they can still be read."""
        _write_all(self._stream, ending)
        self._stream.seek(0)
        _write_all(self._stream, gzblocks.beginning(head))
        os.fsync(self._stream.fileno())
        os.replace(self._path, path)
        self.given_away = True

    def close(self) -> None:
        self._stream.close()


def _write_all(stream: Any, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]
