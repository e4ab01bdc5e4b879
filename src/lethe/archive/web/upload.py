"""Receive files of a request body piece by piece: raw bodies and multipart forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from lethe.archive.content import Receiver
from lethe.archive.context import Context
from lethe.archive.problem import Problem

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
            await _form(_Form(ctx, upload, options.get(b"boundary", b"")), request)
        else:
            await _raw(ctx, request, upload)
    except ClientDisconnect:
        upload.discard()
        raise Problem(400, "The upload was broken off.") from None
    except BaseException:
        upload.discard()
        raise
    return upload


# A piece is written where it arrives: the page cache takes it faster than another thread would. Waiting for
# the disk (fsync) is worth a thread.


async def _raw(ctx: Context, request: Request, upload: Upload) -> None:
    with Receiver(ctx, put_off=True) as receiver:
        async for piece in request.stream():
            receiver.write(piece)
        if receiver.size:
            path, size, md5 = await to_thread.run_sync(receiver.finish)
            upload.files.append(Received("", path, size, md5))


async def _form(form: _Form, request: Request) -> None:
    try:
        async for piece in request.stream():
            form.write(piece)
            if form.whole:
                await to_thread.run_sync(form.keep)
        form.finish()
    finally:
        form.drop()


class _Form:
    """A multipart body on its way into files and fields."""

    def __init__(self, ctx: Context, upload: Upload, boundary: bytes) -> None:
        self._ctx, self._upload = ctx, upload
        self._header, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._name, self._file_name = "", ""
        self._text = bytearray()
        self._receiver: Receiver | None = None
        self.whole: list[tuple[str, Receiver]] = []
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

    def write(self, piece: bytes) -> None:
        """Take a piece of the body; files that ended in it lie in `whole`."""
        try:
            self._parser.write(piece)
        except FormParserError:
            raise Problem(400, "The multipart body is broken.") from None

    def keep(self) -> None:
        """Make the files in `whole` durable."""
        while self.whole:
            name, receiver = self.whole[0]
            path, size, md5 = receiver.finish()
            self._upload.files.append(Received(name, path, size, md5))
            receiver.close()
            del self.whole[0]

    def finish(self) -> None:
        """Say that the body has ended."""
        if not self._done:
            raise Problem(400, "The multipart body is broken.")

    def drop(self) -> None:
        """Remove the temporary copies of files that did not end."""
        for _, receiver in self.whole:
            receiver.close()
        if self._receiver is not None:
            self._receiver.close()

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
        self.whole.append((self._file_name, self._receiver))
        self._receiver = None

    def _finished(self) -> None:
        self._done = True

    def _bounded(self, text: bytes | bytearray) -> None:
        if len(text) > _MOST_FIELD:
            raise Problem(413, "A field of the form is too large.")
