"""dcm2niix, run in a temporary folder: what it wrote, without what it said.

Its messages quote names from the headers, so they are read for warnings and then thrown away.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import dcm2niix

from lethe.errors import Refused, Unavailable
from lethe.image.elements import read_header
from lethe.image.sopclasses import VOLUMES

# -b/-ba: sidecar without dates and names. -x i: neither cropped nor turned.
# -m 2: slices of one series belong together. -g i: no defaults from a user's home.
_OPTIONS = ["-b", "y", "-ba", "y", "-x", "i", "-m", "2", "-g", "i", "-w", "2", "-f", "image"]
_TIMEOUT_SECONDS = 3600
_MOST_EARLY = 1500  # longer ones are mostly perfusion, which is not converted
_NUMBERS = re.compile(r"(\d+)", re.ASCII)
_MEMORY = "/dev/shm"  # noqa: S108  (a private folder in it)
# Extra images next to the true one: interpolated, or overlays that a viewer would draw over it.
_EXTRA = re.compile(r"_((Tilt|Eq|Crop)(_\d+)?|ROI\d+)$")


@dataclass(frozen=True, slots=True)
class Raw:
    """One image as dcm2niix wrote it."""

    nifti: Path
    sidecar: dict[str, Any]
    gradients: tuple[Path, ...]


class Run:
    """A run of dcm2niix that goes on while the caller reads the pixels itself.

    Parameters
    ----------
    files : sequence of Path
        The series, in a stable order.
    work : Path
        An empty private folder.
    private_scaling : bool
        Whether it may prefer Philips' private scaling to that of the standard. It must where rescale values
        differ between the frames of one object, since it would give all of them that of the first.
    apart : bool
        Whether each time point becomes an image of its own.
    """

    def __init__(
        self, files: Sequence[Path], work: Path, *, private_scaling: bool = False, apart: bool = False
    ) -> None:
        work = work.absolute()  # where it runs
        self._target = work / "out"
        self._target.mkdir()
        self._links = tempfile.TemporaryDirectory(prefix="lethe-", dir=_quick_folder())
        source = Path(self._links.name)
        for number, path in enumerate(files):
            # Neutral names: no file name of the sender reaches the converter's arguments or output.
            os.symlink(os.path.abspath(path), source / f"{number:06d}.dcm")
        precise = "y" if private_scaling else "n"
        # Not compressed: that is done here. A relative name, as it cannot handle long ones.
        form = "3" if apart else "n"
        command = [dcm2niix.bin, *_OPTIONS, "-p", precise, "-z", form, "-o", self._target.name, str(source)]
        environment = {"PATH": os.defpath, "HOME": str(work), "TMPDIR": str(work), "LC_ALL": "C"}
        try:
            self._process = subprocess.Popen(
                command,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            self._links.cleanup()
            raise Unavailable(
                "converter-missing", "dcm2niix does not start here.", remedy="Install lethe[image]."
            ) from error

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._links.cleanup()

    def images(self) -> list[Raw]:
        """Wait, and return the true images in a stable order.

        Raises
        ------
        Refused
            ``converter-failed`` when dcm2niix reports an error or writes nothing.
        Unavailable
            ``converter-killed``.
        """
        # Not `wait` with a time limit, which asks twenty times a second.
        guard = threading.Timer(_TIMEOUT_SECONDS, self._process.kill)
        guard.daemon = True
        guard.start()
        status = self._process.wait()
        guard.cancel()
        found = sorted(self._target.glob("*.nii"))
        true = [path for path in found if not _EXTRA.search(path.stem)]
        if status == -signal.SIGKILL:
            raise Unavailable(
                "converter-killed",
                "dcm2niix was killed, for want of memory or after an hour.",
                remedy="Give it more memory, or run less at once, and try again.",
            )
        # Exit codes above 0 also mean "some slices were left out": what is there is not all.
        if status != 0 or not true:
            raise Refused(
                "converter-failed",
                f"dcm2niix ended with status {status} and {len(true)} images.",
                remedy="The series stays DICOM; check that it is complete.",
            )
        raws = [_raw(path) for path in true]
        return sorted(raws, key=lambda raw: (float(raw.sidecar.get("EchoTime") or 0), raw.nifti.name))


class HeadStart:
    """The converter, started while the headers are still being read, as if the series were as most are.

    What it does counts only if the headers ask for this very run; else it is stopped, and another one is
    started. So the result does not depend on the names of the files.

    Parameters
    ----------
    files : sequence of Path
        The series, in any order.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = sorted(files, key=_as_numbered)
        self._closing = ExitStack()
        self._early: Run | None = None

    def __enter__(self) -> HeadStart:
        if _likely(self._files):
            with suppress(Unavailable):  # said when it is needed
                self._early = self._started(self._files)
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.close()

    def run(self, files: Sequence[Path], **options: bool) -> Run:
        """Return the run on files in this order, with the options of `Run`; it ends with this object."""
        if self._early is not None and not any(options.values()) and list(files) == self._files:
            return self._early
        self._closing.close()
        return self._started(files, **options)

    def folder(self) -> Path:
        """Return an empty private folder that ends with this object."""
        return Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="lethe-")))

    def _started(self, files: Sequence[Path], **options: bool) -> Run:
        return self._closing.enter_context(Run(files, self.folder(), **options))


def _as_numbered(path: Path) -> list[tuple[int, str]]:
    """Return what sorts names by the numbers in them."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBERS.split(str(path))]


def _likely(files: Sequence[Path]) -> bool:
    """Return whether the first object is one that lanes may let through, and the series of common length."""
    if not 0 < len(files) <= _MOST_EARLY:
        return False
    try:
        header = read_header(files[0], last_group=0x0008)
    except (EOFError, ValueError, OSError):
        return False
    return header.get("Modality") in ("CT", "MR") and header.get("SOPClassUID") in VOLUMES


def _quick_folder() -> str | None:
    """Return a folder in memory for many small entries; None for the usual one."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None


def version() -> str:
    """Return the version of the PyPI package that brings dcm2niix."""
    return metadata.version("dcm2niix")


def _raw(path: Path) -> Raw:
    sidecar = path.with_suffix(".json")
    content = json.loads(sidecar.read_text(encoding="utf-8", errors="replace")) if sidecar.is_file() else {}
    gradients = (path.with_suffix(suffix) for suffix in (".bval", ".bvec"))
    return Raw(path, content, tuple(file for file in gradients if file.is_file()))
