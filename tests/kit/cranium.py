"""The real head CT that Debian ships: the example volume of InVesalius (GPL-2), fetched, never committed.

`fetch` asks the Debian client for the package, checks its SHA-256 and reads the volume from it.
"""

from __future__ import annotations

import io
import os
import plistlib
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kit.phantom import Volume
from lethe.files import sha256_of

PACKAGE = "invesalius-examples"
SHA256 = "f2f14bdfef6dc3812eafc5013d133c6c18370aaab5666b78d54af2e7db432f97"
_MEMBER = "examples/Cranium.inv3"


@dataclass(frozen=True)
class Fetched:
    """What came of looking for the head CT: the volume, or None and a plain reason."""

    volume: Volume | None
    reason: str = ""


def default_cache() -> Path:
    """Return the folder that keeps the package between runs (``LETHE_CACHE`` or the user's cache)."""
    home = os.environ.get("LETHE_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "lethe"


def fetch(cache: Path | None = None, *, timeout: float = 180.0) -> Fetched:
    """Get the head CT, from the cache or from the Debian archive.

    Parameters
    ----------
    cache : Path, optional
        Folder for the package file; `default_cache` when left out.
    timeout : float
        Seconds granted to each call of the package client.

    Returns
    -------
    Fetched
        256 x 256 x 108 voxels in HU with their RAS affine, or None and the reason.
    """
    folder = cache or default_cache()
    package = folder / f"{PACKAGE}.deb"
    if not package.is_file() or sha256_of(package) != SHA256:
        reason = _download(folder, package, timeout)
        if reason:
            return Fetched(None, reason)
    if shutil.which("dpkg-deb") is None:
        return Fetched(None, "dpkg-deb is not installed, so the Debian package cannot be unpacked.")
    return Fetched(_read(package))


def _download(folder: Path, package: Path, timeout: float) -> str:
    """Fetch the package into `package`; return the reason when that fails, else an empty string."""
    if shutil.which("apt-get") is None:
        return "This system has no apt-get, so the Debian package with the head CT cannot be fetched."
    work = folder / "download"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        for update_first in (False, True):
            if update_first:
                _run(["apt-get", "-qq", "update"], work, timeout)
            if _run(["apt-get", "-qq", "download", PACKAGE], work, timeout):
                break
        found = sorted(work.glob(f"{PACKAGE}_*.deb"))
        if not found:
            return (
                f"The Debian client could not fetch the package {PACKAGE} (no network, or not in its lists)."
            )
        if sha256_of(found[0]) != SHA256:
            return f"The package {PACKAGE} of this system is not the version whose checksum is known."
        os.replace(found[0], package)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return ""


def _run(command: list[str], folder: Path, timeout: float) -> bool:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _read(package: Path) -> Volume:
    unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as files:
        project = _member(files, _MEMBER)
    with tarfile.open(fileobj=io.BytesIO(project), mode="r:gz") as files:
        facts = plistlib.loads(_member(files, "main.plist"))
        voxels = _member(files, "matrix.dat")
    # Stored as slice, row, column with rows from front to back already turned: k, j, i of a RAS volume.
    data = np.frombuffer(voxels, "<i2").reshape(facts["matrix"]["shape"]).transpose(2, 1, 0)
    affine = np.diag([*facts["spacing"], 1.0])
    affine[:3, 3] = [-122.0, -122.0, -81.0]
    return Volume(np.ascontiguousarray(data), affine)


def _member(files: tarfile.TarFile, ending: str) -> bytes:
    for member in files:
        if member.isfile() and member.name.endswith(ending):
            stream = files.extractfile(member)
            if stream is not None:
                return stream.read()
    raise FileNotFoundError(ending)
