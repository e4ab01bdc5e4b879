"""One gzip file out of blocks that were compressed on their own, in any order and by any thread.

The same bytes come out whoever compressed what when: a block follows from its content alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

from isal import isal_zlib

_LEVEL = 1
_RAW = -15  # window bits: deflate without a container
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # neither time nor name
_END = b"\x03\0"  # an empty last block


@dataclass(frozen=True, slots=True)
class Block:
    """A compressed piece of a file.

    Attributes
    ----------
    data : bytes
        Deflated, ending at a byte and without reference to what comes before.
    size, crc : int
        Length and CRC-32 of the content.
    """

    data: bytes
    size: int
    crc: int


def crc32(content: bytes | memoryview, start: int = 0) -> int:
    """Return the CRC-32 of what came before, continued by `content`."""
    return int(isal_zlib.crc32(content, start))


def compress(content: bytes | memoryview) -> Block:
    """Compress a piece."""
    machine = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
    data = machine.compress(content) + machine.flush(isal_zlib.Z_FULL_FLUSH)
    return Block(data, len(content), crc32(content))


def write(stream: IO[bytes], blocks: Iterable[tuple[Block, bytes | memoryview]]) -> int:
    """Write blocks, each with its content, as one gzip file.

    Returns
    -------
    int
        CRC-32 of the whole content, as the file itself keeps it.
    """
    stream.write(_HEAD)
    crc, size = 0, 0
    for block, content in blocks:
        stream.write(block.data)
        crc, size = crc32(content, crc), size + block.size
    stream.write(_END + crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"))
    return crc
