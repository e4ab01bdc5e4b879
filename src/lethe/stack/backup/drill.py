"""The restore drill: the newest backup comes back into a scratch place, and every digest is compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lethe.errors import Refused
from lethe.stack.backup.manifest import NAME as MANIFEST
from lethe.stack.backup.manifest import Manifest, Source, md5_of
from lethe.stack.backup.restic import Repository


@dataclass(frozen=True, slots=True)
class Report:
    """What the drill found.

    Parameters
    ----------
    snapshot : str
        Id of the backup.
    recovery_point_s : float
        Seconds between the backup's moment and the start of the drill: what a disaster now would lose (RPO).
    recovery_time_s : float
        Seconds until restored and proven (RTO on this machine).
    files, by_digest, bytes : int
        Files that came back as expected, how many of them by md5, and their size.
    tables, rows : int
        Tables compared and rows in them.
    differences : list of str
        Empty, or what is wrong; no file is named by its label.
    """

    snapshot: str
    recovery_point_s: float
    recovery_time_s: float
    files: int
    by_digest: int
    bytes: int
    tables: int
    rows: int
    differences: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``--output json``."""
        return asdict(self)


def drill(
    make: Callable[[Manifest], Source],
    source: str,
    repository: Repository,
    scratch: Path,
    *,
    clock: Callable[[], float] = time.time,
) -> Report:
    """Restore the newest complete backup of `source` into `scratch` and compare all of it.

    Parameters
    ----------
    make : Callable
        Gives the source that fits a manifest.
    source : str
        ``embedded`` or ``postgresql``.
    scratch : Path
        Empty folder; what came back stays there, under its absolute path.

    Raises
    ------
    Refused
        There is no backup, or the folder is not empty.
    Unavailable
        A part of the repository is damaged.
    """
    began = clock()
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(scratch.iterdir()):
        raise Refused("scratch-used", "The scratch folder is not empty.", remedy="Name a new one.")
    found = repository.snapshots(source)
    if not found:
        raise Refused("no-backup", f"There is no complete backup of {source}.", remedy="Run scripts/backup.")
    newest = found[-1]
    repository.restore(str(newest["id"]), scratch)
    came_back = [scratch / Path(path).relative_to("/") for path in newest["paths"]]
    staging = next((folder for folder in came_back if (folder / MANIFEST).is_file()), scratch)
    manifest = Manifest.read(staging)
    differences, by_digest, size = _compare_files(manifest, scratch)
    differences += make(manifest).compare(scratch, staging, manifest)
    return Report(
        snapshot=str(newest["id"]),
        recovery_point_s=round(began - manifest.moment, 1),
        recovery_time_s=round(clock() - began, 1),
        files=len(manifest.files) - sum(line.startswith("file ") for line in differences),
        by_digest=by_digest,
        bytes=size,
        tables=len(manifest.tables),
        rows=sum(rows for rows, _ in manifest.tables.values()),
        differences=differences,
    )


def _compare_files(manifest: Manifest, scratch: Path) -> tuple[list[str], int, int]:
    differences, by_digest, size = [], 0, 0
    for number, one in enumerate(manifest.files, start=1):
        path = scratch / Path(one.path).relative_to("/")
        if not path.is_file():
            differences.append(f"file {number}: missing")
        elif one.md5 and md5_of(path) != one.md5:
            differences.append(f"file {number}: other bytes")
        else:
            by_digest += bool(one.md5)
            size += path.stat().st_size
    return differences, by_digest, size
