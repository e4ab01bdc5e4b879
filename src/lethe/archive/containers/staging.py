"""Folders of a run: where its input is mounted from, where it writes, what it logs.

``build/{run}/{attempt}/`` holds ``mounts/{name}`` (output folders and private copies), ``logs`` and
``scratch``; every attempt starts with a new, empty folder, so nothing of an interrupted attempt can be
uploaded. After the end only ``build/{run}/logs`` stays.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from lethe.archive.containers.backends import STDERR, STDOUT, Bind
from lethe.archive.containers.resolve import MountPlan, Plan
from lethe.archive.containers.runs import Run
from lethe.archive.context import Context
from lethe.errors import Unavailable

_FOLDER_MODE = 0o770


def build_folder(ctx: Context, run: Run) -> Path:
    """Return the folder of a run."""
    return ctx.store.root / "build" / run.name


def attempt_folder(ctx: Context, run: Run) -> Path:
    """Return the folder of the present attempt of a run."""
    return build_folder(ctx, run) / str(run.attempt)


def logs_folder(ctx: Context, run: Run) -> Path:
    """Return where the logs of a run are: of the present attempt, or the ones kept after the end."""
    return build_folder(ctx, run) / "logs" if run.ended else attempt_folder(ctx, run) / "logs"


def log_file(ctx: Context, run: Run, stream: str) -> Path:
    """Return the file of ``stdout`` or ``stderr``; it may not exist yet."""
    name = STDERR if stream == "stderr" else STDOUT
    for folder in (attempt_folder(ctx, run) / "logs", build_folder(ctx, run) / "logs"):
        if (folder / name).exists():
            return folder / name
    return logs_folder(ctx, run) / name


def make_empty(folder: Path, owner: tuple[int, int] | None = None) -> Path:
    """Make `folder` anew, empty and writable for `owner`."""
    _remove(folder)
    folder.mkdir(parents=True, mode=_FOLDER_MODE)
    if owner is not None:
        _give(folder, owner)
    return folder


def prepare(ctx: Context, run: Run, plan: Plan, owner: tuple[int, int] | None) -> tuple[Bind, ...]:
    """Make the folders of an attempt; return what is mounted where, in the order of the plan's mounts.

    Parameters
    ----------
    owner : (uid, gid) or None
        Who the container runs as, None for a child process of the archive. An input folder that this user
        may not read is copied for it; permissions of the archive are never widened.

    Raises
    ------
    Unavailable
        An input folder is not there, or the disk is full.
    """
    base = attempt_folder(ctx, run)
    _remove(base)
    try:
        for name in ("logs", "scratch", "mounts"):
            make_empty(base / name)
        return tuple(_bind(base / "mounts" / mount.name, mount, owner) for mount in plan.mounts)
    except OSError as error:
        raise Unavailable(
            "staging", f"The files of the run could not be prepared: {error.strerror}."
        ) from error


def _bind(folder: Path, mount: MountPlan, owner: tuple[int, int] | None) -> Bind:
    if mount.directory and not mount.copy:
        source = Path(mount.directory)
        # a resource without files has no folder: an empty one says the same
        if source.is_dir() and (owner is None or _readable_by(source, *owner)):
            return Bind(source, mount.path, writable=False)
    make_empty(folder)
    if mount.directory and Path(mount.directory).is_dir():
        shutil.copytree(mount.directory, folder, dirs_exist_ok=True, symlinks=True)
    if owner is not None:
        _give(folder, owner)
    return Bind(folder, mount.path, mount.writable)


def _readable_by(folder: Path, uid: int, gid: int) -> bool:
    """Return whether a user may read everything below a folder (parents do not matter for a mount)."""

    def allowed(path: Path, wanted: int) -> bool:
        state = path.lstat()
        shift = 6 if state.st_uid == uid else 3 if state.st_gid == gid else 0
        return (state.st_mode >> shift) & wanted == wanted

    if not allowed(folder, 0o5):
        return False
    return all(
        allowed(Path(base) / name, 0o5 if name in folders else 0o4)
        for base, folders, files in os.walk(folder)
        for name in (*folders, *files)
    )


def _give(folder: Path, owner: tuple[int, int]) -> None:
    """Let a user write into a folder: as root by giving it away, else by opening it below closed parents."""
    if os.getuid() == owner[0]:
        return
    if os.getuid():
        folder.chmod(0o777)  # its parents are closed to others
        return
    os.chown(folder, *owner)
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(base) / name, *owner, follow_symlinks=False)


def snapshot(plan: Plan) -> dict[str, tuple[int, int]]:
    """Return size and time of every file in the read-only mounts, to tell afterwards whether one changed."""
    found: dict[str, tuple[int, int]] = {}
    for mount in plan.mounts:
        if mount.directory and not mount.copy:
            for base, _, files in os.walk(mount.directory):
                for name in files:
                    state = os.lstat(Path(base) / name)
                    found[str(Path(base) / name)] = (state.st_size, state.st_mtime_ns)
    return found


def tidy(ctx: Context, run: Run) -> None:
    """Keep the logs of a run that ended and remove the rest of its folder."""
    build = build_folder(ctx, run)
    kept = build / "logs"
    present = attempt_folder(ctx, run) / "logs"
    if present.is_dir() and not kept.exists():
        with suppress(OSError):
            os.replace(present, kept)
    if build.is_dir():
        for entry in build.iterdir():
            if entry != kept:
                _remove(entry)


def discard(build: Path) -> None:
    """Remove the whole folder of a run."""
    _remove(build)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink(missing_ok=True)
        return
    # a command may have left folders without any permission
    for base, folders, _ in os.walk(folder):
        for path in (Path(base) / name for name in folders):
            if not path.is_symlink():
                with suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
