"""Look for DICOM objects in any file, however it is packed, and ask the second net about each."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pydicom
from pydicom.errors import InvalidDicomError

from lethe.archive.intake.net import Net
from lethe.archive.intake.objects import read_header
from lethe.archive.intake.unpack import Limits, members
from lethe.errors import Refused

_HEAD = 512
_DEEPEST = 3
_MOST_CODES = 50
_CLOSED = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar", b"\x28\xb5\x2f\xfd": "zstd", b"MSCF": "cab"}
_PACKED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open,
}  # fmt: skip
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)
_NAMES = ("SOPClassUID", "StudyInstanceUID", "PatientID", "PatientName")


def reasons(net: Net, path: Path, *, image: bool = False) -> list[str]:
    """Return why a file may not stay in a project with the net; empty if it may.

    Parameters
    ----------
    path : Path
        Any file: a DICOM object, a zip, tar or compressed file with objects in it, something else.
    image : bool
        Whether it must be a DICOM object.
    """
    if image:
        code = reason(net, path)
        return [] if code is None else [code]
    found: list[str] = []
    for code in _codes(net, path, 0):
        found.append(code)
        if len(found) >= _MOST_CODES:
            break
    return found


def reason(net: Net, path: Path) -> str | None:
    """Return why a file that should be a DICOM object may not go on, or None."""
    try:
        read_header(path)
        return net.reason(path)
    except Refused as refusal:
        return refusal.code


def has_preamble(path: Path) -> bool:
    """Tell whether a file begins as a DICOM object does."""
    return _head(path)[128:132] == b"DICM"


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_HEAD)


def _codes(net: Net, path: Path, depth: int) -> Iterator[str]:
    head = _head(path)
    if head[128:132] == b"DICM":
        code = reason(net, path)
        if code is not None:
            yield code
    elif _is_bare_object(path, head):
        yield "dicom-without-preamble"
    if any(head.startswith(mark) for mark in _CLOSED):
        yield "archive-unopened"
    opener = next((one for mark, one in _PACKED.items() if head.startswith(mark)), None)
    if opener is None and not _is_archive(path, head):
        return
    if depth >= _DEEPEST:
        yield "archive-too-deep"
        return
    try:
        yield from _unpacked(net, path, opener, depth) if opener else _within(net, path, depth)
    except Refused as refusal:
        yield refusal.code


def _is_archive(path: Path, head: bytes) -> bool:
    return head[:4] in {b"PK\x03\x04", b"PK\x05\x06"} or head[257:262] == b"ustar" or zipfile.is_zipfile(path)


def _within(net: Net, path: Path, depth: int) -> Iterator[str]:
    """Yield the codes of the members of a zip or tar."""
    for member in members(path):
        start = member.stream.read(_HEAD)
        if _is_worth(start):
            yield from _spooled(net, start, member.stream, depth)


def _unpacked(net: Net, path: Path, opener: Callable[..., Any], depth: int) -> Iterator[str]:
    """Yield the codes of what a compressed file holds (a tar, an object, or nothing that matters)."""
    limit = Limits()
    try:
        with opener(path, "rb") as stream:
            start = stream.read(_HEAD)
            if _is_worth(start):
                yield from _spooled(
                    net, start, stream, depth, most=limit.ratio * max(path.stat().st_size, 1 << 20)
                )
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        yield "broken-archive"


def _is_worth(start: bytes) -> bool:
    """Tell whether the first bytes of something packed may begin an object or another archive."""
    marks = (*_CLOSED, *_PACKED, b"PK\x03\x04", b"PK\x05\x06")
    return (
        start[128:132] == b"DICM"
        or start[257:262] == b"ustar"
        or start.startswith(marks)
        or _may_be_bare(start)
    )


def _spooled(net: Net, start: bytes, stream: IO[bytes], depth: int, most: int | None = None) -> Iterator[str]:
    spool = net.ctx.store.temporary(".look")
    try:
        with spool.open("xb") as target:
            target.write(start)
            if most is None:
                shutil.copyfileobj(stream, target, 1 << 20)
            else:
                left = most
                while left > 0 and (piece := stream.read(min(left, 1 << 20))):
                    target.write(piece)
                    left -= len(piece)
                if left <= 0:
                    yield "archive-bomb"
                    return
        yield from _codes(net, spool, depth + 1)
    finally:
        spool.unlink(missing_ok=True)


def _may_be_bare(start: bytes) -> bool:
    """Tell whether bytes may begin a data set without preamble: group 2 or 8, and a low element number."""
    return start[:2] in {b"\x08\x00", b"\x02\x00", b"\x00\x08"} and len(start) > 8


def _is_bare_object(path: Path, head: bytes) -> bool:
    if not _may_be_bare(head):
        return False
    try:
        found = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(_NAMES))
    except (InvalidDicomError, ValueError, KeyError, AttributeError, NotImplementedError, EOFError, OSError):
        return False
    return any(name in found for name in _NAMES)
