"""What a database says must exist: the files of one backup, and the state of its tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from lethe.errors import Misconfigured
from lethe.files import write_json

NAME = "manifest.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """One file that the database speaks of: absolute path, size in bytes and md5 where they are known."""

    path: str
    size: int | None = None
    md5: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The state of one moment.

    Parameters
    ----------
    source : str
        ``embedded`` or ``postgresql``.
    moment : float
        When the database was read, seconds since 1970 (UTC): what came later is not in this backup.
    folders : tuple of str
        Absolute folders whose files belong to the backup.
    files : tuple of Expected
        Files that must be there.
    tables : mapping
        Table to its number of rows and a digest that does not depend on their order.
    """

    source: str
    moment: float
    folders: tuple[str, ...]
    files: tuple[Expected, ...]
    tables: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the manifest into `folder`."""
        write_json(folder / NAME, asdict(self), mode=0o600)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a backup.

        Raises
        ------
        Misconfigured
            There is none, or it is broken.
        """
        try:
            found = json.loads((folder / NAME).read_text(encoding="utf-8"))
            return cls(
                source=found["source"],
                moment=found["moment"],
                folders=tuple(found["folders"]),
                files=tuple(Expected(**row) for row in found["files"]),
                tables={name: (int(rows), str(digest)) for name, (rows, digest) in found["tables"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError):
            raise Misconfigured("no-manifest", "The backup holds no manifest that can be read.") from None


class Source(Protocol):
    """Something to back up: a database and the folders of its files."""

    @property
    def folders(self) -> Sequence[Path]:
        """Absolute folders to copy."""
        ...

    def dump(self, staging: Path) -> Manifest:
        """Write the database of this moment into `staging`; return what must exist with it."""
        ...

    def compare(self, restored: Path, staging: Path, manifest: Manifest) -> list[str]:
        """Bring the restored database up in a scratch place; return what differs, one kind per line.

        `restored` is the folder below which absolute paths were restored, `staging` the dump within it.
        """
        ...


def missing(manifest: Manifest, sizes: Mapping[str, int]) -> int:
    """Return how many files of the manifest a snapshot lacks or holds with another size."""
    return sum(
        one.path not in sizes or (one.size is not None and sizes[one.path] != one.size)
        for one in manifest.files
    )


def md5_of(path: Path) -> str:
    """Return the md5 of a file as lower-case hex (what XNAT's catalogs hold)."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
