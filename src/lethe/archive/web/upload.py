"""Receive files of a request body piece by piece: raw bodies and multipart forms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from lethe.archive.content import Receiver
from lethe.archive.context import Context
from lethe.archive.problem import Problem

_GATHER = 1 << 20
_AHEAD = 8
_MOST_FIELD = 1 << 16


@dataclass(frozen=True, slots=True)
class Received:
    """One file of a request: the name the sender gave (may be empty), its temporary copy, size, md5 (empty
    where it is put off)."""

    name: str
    path: Path
    size: int
    md5: str


@dataclass(slots=True)
class Upload:
    """All files of a request, and the other fields of a multipart form."""

    files: list[Received] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)

    def discard(self) -> None:
        """Remove the temporary copies."""
        for one in self.files:
            one.path.unlink(missing_ok=True)


async def receive(ctx: Context, request: Request) -> Upload:
    """Stream a request body into temporary files; no file is held in memory whole.

    Raises
    ------
    Problem
        400 for a broken multipart body or a sender that went away.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    upload = Upload()
    try:
        if kind == b"multipart/form-data":
            sink = _Form(ctx, upload, options.get(b"boundary", b""))
            await _feed(request, sink.write)
            await to_thread.run_sync(sink.finish)
        else:
            await _raw(ctx, request, upload)
    except ClientDisconnect:
        upload.discard()
        raise Problem(400, "The upload was broken off.") from None
    except BaseException:
        upload.discard()
        raise
    return upload


async def _raw(ctx: Context, request: Request, upload: Upload) -> None:
    receiver = Receiver(ctx, put_off=True)
    with receiver:
        await _feed(request, lambda pieces: receiver.write(*pieces))
        if receiver.size:
            path, size, md5 = await to_thread.run_sync(receiver.finish)
            upload.files.append(Received("", path, size, md5))


class _Lane:
    """Gives pieces to a sink in a worker thread, in order, a few pieces behind whoever feeds it."""

    def __init__(self, sink: Callable[[list[bytes]], None]) -> None:
        self._sink = sink
        self._queue: asyncio.Queue[list[bytes] | None] = asyncio.Queue(_AHEAD)
        self._task = asyncio.ensure_future(self._run())

    async def put(self, pieces: list[bytes] | None) -> None:
        """Hand pieces over; raise what the sink raised for earlier ones."""
        if self._queue.full() or self._task.done():
            giving = asyncio.ensure_future(self._queue.put(pieces))
            await asyncio.wait({giving, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                giving.cancel()
                self._task.result()
        else:
            self._queue.put_nowait(pieces)

    async def end(self) -> None:
        """Wait until every piece is through."""
        await self.put(None)
        await self._task

    async def _run(self) -> None:
        ended = False
        while not ended:
            waiting = [await self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            ended = waiting[-1] is None
            pieces = [piece for several in waiting if several is not None for piece in several]
            if pieces:
                await to_thread.run_sync(self._sink, pieces)


async def _feed(request: Request, sink: Callable[[list[bytes]], None]) -> None:
    """Give a body to a sink that works while the next pieces arrive."""
    lane = _Lane(sink)
    try:
        async for pieces in _gathered(request):
            await lane.put(pieces)
    finally:
        (ending,) = await asyncio.gather(lane.end(), return_exceptions=True)
    if ending is not None:
        raise ending


async def _gathered(request: Request) -> AsyncIterator[list[bytes]]:
    """Yield the body in lists of about 1 MiB, uncopied, so that few hops to a worker thread are needed."""
    gathered, size = list[bytes](), 0
    async for piece in request.stream():
        if piece:
            gathered.append(piece)
            size += len(piece)
        if size >= _GATHER:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


class _Form:
    """A multipart body on its way into files and fields."""

    def __init__(self, ctx: Context, upload: Upload, boundary: bytes) -> None:
        self._ctx, self._upload = ctx, upload
        self._header, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._name, self._file_name = "", ""
        self._text = bytearray()
        self._receiver: Receiver | None = None
        self._done = False
        if not boundary:
            raise Problem(400, "The multipart body has no boundary.")
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finished,
            },
        )

    def write(self, pieces: list[bytes]) -> None:
        """Take pieces of the body."""
        try:
            for piece in pieces:
                self._parser.write(piece)
        except FormParserError:
            self._drop()
            raise Problem(400, "The multipart body is broken.") from None
        except BaseException:
            self._drop()
            raise

    def finish(self) -> None:
        """Say that the body has ended."""
        if not self._done:
            self._drop()
            raise Problem(400, "The multipart body is broken.")

    def _drop(self) -> None:
        if self._receiver is not None:
            self._receiver.__exit__(None, None, None)
            self._receiver = None

    def _begin(self) -> None:
        self._headers = {}
        self._text = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._bounded(self._header)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded(self._value)

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode(errors="replace")
        self._file_name = options.get(b"filename", b"").decode(errors="replace")
        if b"filename" in options:
            self._receiver = Receiver(self._ctx, put_off=True).__enter__()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._receiver is not None:
            self._receiver.write(memoryview(data)[start:end])
        else:
            self._text += data[start:end]
            self._bounded(self._text)

    def _end(self) -> None:
        if self._receiver is None:
            self._upload.fields[self._name] = self._text.decode(errors="replace")
            return
        path, size, md5 = self._receiver.finish()
        self._drop()
        self._upload.files.append(Received(self._file_name, path, size, md5))

    def _finished(self) -> None:
        self._done = True

    def _bounded(self, text: bytes | bytearray) -> None:
        if len(text) > _MOST_FIELD:
            raise Problem(413, "A field of the form is too large.")
