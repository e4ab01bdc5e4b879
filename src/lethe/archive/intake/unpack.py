"""Members of an uploaded zip, tar or tar.gz, read one after the other and never trusted.

Names of members are checked, not used: an import names its files from the header. Links, devices, names
that leave the folder, encrypted members and bombs are refused before a byte of them is kept.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lethe.errors import Refused

_DRIVE = re.compile(r"^[A-Za-z]:")
_CHUNK = 1 << 20
_RATIO_FROM = 256 << 20
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, OSError)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an upload may unfold to.

    Parameters
    ----------
    members : int
        Greatest number of members.
    total_bytes : int
        Greatest sum of unpacked bytes.
    ratio : int
        Greatest ratio of unpacked to packed bytes, looked at from the first 256 MiB on: the blank
        background of small synthetic series packs as well as a bomb does.
    """

    members: int = 200_000
    total_bytes: int = 200 << 30
    ratio: int = 250


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file of the upload: its checked relative name and its bytes, readable once."""

    name: str
    stream: IO[bytes]


def safe_name(name: str) -> str:
    """Return `name` as a relative POSIX path, or raise `Refused` if it could leave its folder.

    Examples
    --------
    >>> safe_name("./a/b.dcm")
    'a/b.dcm'
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name) or "\0" in name or not path.parts:
        raise _refused("unsafe-member", "A member of the upload has a name that leaves its folder.")
    return str(path)


def kind_of(path: Path) -> str:
    """Return ``zip``, ``tar`` or ``dicom`` after a look at the first bytes, else ``unknown``."""
    with path.open("rb") as stream:
        head = stream.read(512)
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return "zip"
    if head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
        return "tar"
    return "dicom" if head[128:132] == b"DICM" else "unknown"


def members(path: Path, limits: Limits = Limits()) -> Iterator[Member]:
    """Yield the regular files of the upload at `path`, in its own order, folders left out.

    Raises
    ------
    Refused
        ``not-an-archive``, ``broken-archive``, ``unsafe-member``, ``link-member``, ``encrypted-member``,
        ``too-many-members`` or ``archive-bomb``.
    """
    kind = kind_of(path)
    if kind not in {"zip", "tar"} and zipfile.is_zipfile(path):
        kind = "zip"  # a zip is found from its end; anything may come before it
    if kind not in {"zip", "tar"}:
        raise _refused("not-an-archive", "The upload is neither a zip nor a tar file.")
    budget = _Budget(limits, max(path.stat().st_size, 1))
    with _named_failures():
        yield from _zip_members(path, budget) if kind == "zip" else _tar_members(path, budget)


class _Budget:
    """Counts what came out and stops the rest."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self._limits = limits
        self._packed = packed
        self._members = 0
        self._bytes = 0

    def member(self) -> None:
        self._members += 1
        if self._members > self._limits.members:
            raise _refused("too-many-members", "The upload holds more members than are allowed.")

    def spend(self, count: int) -> None:
        self._bytes += count
        suspicious = self._bytes > _RATIO_FROM and self._bytes > self._limits.ratio * self._packed
        if suspicious or self._bytes > self._limits.total_bytes:
            raise _refused("archive-bomb", "The upload unfolds to more than is allowed.")


class _Metered(io.RawIOBase):
    """A stream whose bytes are counted as they are read, whatever the member's header claims."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with _named_failures():
            data = self._stream.read(len(buffer))
        self._budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


def _zip_members(path: Path, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            budget.member()
            if entry.is_dir():
                continue
            name = safe_name(entry.filename)
            if entry.flag_bits & 0x1:
                raise _refused("encrypted-member", "A member of the upload is encrypted.")
            if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG}:
                raise _refused("link-member", "A member of the upload is a link or a device.")
            with archive.open(entry) as stream:
                yield Member(name, io.BufferedReader(_Metered(stream, budget), _CHUNK))


def _tar_members(path: Path, budget: _Budget) -> Iterator[Member]:
    with path.open("rb") as packed, tarfile.open(fileobj=packed, mode="r|*") as archive:
        for entry in archive:
            budget.member()
            if entry.isdir():
                continue
            name = safe_name(entry.name)
            stream = archive.extractfile(entry) if entry.isreg() else None
            if stream is None:
                raise _refused("link-member", "A member of the upload is a link or a device.")
            yield Member(name, io.BufferedReader(_Metered(stream, budget), _CHUNK))


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the upload
        raise _refused("broken-archive", "The upload cannot be read to its end.") from error


def _refused(code: str, sentence: str) -> Refused:
    return Refused(code, sentence, remedy="Pack the files again and send them anew.")
