"""One run of one command: from the input mount to whole outputs or a named failure."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

import lethe
from lethe.command.inputs import counted, resource_files
from lethe.command.model import Command, Done, Job
from lethe.command.outputs import files_below, place, workplace
from lethe.command.progress import Progress
from lethe.command.provenance import DIGEST_VARIABLE, FILE_NAME, provenance
from lethe.errors import Misconfigured, Outcome, Unavailable
from lethe.files import write_json

STOPPED = 143
"""Exit code after SIGTERM, as shells count (128 + 15)."""
KILLED = 137
"""Exit code after SIGKILL, the memory limit included (128 + 9)."""


class Stopped(BaseException):
    """The run was asked to end (SIGTERM, SIGINT); not an error, so not an `Exception`."""


def execute(
    command: Command,
    source: Path,
    output: Path,
    options: Mapping[str, str],
    *,
    say: Progress,
    environment: Mapping[str, str],
    mounts: Mapping[str, Path] | None = None,
) -> str:
    """Run `command` and put its outputs in place; return the verdict.

    Parameters
    ----------
    command : Command
        What to do.
    source, output : Path
        The two mounts.
    options : mapping of str to str
        A value for every option of the command.
    say : Progress
        Receives the progress lines.
    environment : mapping of str to str
        Where the image's digest is looked up.
    mounts : mapping of str to Path, optional
        The further inputs of the command, by name.

    Raises
    ------
    Outcome
        Whatever ended the work; the output folder is then as empty as it was.
    """
    inputs = {"": source, **(mounts or {})}
    if not all(folder.is_dir() for folder in inputs.values()):
        raise Misconfigured(
            "input-missing", "An input folder does not exist.", remedy="Mount the resource there."
        )
    size = sum(path.stat().st_size for folder in inputs.values() for path in resource_files(folder))
    with workplace(output) as work:
        if is_full(work, size):
            raise no_space()
        try:
            return _work(command, inputs, output, work, options, say, environment)
        except Outcome as outcome:
            # a program that is started may find the disk full and tidy up before it ends
            if is_full(work, size):
                raise no_space() from outcome
            raise
        except (OSError, MemoryError) as error:
            meant = outcome_of(error)
            if meant is None:
                raise
            raise meant from error


def _work(
    command: Command,
    inputs: Mapping[str, Path],
    output: Path,
    work: Path,
    options: Mapping[str, str],
    say: Progress,
    environment: Mapping[str, str],
) -> str:
    staging = work / "out"
    staging.mkdir()
    with temporary_files_in(work / "tmp"):
        further = {name: folder for name, folder in inputs.items() if name}
        done = perform(command, Job(inputs[""], staging, options, say, further, environment))
    order = [entry.folder for entry in command.outputs if (staging / entry.folder).is_dir()]
    order.sort(key=lambda name: name == command.provenance_in)
    summary = ", ".join(f"{name} ({counted(files_below(staging / name), 'file')})" for name in order)
    place(staging, output, order)
    say(f"output: {summary}")
    say(f"done: {done.verdict}")
    return done.verdict


def perform(command: Command, job: Job) -> Done:
    """Do the work of a command into ``job.staging`` and record it there; no output folder is left empty."""
    began = job.say.seconds
    done = command.work(job)
    seconds = job.say.seconds - began
    digest = job.environment.get(DIGEST_VARIABLE) or None
    record = provenance(command, job.options, done, job.staging, seconds=seconds, image_digest=digest)
    write_json(job.folder(command.provenance_in) / FILE_NAME, record)
    for path in list(job.staging.iterdir()):
        if not files_below(path):
            shutil.rmtree(path)
    return done


@contextlib.contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Let libraries put temporary files on the output's disk: /tmp may be a small memory disk."""
    before = (tempfile.tempdir, os.environ.get("TMPDIR"))
    folder.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before[0]
        os.environ.pop("TMPDIR")
        if before[1] is not None:
            os.environ["TMPDIR"] = before[1]


def is_full(folder: Path, size: int) -> bool:
    """Tell whether the disk of `folder` has less than `size` bytes left."""
    return shutil.disk_usage(folder).free < size


def outcome_of(error: Exception) -> Outcome | None:
    """Return what an error of the system means in words: a full disk, too little memory; None for others."""
    if errno_of(error) in (errno.ENOSPC, errno.EDQUOT):
        return no_space()
    if isinstance(error, MemoryError):
        return Unavailable(
            "out-of-memory", "The memory limit was reached.", remedy="Raise limit-memory of the command."
        )
    return None


def errno_of(error: BaseException | None) -> int | None:
    """Return the number of the system's error that `error` is or was raised for; None if there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__cause__ or error.__context__
    return None


def no_space() -> Unavailable:
    """Return what a full disk is called."""
    return Unavailable(
        "output-full",
        "The disk of the output folder is full.",
        remedy="Free space in the archive's build folder and launch again.",
    )


def report(run: Callable[[], object], say: Progress, errors: TextIO) -> int:
    """Run and return the exit code; a failure becomes one line on both streams.

    Nothing of an unexpected exception but its kind and place is shown: its message might hold a value
    from a patient's data.
    """
    try:
        run()
    except Outcome as outcome:
        return _failed(f"failed: {outcome}", outcome.exit_code, say, errors)
    except Stopped:
        return _failed("stopped: asked to end; nothing was written. [stopped]", STOPPED, say, errors)
    except Exception as error:  # noqa: BLE001 - the one top-level handler
        return _failed(f"failed: an error of the program, {place_of(error)} [program-error]", 1, say, errors)
    return 0


def _failed(line: str, code: int, say: Progress, errors: TextIO) -> int:
    say(f"{line} (exit {code})")
    errors.write(f"{line}\n")
    errors.flush()
    return code


def place_of(error: BaseException) -> str:
    """Return kind and place of an exception, never its message."""
    frames = traceback.extract_tb(error.__traceback__)
    home = Path(lethe.__file__).parent  # not just any folder called lethe, such as a clone's
    ours = [frame for frame in frames if home in Path(frame.filename).parents] or list(frames)
    where = f"{Path(ours[-1].filename).name} line {ours[-1].lineno}" if ours else "unknown place"
    return f"{type(error).__name__} at {where} (lethe {lethe.__version__}, Python {sys.version.split()[0]})"
