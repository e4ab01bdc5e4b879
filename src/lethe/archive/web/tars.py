"""Tar archives written while they are sent, with and without gzip; the same files give the same bytes."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from starlette.responses import StreamingResponse

from lethe.archive import content
from lethe.archive.context import Context
from lethe.archive.web.zips import Member

_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


def stream(ctx: Context, members: Sequence[Member]) -> Iterator[bytes]:
    """Yield the bytes of a tar file."""
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size, info.mtime, info.mode = member.entry.size, int(member.entry.created), 0o644
        yield info.tobuf(tarfile.PAX_FORMAT)
        left = member.entry.size
        with content.file_path(ctx, member.resource, member.entry).open("rb") as source:
            while left and (piece := source.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece
        if left:
            raise OSError("a stored file is shorter than its row says")
        yield b"\0" * (-member.entry.size % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a gzip file (no name and no time in its header)."""
    packer = zlib.compressobj(1, wbits=31)
    for piece in pieces:
        if squeezed := packer.compress(piece):
            yield squeezed
    yield packer.flush()


def response(ctx: Context, members: Sequence[Member], name: str, form: str) -> StreamingResponse:
    """Return a tar (`form` ``tar``) or a packed one (``tar.gz``) as an answer."""
    body = stream(ctx, members)
    return StreamingResponse(
        body if form == "tar" else packed(body),
        media_type="application/x-tar" if form == "tar" else "application/gzip",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.{form}"},
    )
