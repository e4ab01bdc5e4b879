"""The output mount: everything appears at once at the end, or nothing does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from lethe.errors import Misconfigured
from lethe.files import sync_folder

PREFIX = ".lethe-work-"
"""Work folders in the output mount begin like this. They lie outside the declared output paths, so that
not even one left by a power cut could be uploaded."""


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
        except PermissionError as error:
            raise _not_writable() from error
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


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
    """Remove work folders that a killed run left in `output`."""
    for leftover in output.glob(f"{PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def files_below(folder: Path) -> list[Path]:
    """Return the regular files below `folder`, sorted by their path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def place(staging: Path, output: Path, order: Sequence[str]) -> None:
    """Move the staged folders to `output` in the given order; take all back if one cannot be moved.

    Parameters
    ----------
    staging, output : Path
        Folders on one file system.
    order : sequence of str
        Names of the folders that exist in `staging`, the one with provenance last.
    """
    for path in files_below(staging):
        _sync(path)
    moved: list[str] = []
    try:
        for name in order:
            os.replace(staging / name, output / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            os.replace(output / name, staging / name)
        raise
    sync_folder(output)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
