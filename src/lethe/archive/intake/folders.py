"""The files of one prearchive session: put in once, never silently overwritten, found again after a crash."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from lethe.archive.intake import describe
from lethe.archive.intake.objects import file_name, read_header, same_content
from lethe.files import sync_folder

_SYNCS_AT_ONCE = 16


class Placed(StrEnum):
    """What became of an object that was handed to a session."""

    STORED = "stored"
    IDENTICAL = "identical"
    REPLACED = "replaced"
    CONFLICT = "conflict"


class SessionFolder:
    """Objects of one session by series, on disk below ``SCANS/{scan}/DICOM``.

    The folder is the truth: opening it again after a crash finds what was placed. All methods are called
    with `lock` held.

    Parameters
    ----------
    folder : Path
        Folder of the session; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.closed = False
        self.scans: dict[str, str] = {}
        self._objects: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._synced: set[str] = set()
        self._load()

    @property
    def count(self) -> int:
        """Number of objects in the session."""
        return len(self._objects)

    def place(self, source: Path, header: Dataset, *, replace: bool = False, md5: str = "") -> Placed:
        """Take over the file `source` (on the same file system), or tell why not.

        An object whose UID is there with the same bytes is left as it is; with other bytes it is a conflict,
        unless `replace` is set. `source` is removed, except after a conflict.
        """
        name = file_name(str(header.SOPInstanceUID))
        known = self._objects.get(name)
        if known is not None:
            return self._meet(source, header, name, known, replace=replace, md5=md5)
        scan = describe.scan_id(header, self.scans)
        target = self.path(scan, name)
        if scan not in self.scans:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        os.rename(source, target)
        self._note(scan, name, header, md5)
        return Placed.STORED

    def all_files(self) -> list[Path]:
        """Return the files of every scan."""
        return [file for scan in self.scans for file in self.files(scan)]

    def built(self) -> dict[str, Any]:
        """Return the description of the session as its row keeps it, with the number of objects it is of."""
        described = self.describe()
        return {
            "xsi_type": described.xsi_type,
            "fields": dict(described.fields),
            "scans": [
                {"id": scan.scan_id, "xsi_type": scan.xsi_type, "fields": dict(scan.fields)}
                for scan in described.scans
            ],
            "objects": self.count,
        }

    def sync(self) -> None:
        """Make all objects and their names survive a power cut."""
        files = self.all_files()
        with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:  # several at once share one commit of the disk
            for _ in pool.map(_sync_file, files):
                pass
        for scan in self.scans:
            sync_folder(self.folder / "SCANS" / scan / "DICOM")
            self._sync_above(scan)

    def sync_object(self, header: Dataset) -> None:
        """Make the name of one object, whose bytes are on disk already, survive a power cut."""
        scan = self._objects[file_name(str(header.SOPInstanceUID))]
        sync_folder(self.folder / "SCANS" / scan / "DICOM")
        if scan not in self._synced:
            self._sync_above(scan)

    def _sync_above(self, scan: str) -> None:
        # session folder, its time stamp, its project, and the prearchive itself
        for folder in (
            self.folder / "SCANS" / scan,
            self.folder / "SCANS",
            self.folder,
            *self.folder.parents[:3],
        ):
            sync_folder(folder)
        self._synced.add(scan)

    def path(self, scan: str, name: str) -> Path:
        """Return where an object lies."""
        return self.folder / "SCANS" / scan / "DICOM" / name

    def files(self, scan: str) -> list[Path]:
        """Return the files of a scan, by name."""
        return sorted(self.path(scan, name) for name, owner in self._objects.items() if owner == scan)

    def digest(self, name: str) -> str:
        """Return the md5 of an object if it was computed on arrival, else an empty string."""
        return self._digests.get(name, "")

    def describe(self) -> describe.SessionDescription:
        """Describe the session from the first object of each scan."""
        headers: dict[str, Dataset] = {}
        frames: dict[str, int] = {}
        for scan in sorted(self.scans, key=_by_number):
            files = self.files(scan)
            headers[scan] = read_header(files[0])
            frames[scan] = describe.frames_of(headers[scan]) * len(files)
        return describe.describe_session(headers, frames)

    def _meet(
        self, source: Path, header: Dataset, name: str, scan: str, *, replace: bool, md5: str
    ) -> Placed:
        there = self.path(scan, name)
        if same_content(there, source):
            source.unlink()
            return Placed.IDENTICAL
        if not replace:
            return Placed.CONFLICT
        home = describe.scan_id(header, self.scans)
        self.path(home, name).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        os.replace(source, self.path(home, name))
        self._note(home, name, header, md5)
        if home != scan:
            there.unlink()
            if scan not in self._objects.values():
                del self.scans[scan]
        return Placed.REPLACED

    def _note(self, scan: str, name: str, header: Dataset, md5: str) -> None:
        self.scans[scan] = str(header.SeriesInstanceUID)
        self._objects[name] = scan
        self._digests.pop(name, None)
        if md5:
            self._digests[name] = md5

    def _load(self) -> None:
        scans = self.folder / "SCANS"
        scans.mkdir(parents=True, exist_ok=True, mode=0o750)
        for scan in sorted(scans.iterdir()):
            files = sorted((scan / "DICOM").glob("*.dcm")) if scan.is_dir() else []
            if files:
                self.scans[scan.name] = str(read_header(files[0]).SeriesInstanceUID)
                self._objects.update((file.name, scan.name) for file in files)


def _sync_file(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _by_number(scan: str) -> tuple[int, str]:
    return (int(scan), "") if scan.isdecimal() and len(scan) < 12 else (1 << 40, scan)
