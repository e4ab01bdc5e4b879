"""Gzip that gives the same bytes every time and uses every core.

The stream is cut into blocks of fixed size, each compressed on its own with the last 32 KiB before it as
dictionary and ended on a byte boundary; joined, they are one ordinary gzip member. The bytes depend on the
data only, never on the number of threads, the clock or the file name.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, Protocol

_BLOCK = 1 << 20
_WINDOW = 1 << 15
_LEVEL = 4
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, unknown system


class Sink(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Take `data`."""
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
        self._ahead = 2 * threads
        self._waiting: deque[Future[bytes]] = deque()
        self._rest = bytearray()
        self._window = b""
        self._crc = 0
        self._length = 0
        stream.write(_HEADER)

    def write(self, data: bytes, /) -> int:
        """Take `data`; return its length."""
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        self._rest += data
        while len(self._rest) >= _BLOCK:
            self._submit(bytes(self._rest[:_BLOCK]))
            del self._rest[:_BLOCK]
        return len(data)

    def close(self) -> None:
        """Write the last block and the check sum."""
        self._submit(bytes(self._rest), last=True)
        self._flush(0)
        self._pool.shutdown()
        self._stream.write(
            self._crc.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")
        )

    def abandon(self) -> None:
        """Drop what is pending; the stream is left unfinished."""
        self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)

    def _submit(self, block: bytes, *, last: bool = False) -> None:
        self._waiting.append(self._pool.submit(_deflate, block, self._window, last))
        self._window = (self._window + block)[-_WINDOW:]
        self._flush(self._ahead)

    def _flush(self, keep: int) -> None:
        while len(self._waiting) > keep:
            self._stream.write(self._waiting.popleft().result())


def _deflate(block: bytes, window: bytes, last: bool) -> bytes:
    maker = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zdict=window)
    return maker.compress(block) + maker.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


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
