"""One backup: the files, then the database of one moment, then what changed; again until both fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lethe.errors import Unavailable
from lethe.stack.backup.manifest import Manifest, Source, missing
from lethe.stack.backup.restic import Repository

_PART = "part"  # not a backup yet: the drill does not look at it, the next backup gives it up
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Retention:
    """How many daily, weekly and monthly backups are kept."""

    daily: int = 14
    weekly: int = 8
    monthly: int = 12


@dataclass(frozen=True, slots=True)
class Done:
    """A finished backup: id of the snapshot, its manifest, and how many rounds it took."""

    snapshot: str
    manifest: Manifest
    rounds: int


def back_up(
    source: Source,
    repository: Repository,
    staging: Path,
    *,
    retention: Retention | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Done:
    """Back up database and files so that they fit together, while others write.

    The files are copied first, which may take long. Then the database is read at one moment and what changed
    is copied. A file that was deleted between the two moments is missing: the last step is repeated.

    Parameters
    ----------
    source : Source
        What to back up.
    repository : Repository
        Where to; made at the first backup.
    staging : Path
        Folder for the dump of the database; always the same one, so that restic finds what did not change.
        Emptied before and after.
    retention : Retention, optional
        Older backups are given up after this one is complete; without it all are kept.

    Raises
    ------
    Unavailable
        Database and files did not come together in five rounds, or the repository does not answer.
    """
    repository.ensure()
    _empty(staging)
    say("copying the files")
    repository.backup(source.folders, [_PART])
    try:
        for number in range(1, _ROUNDS + 1):
            say(f"reading the database, then what changed (round {number})")
            _empty(staging)
            manifest = source.dump(staging)
            manifest.write(staging)
            snapshot = repository.backup([*source.folders, staging], [_PART])
            lacking = missing(manifest, repository.sizes(snapshot))
            if not lacking:
                # only now: killed before, it never looks like a backup
                repository.mark(snapshot, manifest.source)
                _complete(repository, manifest.source, retention)
                return Done(str(repository.snapshots(manifest.source)[-1]["id"]), manifest, number)
            say(f"{lacking} file(s) went away meanwhile")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    raise Unavailable(
        "backup-unsettled",
        f"Database and files did not come together in {_ROUNDS} rounds.",
        remedy="Check the archive: files that the database names may be missing for good.",
    )


def _complete(repository: Repository, source: str, retention: Retention | None) -> None:
    for row in repository.snapshots(_PART):
        repository.forget(str(row["id"]))
    if retention:
        repository.keep(source, daily=retention.daily, weekly=retention.weekly, monthly=retention.monthly)
    repository.check(read_data=False)


def _empty(staging: Path) -> None:
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700, parents=True)
