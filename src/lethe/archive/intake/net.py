"""The server-side net (M-59): a header that still carries an identifier is kept aside, not archived."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lethe.archive.context import Context
from lethe.archive.problem import Problem
from lethe.files import sync_folder, write_json

HeaderCheck = Callable[[Path], "str | None"]
"""Look at one DICOM file; answer None if it may go on, else a short reason code without any value."""

SETTING = "headerNetProjects"
"""Site setting: expression that the id of a project with the net matches whole."""


@dataclass(frozen=True, slots=True)
class Net:
    """Apply a header check to the projects the site names.

    Parameters
    ----------
    ctx : Context
        The archive; its setting ``headerNetProjects`` is an expression that project ids match whole.
    check : HeaderCheck
        Decides about one file.
    """

    ctx: Context
    check: HeaderCheck

    def applies(self, project: str) -> bool:
        """Tell whether objects for this project are looked at."""
        return re.fullmatch(str(self.ctx.settings.get(SETTING)), project, re.IGNORECASE) is not None

    def reason(self, path: Path) -> str | None:
        """Return why the object may not go on, or None."""
        return self.check(path)

    def keep_aside(self, path: Path, project: str, code: str) -> Path:
        """Move the object to the quarantine with its reason; return where it lies."""
        folder = self.ctx.store.root / "quarantine" / project
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        name = secrets.token_hex(12)
        write_json(
            folder / f"{name}.json",
            {"code": code, "project": project, "received": self.ctx.clock().isoformat(timespec="seconds")},
            mode=0o640,
        )
        target = folder / f"{name}.dcm"
        os.rename(path, target)
        sync_folder(folder)
        return target


def kept_aside(codes: Sequence[str]) -> Problem:
    """Return the answer to an upload of which objects were kept aside for these reasons."""
    return Problem(
        422,
        f"{len(codes)} objects still carry an identifying attribute and were kept aside"
        f" ({', '.join(sorted(set(codes)))}); nothing of the upload was stored.",
    )
