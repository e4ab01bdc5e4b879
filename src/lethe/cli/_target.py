"""Where a verb writes: all of its files at once at the end, or none; what a killed run left is tidied up."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lethe.command.harness import errno_of, is_full, temporary_files_in
from lethe.command.outputs import place, workplace
from lethe.errors import Misconfigured, Refused, Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SMALL_DISK = 4 << 20


@contextmanager
def target_folder(out: Path, *, dry_run: bool) -> Iterator[Path]:
    """Give an empty folder whose files are in `out` at the end, or nowhere after a dry run.

    Parameters
    ----------
    out : Path
        New or empty, but for what a killed run left. It is gone again if nothing came into it.
    dry_run : bool
        Whether to throw everything away.

    Raises
    ------
    Misconfigured
        ``output-not-empty``, ``output-not-writable`` or ``output-busy``.
    Unavailable
        ``output-full``.
    """
    if dry_run:
        with tempfile.TemporaryDirectory(prefix="lethe-") as name, words_for_the_disk(Path(name)):
            yield Path(name)
        return
    out = out.absolute()  # programs that are started work in folders of their own
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    _make(out)
    try:
        with words_for_the_disk(out), workplace(out) as work:
            staging = work / "out"
            staging.mkdir()
            with temporary_files_in(work / "tmp"):
                yield staging
            place(staging, out, sorted(path.name for path in staging.iterdir()))
    finally:
        # What holds nothing after the work was refused, or forbidden by the lane, was made in vain.
        for folder in new:
            with suppress(OSError):
                folder.rmdir()


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Misconfigured(
            "output-not-empty", "The output is a file, not a folder.", remedy="Name a new or an empty folder."
        ) from error
    except OSError as error:
        if error.errno in _FULL:
            raise _full() from error
        raise _not_writable() from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise _not_writable()


@contextmanager
def words_for_the_disk(place: Path) -> Iterator[None]:
    """Say in words what the system says about the disk of the output.

    Raises
    ------
    Misconfigured
        ``output-not-writable``.
    Unavailable
        ``output-full``.
    """
    try:
        yield
    except Refused as refusal:
        # A program that is started may find the disk full, and tidy up before it ends.
        if refusal.code == "converter-failed" and is_full(place, _SMALL_DISK):
            raise _full() from refusal
        raise
    except OSError as error:
        number = errno_of(error)
        if number in _FULL:
            raise _full() from error
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise _not_writable() from error
        raise


def check_files(*outputs: Path | None) -> None:
    """Refuse names of files that are folders, or that lie in no folder, before the work begins.

    Raises
    ------
    Misconfigured
        ``output-is-folder`` or ``no-folder``.
    """
    for output in outputs:
        if output is not None and output.is_dir():
            raise Misconfigured(
                "output-is-folder",
                "An output is a folder where a file is to be written.",
                remedy="Name the file, too.",
            )
        if output is not None and not output.parent.is_dir():
            raise Misconfigured("no-folder", "An output folder does not exist.", remedy="Create it first.")


def check_folders(*outputs: Path | None) -> None:
    """Refuse names of folders that are files.

    Raises
    ------
    Misconfigured
        ``output-is-file``.
    """
    if any(output is not None and output.exists() and not output.is_dir() for output in outputs):
        raise Misconfigured(
            "output-is-file",
            "An output is a file where a folder is to be written.",
            remedy="Name a folder; it is made if it is not there.",
        )


def tidy(*outputs: Path | None) -> None:
    """Remove the half-written files that a killed run left: beside these files, or in these folders."""
    for output in outputs:
        if output is None:
            continue
        folder, name = (output, ".+") if output.is_dir() else (output.parent, re.escape(output.name))
        half = re.compile(rf"\.{name}\.[0-9a-f]{{8}}\.partial")
        for path in folder.iterdir() if folder.is_dir() else ():
            if half.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _full() -> Unavailable:
    return Unavailable(
        "output-full", "The disk of the output is full.", remedy="Free space on it and run the command again."
    )


def _not_writable() -> Misconfigured:
    return Misconfigured(
        "output-not-writable",
        "The output cannot be written there.",
        remedy="Name a folder that you may write to.",
    )
