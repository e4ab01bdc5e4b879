"""The body of an upload to a file, piece by piece, whatever form it comes in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from lethe.archive.context import Context
from lethe.archive.problem import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_LARGEST_FIELD = 1 << 16
_MOST_FIELDS = 100


@dataclass(slots=True)
class Upload:
    """What a request brought: its parameters (query before form fields) and its one file, if any."""

    parameters: Mapping[str, str]
    path: Path | None = None

    def open(self) -> BinaryIO:
        """Open the file for writing."""
        if self.path is None:
            raise Problem(500)
        return self.path.open("xb")

    def discard(self) -> None:
        """Remove the file if it is still there."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


async def receive_upload(ctx: Context, request: Request) -> Upload:
    """Spool the body of a request below ``tmp``; what is kept of it is made durable later.

    Raises
    ------
    Problem
        400 for a broken multipart body.
    """
    query = dict(request.query_params)
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    upload = Upload(query, ctx.store.temporary(".upload"))
    try:
        with upload.open() as stream:
            if kind == b"multipart/form-data" and b"boundary" in options:
                parts = _Parts(stream)
                with _broken_form():
                    parser = MultipartParser(options[b"boundary"], parts.callbacks())
                    async for piece in request.stream():
                        await anyio.to_thread.run_sync(parser.write, piece)
                    parser.finalize()
                upload.parameters = {**parts.fields, **query}
            else:
                async for piece in request.stream():
                    await anyio.to_thread.run_sync(stream.write, piece)
            empty = stream.tell() == 0
    except BaseException:
        upload.discard()
        raise
    if empty:
        upload.discard()
        upload.path = None
    return upload


@dataclass(slots=True)
class _Parts:
    """Takes the file part of a form to the stream, and short fields to a mapping."""

    stream: BinaryIO
    fields: dict[str, str] = field(default_factory=dict)
    _header: list[bytes] = field(default_factory=lambda: [b"", b""])
    _name: str = ""
    _is_file: bool = False
    _value: bytearray = field(default_factory=bytearray)
    _files: int = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._name, self._is_file = "", False
        self._value.clear()
        self._header = [b"", b""]

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _header_end(self) -> None:
        name, value = self._header
        self._header = [b"", b""]
        if name.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            self._is_file = b"filename" in options
            self._files += self._is_file
            if self._files > 1:
                raise Problem(400, "The form has more than one file.")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.stream.write(data[start:end])
        else:
            self._value += data[start:end]
            if len(self._value) > _LARGEST_FIELD:
                raise Problem(400, "A form field is too long.")

    def _end(self) -> None:
        if not self._is_file:
            if len(self.fields) >= _MOST_FIELDS:
                raise Problem(400, "The form has too many fields.")
            self.fields[self._name] = self._value.decode("utf-8", "replace")


@contextmanager
def _broken_form() -> Iterator[None]:
    try:
        yield
    except MultipartParseError as error:
        raise Problem(400, "The multipart body cannot be read.") from error
