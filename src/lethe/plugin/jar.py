"""Write and read JAR files: with directory entries, without a trace of when and where they were made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lethe.errors import Refused

_WHEN = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can hold
_UNIX = 3
_LARGEST = 200_000_000  # of all files together: a JAR is read into memory


@dataclass(frozen=True, slots=True)
class Jar:
    """What a JAR holds.

    Attributes
    ----------
    files : mapping of str to bytes
    folders : frozenset of str
        Directory entries, each with its closing slash.
    twice : tuple of str
        Names that are there more than once.
    """

    files: Mapping[str, bytes]
    folders: frozenset[str]
    twice: tuple[str, ...] = ()

    def below(self, folder: str, suffix: str = "") -> list[str]:
        """Return the names of the files below a folder, sorted."""
        return sorted(name for name in self.files if name.startswith(folder) and name.endswith(suffix))


def folders_of(names: Mapping[str, bytes]) -> list[str]:
    """Return the directory entries that files need, sorted: every folder above each of them."""
    above = {f"{parent}/" for name in names for parent in PurePosixPath(name).parents if str(parent) != "."}
    return sorted(above)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a JAR with `files` (name to content); equal files give equal bytes.

    XNAT searches the classpath by pattern, which finds nothing below a folder that has no entry of its own;
    the manifest comes first, as readers expect.
    """
    stream = io.BytesIO()
    first = ["META-INF/", "META-INF/MANIFEST.MF"]
    names = sorted([*folders_of(files), *files], key=lambda name: (name not in first, name))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            info = zipfile.ZipInfo(name, _WHEN)
            info.create_system = _UNIX
            if name.endswith("/"):
                info.external_attr = (0o40755 << 16) | 0x10
                archive.writestr(info, b"")
            else:
                info.external_attr = 0o100644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, files[name])
    return stream.getvalue()


def read(path: Path) -> Jar:
    """Read a JAR.

    Raises
    ------
    Refused
        It is no zip file, is damaged or larger than any plugin.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _LARGEST:
                raise Refused("not-a-jar", "The JAR holds more than 200 MB.")
            files = {entry.filename: archive.read(entry) for entry in entries if not entry.is_dir()}
    except FileNotFoundError:
        raise Refused(
            "not-a-jar", "There is no such JAR.", remedy="Build it: scripts/build-plugin."
        ) from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
        raise Refused("not-a-jar", "The file is no JAR, or damaged.") from None
    names = [entry.filename for entry in entries]
    twice = tuple(sorted({name for name in names if names.count(name) > 1}))
    return Jar(files, frozenset(entry.filename for entry in entries if entry.is_dir()), twice)
