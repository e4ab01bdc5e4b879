"""Open what other files are packed in, by their first bytes and not by their name."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from lethe.errors import Refused

_DEPTH = 5
_IN_MEMORY = 1 << 30  # a packed part inside a packed part is held in memory up to here
_DEFLATED = b"1.2.840.10008.1.2.1.99"
PACKING_ERRORS = (
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    sqlite3.Error,
    RuntimeError,
)


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(slots=True)
class Part:
    """Something unpacked: the kind of its container, its name there, its bytes."""

    kind: str
    name: str
    stream: Readable


def kind_of(head: bytes) -> str:
    """Return the container that begins with `head` (600 bytes), or ``""``."""
    magics = {
        b"\x1f\x8b": "gzip",
        b"BZh": "bzip2",
        b"\xfd7zXZ\0": "xz",
        b"PK\x03\x04": "zip",
        b"PK\x05\x06": "zip",
        b"SQLite format 3\0": "sqlite",
        b"PAR1": "parquet",
    }
    for magic, kind in magics.items():
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    return "dicom" if head[128:132] == b"DICM" and _DEFLATED in head else ""


def parts(path: Path) -> Iterator[Part | Exception]:
    """Yield what `path` holds unpacked, at any depth; an exception stands for what cannot be unpacked."""
    with path.open("rb") as stream:
        yield from _parts(stream, "", 0)


def _parts(stream: IO[bytes], name: str, depth: int) -> Iterator[Part | Exception]:
    head = stream.read(600)
    stream.seek(0)
    kind = kind_of(head)
    if not kind:
        return
    if depth == _DEPTH:
        yield Refused("nested", "Containers are nested too deeply.")
        return
    try:
        yield from _open(kind, stream, name, depth)
    except (OSError, EOFError, ValueError, *PACKING_ERRORS) as problem:
        yield problem


def _open(kind: str, stream: IO[bytes], name: str, depth: int) -> Iterator[Part | Exception]:
    if kind in _COMPRESSED:
        opener = _COMPRESSED[kind]
        yield Part(kind, name, opener(stream))
        stream.seek(0)
        inner = opener(stream)
        if kind_of(inner.read(600)):
            stream.seek(0)
            yield from _inner(opener(stream), name, depth)
    elif kind == "zip":
        yield from _zip(stream, name, depth)
    elif kind == "tar":
        yield from _tar(stream, name, depth)
    elif kind == "sqlite":
        yield Part(kind, name, _Rows(_sqlite_values(stream)))
    elif kind == "parquet":
        yield from _parquet(stream, name)
    else:
        yield Part("deflated dicom", name, io.BytesIO(_inflate(stream.read())))


def _gzip(stream: IO[bytes]) -> Readable:
    return gzip.GzipFile(fileobj=stream)


_COMPRESSED: dict[str, Callable[[IO[bytes]], Readable]] = {
    "gzip": _gzip,
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


def _inner(stream: Readable, name: str, depth: int) -> Iterator[Part | Exception]:
    data = stream.read(_IN_MEMORY + 1)
    if len(data) > _IN_MEMORY:
        yield Refused("nested", "A container inside a container is too large to be unpacked.")
    else:
        yield from _parts(io.BytesIO(data), name, depth + 1)


def _zip(stream: IO[bytes], name: str, depth: int) -> Iterator[Part | Exception]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            label = f"{name}!{info.filename}" if name else info.filename
            with archive.open(info) as member:
                yield Part("zip", label, member)
            with archive.open(info) as member:
                packed = kind_of(member.read(600))
            if packed:
                with archive.open(info) as member:
                    yield from _inner(member, label, depth)


def _tar(stream: IO[bytes], name: str, depth: int) -> Iterator[Part | Exception]:
    """The bytes of a tar lie open, so only packed members need to be looked into."""
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isfile() else None
            if member is not None and kind_of(member.read(600)):
                member.seek(0)
                yield from _inner(member, f"{name}!{info.name}" if name else info.name, depth)


class _Rows:
    """A stream over values, a line feed between them."""

    def __init__(self, values: Iterator[bytes]) -> None:
        self._values = values

    def read(self, size: int = -1, /) -> bytes:
        collected = bytearray()
        for value in self._values:
            collected += value + b"\n"
            if 0 <= size <= len(collected):
                break
        return bytes(collected)


def _sqlite_values(stream: IO[bytes]) -> Iterator[bytes]:
    """Every text and blob of every table: a long value is cut into pages in the file, here it is whole."""
    data = bytearray(stream.read())
    if len(data) > 20:
        data[18:20] = b"\x01\x01"  # a database in memory has no write-ahead log; the log is read as bytes
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(bytes(data))
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            quoted = '"' + table.decode().replace('"', '""') + '"'
            for row in connection.execute(f"SELECT * FROM {quoted}"):  # noqa: S608
                yield b"\t".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    finally:
        connection.close()


def _parquet(stream: IO[bytes], name: str) -> Iterator[Part | Exception]:
    try:
        pq: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as problem:
        yield problem
        return
    for batch in pq.ParquetFile(stream).iter_batches():
        for column in batch.columns:
            values = (str(value).encode() for value in column.to_pylist() if value is not None)
            yield Part("parquet", name, _Rows(values))


def _inflate(data: bytes) -> bytes:
    """Return the data set of a DICOM file with the deflated transfer syntax."""
    at = 132
    length = int.from_bytes(data[at + 8 : at + 12], "little")  # (0002,0000) group length
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[at + 12 + length :])
