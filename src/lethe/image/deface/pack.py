"""Gzip that gives the same bytes every time and uses every core.

What is written is cut into blocks, each compressed on its own (`lethe.image.gzblocks`); joined, they are one
ordinary gzip member. The bytes depend on the data and on how they are cut only, never on the number of
threads, the clock or the file name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, Protocol

from lethe.image import gzblocks

_BLOCK = 1 << 20


class Sink(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take `data`, which may not change any more."""
        ...


class GzipWriter:
    """Compress what is written into one gzip member; call `close` to finish it.

    Parameters
    ----------
    stream : IO[bytes]
        Where the compressed bytes go. It is not closed.
    threads : int
        How many blocks are compressed at the same time.
    """

    def __init__(self, stream: IO[bytes], threads: int = 2) -> None:
        self._stream = stream
        self._pool = ThreadPoolExecutor(threads)
        self._ahead = 16 * threads
        self._waiting: deque[Future[gzblocks.Block]] = deque()
        self._crc = 0
        self._length = 0
        stream.write(gzblocks.beginning(b""))

    def write(self, data: bytes | memoryview, /) -> int:
        """Take `data`, which may not change any more; return its length in bytes."""
        content = memoryview(data).cast("B")
        self._crc = gzblocks.crc32(content, self._crc)
        self._length += len(content)
        for start in range(0, len(content), _BLOCK):
            self._waiting.append(self._pool.submit(gzblocks.compress, content[start : start + _BLOCK]))
            self._flush(self._ahead)
        return len(content)

    def close(self) -> None:
        """Write the last blocks and the check sum."""
        self._flush(0)
        self._pool.shutdown()
        self._stream.write(gzblocks.ending(self._crc, self._length))

    def abandon(self) -> None:
        """Drop what is pending; the stream is left unfinished."""
        self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)

    def _flush(self, keep: int) -> None:
        while len(self._waiting) > keep:
            self._stream.write(self._waiting.popleft().result().data)


@contextmanager
def packed(stream: IO[bytes], *, compress: bool) -> Iterator[Sink]:
    """Yield a sink that compresses into `stream`, or `stream` itself."""
    if not compress:
        yield stream
        return
    writer = GzipWriter(stream)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.abandon()
        raise
