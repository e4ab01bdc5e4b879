"""Where the demo keeps what, and which folders must hold no identifier in the end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lethe.errors import Refused

_FREE_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of one demo.

    ``hospital`` stands for the hospital: originals and quarantine stay there. ``site`` is the workplace of
    the intake session and is emptied by sealing. ``archive`` is the embedded archive.
    """

    root: Path

    @property
    def hospital(self) -> Path:
        """The hospital's originals; never searched, never sent."""
        return self.root / "hospital"

    @property
    def site(self) -> Path:
        """Intake session, lookup table and cleaned objects, until sealing."""
        return self.root / "site"

    @property
    def summary(self) -> Path:
        """The result of the walk, by PRID."""
        return self.root / "summary.json"

    @property
    def collection(self) -> Path:
        """The collection as a file, for ``lethe collection``."""
        return self.root / "collection.yaml"

    @property
    def searched(self) -> list[Path]:
        """Everything the demo wrote, but the hospital's own originals."""
        return [path for path in sorted(self.root.iterdir()) if path != self.hospital]

    def prepare(self, input_bytes: int) -> None:
        """Make the folders.

        Raises
        ------
        Refused
            The disk has too little room for the input and what is made of it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        # cleaned objects, archive, prearchive, NIFTI, de-faced NIFTI and the published copy
        needed = _FREE_BYTES + 6 * input_bytes
        if not self.summary.exists() and shutil.disk_usage(self.root).free < needed:
            raise Refused(
                "disk-space",
                f"The demo's folder needs {needed / 2**30:.1f} GiB of free disk space.",
                remedy="Free some, or name another folder with --dir.",
            )
        for folder in (self.hospital, self.site):
            folder.mkdir(exist_ok=True, mode=0o700)
