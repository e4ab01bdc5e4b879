"""Members of stored zip files: listed with ``listContents=true``, read at ``{file}.zip!/{member}``."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from starlette.responses import StreamingResponse

from lethe.archive.problem import Problem

_CHUNK = 1 << 20
_MOST = 100_000
MARK = "!/"


def names(path: Path) -> list[tuple[str, int]]:
    """Return name and unpacked size of the files in a zip.

    Raises
    ------
    Problem
        400 if it is no zip, or has more than 100,000 members.
    """
    with _opened(path) as archive:
        found = [(one.filename, one.file_size) for one in archive.infolist() if not one.is_dir()]
    if len(found) > _MOST:
        raise Problem(400, "The zip file has too many members to list.")
    return found


def response(path: Path, member: str) -> StreamingResponse:
    """Send one member of a zip, piece by piece; 404 if it is not there."""
    with _opened(path) as archive:
        try:
            entry = archive.getinfo(member)
        except KeyError:
            raise Problem(404, "Unable to find catalog entry for given uri.") from None
        if entry.is_dir() or entry.flag_bits & 0x1:
            raise Problem(400, "The member is a folder or encrypted.")
    return StreamingResponse(
        _pieces(path, member),
        media_type="application/octet-stream",
        headers={"Content-Disposition": "attachment"},
    )


def _pieces(path: Path, member: str) -> Iterator[bytes]:
    with _opened(path) as archive, archive.open(member) as stream:
        while piece := stream.read(_CHUNK):
            yield piece


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError):
        raise Problem(400, "The file is no zip file that can be read.") from None
