"""restic, called with fixed arguments; its password is a file, never an argument."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.errors import Misconfigured, Unavailable

# restic says so when files vanished or could not be read; what is missing is then named by the manifest
_INCOMPLETE = 3
_TRIES, _PAUSE_S = 4, 1.0


@dataclass(frozen=True, slots=True)
class Repository:
    """A restic repository.

    Parameters
    ----------
    location : str
        A folder, or any other place restic knows (``sftp:...``, ``rest:https://...``).
    password_file : Path
        Key of the encryption; whoever loses it loses the backup.
    """

    location: str
    password_file: Path

    def ensure(self) -> bool:
        """Make the repository if there is none; return whether it was made.

        Raises
        ------
        Misconfigured
            The password is wrong or cannot be read, or restic is not installed.
        Unavailable
            The place does not answer.
        """
        if not self.password_file.is_file():
            raise Misconfigured("backup-password", "The password file of the backup cannot be read.")
        if self._run("cat", "config", check=False).returncode == 0:
            # locks of a backup that was killed; restic itself tells them from living ones
            self._run("unlock")
            return False
        if Path(self.location, "config").exists():
            raise Misconfigured(
                "backup-password",
                "The backup cannot be opened.",
                remedy="Name the password file it was made with.",
            )
        keys, snapshots = Path(self.location, "keys"), Path(self.location, "snapshots")
        if keys.is_dir() and not any(snapshots.glob("*")):
            # left by a making that was killed half way: restic would add a second key, and take the first
            shutil.rmtree(keys)
        self._run("init")
        return True

    def backup(self, folders: Sequence[Path], tags: Sequence[str]) -> str:
        """Back up `folders`; return the id of the snapshot.

        Files that vanish meanwhile are no error here: `backup.run` compares with the manifest.
        """
        words = [word for tag in tags for word in ("--tag", tag)]
        done = self._run("backup", "--json", *words, *(str(folder) for folder in folders), check=False)
        if done.returncode not in (0, _INCOMPLETE):
            raise Unavailable("backup", "The backup could not be written.", remedy=_last_line(done.stderr))
        summary = [row for row in _json_lines(done.stdout) if row.get("message_type") == "summary"]
        return str(summary[-1]["snapshot_id"])

    def snapshots(self, tag: str) -> list[dict[str, Any]]:
        """Return the snapshots with a tag, oldest first."""
        found: list[dict[str, Any]] = json.loads(
            self._run("snapshots", "--json", "--tag", tag).stdout or "[]"
        )
        return sorted(found, key=lambda row: str(row["time"]))

    def sizes(self, snapshot: str) -> dict[str, int]:
        """Return path and size in bytes of every file of a snapshot."""
        return {
            str(row["path"]): int(row.get("size", 0))
            for row in _json_lines(self._run("ls", "--json", snapshot).stdout)
            if row.get("type") == "file"
        }

    def restore(self, snapshot: str, target: Path) -> None:
        """Restore a snapshot below `target` and read all of it again."""
        self._run("restore", snapshot, "--target", str(target), "--verify")

    def mark(self, snapshot: str, tag: str) -> None:
        """Give a snapshot another tag in place of those it has; its id changes."""
        self._alone("tag", "--set", tag, snapshot)

    def forget(self, snapshot: str) -> None:
        """Give one snapshot up."""
        self._alone("forget", snapshot)

    def keep(self, tag: str, *, daily: int, weekly: int, monthly: int) -> None:
        """Apply the retention to the snapshots with `tag` and give free what none needs any more."""
        kept = ("--keep-daily", str(daily), "--keep-weekly", str(weekly), "--keep-monthly", str(monthly))
        self._run("forget", "--tag", tag, "--group-by", "tags", *kept, "--prune")

    def check(self, *, read_data: bool) -> None:
        """Check the structure of the repository, with `read_data` every byte."""
        self._run("check", *(["--read-data"] if read_data else []))

    def _alone(self, *words: str) -> None:
        """Run what needs the repository for itself: another restic may hold it for a moment, or have died."""
        for _ in range(_TRIES):
            if self._run(*words, check=False).returncode == 0:
                return
            self._run("unlock", check=False)
            time.sleep(_PAUSE_S)
        self._run(*words)

    def _run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "RESTIC_PASSWORD_FILE": str(self.password_file)}
        try:
            done = subprocess.run(
                ["restic", "--repo", self.location, "--no-cache", *words],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Misconfigured(
                "no-restic", "restic is not installed.", remedy="Install Debian's package restic."
            ) from None
        if check and done.returncode != 0:
            raise Unavailable(
                "backup", f"restic {words[0]} failed ({done.returncode}).", remedy=_last_line(done.stderr)
            )
        return done


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _last_line(text: str) -> str:
    """Return restic's last words, without paths: a file's name can hold a label."""
    lines = [line for line in text.strip().splitlines() if "/" not in line]
    return lines[-1] if lines else ""
