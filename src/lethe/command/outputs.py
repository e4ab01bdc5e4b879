"""The output mount: everything appears at once at the end, or nothing does."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lethe.errors import Misconfigured
from lethe.files import sync_folder, write_json

PREFIX = ".lethe-work-"
"""Work folders in the output mount begin like this. They lie outside the declared output paths, so that
not even one left by a power cut could be uploaded."""
_TRIES, _PAUSE_SECONDS = 20, 0.1


@contextlib.contextmanager
def workplace(output: Path) -> Iterator[Path]:
    """Give a private folder on the output's file system; gone afterwards, whatever happens.

    Leftovers of a killed earlier run are removed first.

    Parameters
    ----------
    output : Path
        The output mount; must exist, be writable and hold no result.

    Raises
    ------
    Misconfigured
        The mount is missing, not writable, not empty or in use.
    """
    with _claimed(output):
        clear(output)
        if any(output.iterdir()):
            raise Misconfigured(
                "output-not-empty",
                "The output folder already holds files.",
                remedy="Give every run an empty output folder.",
            )
        work = output / f"{PREFIX}{secrets.token_hex(4)}"
        try:
            work.mkdir(mode=0o700)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise _not_writable() from error
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            # The last step: a run that is killed before it counts for nothing.
            _journal(output, work).unlink(missing_ok=True)


@contextlib.contextmanager
def _claimed(output: Path) -> Iterator[None]:
    try:
        descriptor = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Misconfigured(
            "output-missing", "The output folder does not exist.", remedy="Mount a writable folder there."
        ) from error
    except PermissionError as error:
        raise _not_writable() from error
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Misconfigured(
            "output-busy",
            "Another run writes to this output folder.",
            remedy="Give every run its own folder.",
        ) from error
    except OSError:
        # some network file systems know no lock on a folder; the archive gives every run its own anyway
        return


def _not_writable() -> Misconfigured:
    return Misconfigured(
        "output-not-writable",
        "The output folder cannot be written by this user.",
        remedy="Let the container-user of the Container Service write to the build folder.",
    )


def clear(output: Path) -> None:
    """Remove what a killed run left in `output`: its work folder, and what it had begun to put in place."""
    leftovers = list(output.glob(f"{PREFIX}*"))
    for journal in leftovers:
        for name in _begun(journal):
            _remove(output / name)
    for leftover in leftovers:
        _remove(leftover)


def _begun(journal: Path) -> list[str]:
    """Return the names that were to be put in place; none if that had not begun."""
    try:
        names = json.loads(journal.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a work folder, or a journal cut short
        return []
    return [name for name in names if name == Path(name).name]


def _remove(path: Path) -> None:
    # A program that outlived the killed one may still write into its folder for a moment.
    for _ in range(_TRIES):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not path.exists():
            return
        time.sleep(_PAUSE_SECONDS)


def files_below(folder: Path) -> list[Path]:
    """Return the regular files below `folder`, sorted by their path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def place(staging: Path, output: Path, order: Sequence[str]) -> None:
    """Move the staged folders to `output` in the given order; take all back if one cannot be moved.

    Parameters
    ----------
    staging, output : Path
        Folders on one file system; `staging` lies in the work folder of `output`.
    order : sequence of str
        Names of what exists in `staging`, provenance last.
    """
    for path in files_below(staging):
        _sync(path)
    # Whoever finds it later knows what to take back.
    journal = _journal(output, staging.parent)
    write_json(journal, list(order))
    moved: list[str] = []
    try:
        for name in order:
            os.replace(staging / name, output / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.replace(output / name, staging / name)
        journal.unlink(missing_ok=True)
        raise
    sync_folder(output)


def _journal(output: Path, work: Path) -> Path:
    return output / f"{work.name}.json"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
