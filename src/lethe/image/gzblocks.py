"""One gzip file out of blocks that were compressed on their own, in any order and by any thread; and back.

The same bytes come out whoever compressed what when: a block follows from its content alone.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import IO, Any, cast

try:
    from isal import igzip as gzip
    from isal import isal_zlib as deflate
except ImportError:  # de-facing must also run with numpy, scipy and nibabel alone; it packs otherwise then
    import gzip  # type: ignore[no-redef]

    deflate = zlib  # type: ignore[misc]

DAMAGED: tuple[type[Exception], ...] = (EOFError, cast(Any, deflate.error), gzip.BadGzipFile)

_LEVEL = 1
_RAW = -15  # window bits: deflate without a container
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # neither time nor name
_END = b"\x03\0"  # an empty last block
_MOST_PLAIN = 0xFFFF
_SMALL = 4096  # bytes


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
    return int(deflate.crc32(content, start))


def compress(content: bytes | memoryview) -> Block:
    """Compress a piece."""
    # of the same 352 bytes the fast one once made one byte less
    tool = zlib if len(content) <= _SMALL else deflate
    machine = tool.compressobj(_LEVEL, tool.DEFLATED, _RAW)
    data = machine.compress(content) + machine.flush(tool.Z_FULL_FLUSH)
    return Block(data, len(content), crc32(content))


def beginning(content: bytes) -> bytes:
    """Return the beginning of a file, up to a first block that holds `content` as it is.

    The length follows from that of the content, so that the rest of the file can be written before it.
    """
    if len(content) > _MOST_PLAIN:
        raise ValueError("longer than a block that is not compressed")
    length = len(content)
    return _HEAD + struct.pack("<BHH", 0, length, length ^ _MOST_PLAIN) + content


def ending(crc: int, size: int) -> bytes:
    """Return the end of a file whose whole content has this CRC-32 and length."""
    return _END + struct.pack("<II", crc, size & 0xFFFFFFFF)


def unpacked(stream: IO[bytes]) -> IO[bytes]:
    """Return the content of a file of this kind as a stream; reading raises one of `DAMAGED` if it is."""
    return cast(IO[bytes], cast(Any, gzip).open(stream))
