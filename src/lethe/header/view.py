"""Bytes of an object that lie in several places: new header bytes, and ranges of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lethe.errors import Quarantined

_COPY = 1 << 20
Segment = bytes | tuple[BinaryIO, int, int]
"""Bytes at hand, or a range (stream, start, end) of a file."""


def _length(segment: Segment) -> int:
    return len(segment) if isinstance(segment, bytes) else segment[2] - segment[1]


class View:
    """A readable sequence of segments.

    Parameters
    ----------
    segments : sequence of Segment
        In order; empty ones are dropped.
    """

    __slots__ = ("segments", "size")

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = tuple(segment for segment in segments if _length(segment))
        self.size = sum(map(_length, self.segments))

    @classmethod
    def of_file(cls, stream: BinaryIO) -> View:
        """Return a view of a whole open file."""
        return cls([(stream, 0, os.fstat(stream.fileno()).st_size)])

    def slice(self, start: int, end: int) -> list[Segment]:
        """Return the segments that make up the bytes from `start` to `end`."""
        out: list[Segment] = []
        position = 0
        for segment in self.segments:
            length = _length(segment)
            low, high = max(start - position, 0), min(end - position, length)
            if low < high:
                if isinstance(segment, bytes):
                    out.append(segment[low:high])
                else:
                    out.append((segment[0], segment[1] + low, segment[1] + high))
            position += length
        return out

    def read(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`."""
        return b"".join(_pieces(self.slice(start, min(start + length, self.size))))

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes in pieces of at most a mebibyte or so."""
        return _pieces(self.segments)

    def begins_like(self, path: Path) -> bool:
        """Say whether the file at `path` has this size and the same bytes at hand at its start."""
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as stream:
                first = self.segments[0] if self.segments else b""
                return not isinstance(first, bytes) or stream.read(len(first)) == first
        except OSError:
            return False


def _pieces(segments: Sequence[Segment]) -> Iterator[bytes]:
    for segment in segments:
        if isinstance(segment, bytes):
            yield segment
            continue
        stream, position, end = segment
        while position < end:
            stream.seek(position)
            piece = stream.read(min(end - position, _COPY))
            if not piece:
                raise Quarantined(
                    "truncated", "The object became shorter while it was read.", remedy="Run again."
                )
            position += len(piece)
            yield piece
