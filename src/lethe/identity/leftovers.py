"""Search folders for identifiers that should be gone: in names, in bytes, and inside containers.

Looked into: gzip, bzip2, xz, zip (and the office formats that are zip), tar, SQLite with its journals,
deflated DICOM, Parquet; each inside the others. What cannot be read is listed, never passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lethe.errors import Misconfigured
from lethe.identity.containers import PACKING_ERRORS, Part, Readable, parts
from lethe.identity.matcher import Matcher

_CHUNK = 1 << 23


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that still holds an original.

    Attributes
    ----------
    path : Path
        The file or folder. May itself hold the original: print `shown` instead.
    kind : str
        ``name``, ``link``, ``bytes``, or the container it lies in (``gzip``, ``zip``, ``sqlite``, ...).
    which_index : int
        Position of the original in the list that was searched for, from 0.
    offset : int
        Byte where it begins, within the file or the unpacked part; -1 for names.
    shown : str
        Path (and part) for printing; withheld when it holds an original.
    """

    path: Path
    kind: str
    which_index: int
    offset: int
    shown: str

    def as_dict(self) -> dict[str, Any]:
        """Return what may be printed."""
        values = asdict(self)
        return {**{name: values[name] for name in ("kind", "which_index", "offset")}, "path": self.shown}


@dataclass(slots=True)
class Survey:
    """What a search saw: findings, how much was read, and what could not be read and why."""

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the survey as JSON values."""
        return {
            "findings": [finding.as_dict() for finding in self.findings],
            "files": self.files,
            "bytes": self.bytes,
            "unread": [{"path": path, "reason": reason} for path, reason in self.unread],
        }


def search(roots: Sequence[Path], originals: Sequence[str]) -> list[Finding]:
    """Return every place below `roots` that holds one of `originals`; the first per file and original.

    Parameters
    ----------
    roots : sequence of Path
        Files or folders; symbolic links are read as text, not followed.
    originals : sequence of str
        Identifiers, in any of the writings `Matcher` knows.

    Raises
    ------
    Misconfigured
        A root does not exist, or an original is empty.
    """
    return survey(roots, originals).findings


def survey(roots: Sequence[Path], originals: Sequence[str]) -> Survey:
    """Like `search`, and tell also how much was read and what could not be."""
    missing = [number for number, root in enumerate(roots, 1) if not os.path.lexists(root)]
    if missing:
        raise Misconfigured("no-root", f"Place {missing[0]} to be searched does not exist.")
    run = _Run(Matcher(originals))
    for root in roots:
        for path in _walk(root, run):
            run.look_at(path)
    return run.survey


def _walk(root: Path, run: _Run) -> Iterator[Path]:
    yield root
    if not root.is_dir() or root.is_symlink():
        return
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as problem:
        run.unread(str(root), problem)
        return
    for name in names:
        yield from _walk(root / name, run)


class _Run:
    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.survey = Survey()

    def unread(self, shown: str, problem: Exception) -> None:
        reason = getattr(problem, "strerror", None) or type(problem).__name__
        self.survey.unread.append((self.matcher.mask(shown), str(reason)))

    def look_at(self, path: Path) -> None:
        seen: set[int] = set()
        self._text(path, "name", os.fsencode(path.name), seen)
        try:
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                self._text(path, "link", os.fsencode(os.readlink(path)), seen)
            elif stat.S_ISREG(mode):
                self._file(path, seen)
        except OSError as problem:
            self.unread(str(path), problem)

    def _text(self, path: Path, kind: str, text: bytes, seen: set[int]) -> None:
        for index, _ in self.matcher.scan(text):
            self._note(path, kind, index, -1, str(path), seen)

    def _file(self, path: Path, seen: set[int]) -> None:
        self.survey.files += 1
        with path.open("rb") as stream:
            self.survey.bytes += self._stream(path, "bytes", str(path), stream, seen)
        for part in parts(path):
            if isinstance(part, Part):
                shown = f"{path}!{part.name}" if part.name else str(path)
                try:
                    self._stream(path, part.kind, shown, part.stream, seen)
                except (OSError, EOFError, ValueError, *PACKING_ERRORS) as problem:
                    self.unread(shown, problem)
            else:
                self.unread(str(path), part)

    def _stream(self, path: Path, kind: str, shown: str, stream: Readable, seen: set[int]) -> int:
        overlap = self.matcher.longest
        tail, start, total = b"", 0, 0
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            data = tail + chunk
            for index, at in self.matcher.scan(data):
                self._note(path, kind, index, start + at, shown, seen)
            tail = data[-overlap:]
            start += len(data) - len(tail)
        return total

    def _note(self, path: Path, kind: str, index: int, offset: int, shown: str, seen: set[int]) -> None:
        if index not in seen:
            seen.add(index)
            self.survey.findings.append(Finding(path, kind, index, offset, self.matcher.mask(shown)))
