"""Heads for the image benchmark: those beside the repository, those of packages, two phantoms."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bench_parts.image_packages import BRAIN, fetched
from kit import phantom

SHARED = Path(__file__).resolve().parents[3] / "shared" / "heads"

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class Image:
    """A head, its brain, and how it must be turned to stand upright.

    Attributes
    ----------
    name : str
    values : ndarray of float32
    affine : ndarray, shape (4, 4)
    brain : ndarray of bool
        From a tool that knows nothing of our engine; all False when there is none.
    ct : bool
    upright : ndarray, shape (4, 4)
        Scanner mm to mm in which the face looks along +y and the vertex along +z.
    """

    name: str
    values: Values
    affine: Affine
    brain: Mask
    ct: bool
    upright: Affine

    @property
    def air(self) -> float:
        """Value of nothing."""
        return -1000.0 if self.ct else 0.0

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Voxel size, mm."""
        return np.asarray(np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))

    def random(self, word: str) -> np.random.Generator:
        """Return the generator of this head and `word`."""
        return np.random.default_rng(zlib.crc32(f"{self.name}/{word}".encode()))

    def save(self, path: Path) -> Path:
        """Write as int16 with both coordinate systems named."""
        return write(path, np.rint(np.clip(self.values, -32000, 32000)).astype(np.int16), self.affine)


def write(path: Path, data: NDArray[np.generic], affine: Affine) -> Path:
    """Write a NIfTI file with both coordinate systems named."""
    image: Any = nib.Nifti1Image(data, affine)  # type: ignore[no-untyped-call]
    image.header.set_sform(affine, 1)
    image.header.set_qform(affine, 1)
    nib.save(image, path)
    return path


def read(path: Path, name: str, *, ct: bool) -> Image:
    """Read a head; its brain is not known yet."""
    loaded: Any = nib.load(path)
    values = np.asarray(loaded.dataobj, np.float32)
    values = values.reshape(values.shape[:3])
    affine = np.asarray(loaded.affine, np.float64)
    return Image(name, values, affine, np.zeros(values.shape, bool), ct, np.eye(4))


def heads(folder: Path, wanted: Callable[[str], object] = lambda name: True) -> list[Image]:
    """Return the wanted of: the shared heads that are present, those of packages, two phantoms.

    Parameters
    ----------
    folder : Path
        Keeps what is fetched.
    wanted : callable, optional
        Says of a name whether that head is wanted.
    """
    paths = {path.name.removesuffix(".nii.gz"): path for path in sorted(SHARED.glob("*.nii.gz"))}
    paths = {name: path for name, path in paths.items() if wanted(name)} | fetched(folder, wanted)
    found = [_whole(name, path) for name, path in paths.items()]
    return found + [_phantom(kind) for kind in ("ct", "mr") if wanted(f"phantom_{kind}")]


def _whole(name: str, path: Path) -> Image:
    image = read(path, name, ct=name.startswith("ct_"))
    brain = path.with_name(BRAIN + path.name)
    if brain.is_file():
        image = replace(image, brain=read(brain, name, ct=False).values > 0)
    # an average in thousandths would be lost in whole numbers
    return replace(image, values=image.values * 1000) if float(image.values.max()) < 10.0 else image


def _phantom(kind: phantom.Modality) -> Image:
    spacing = (1.2, 1.2, 1.5)
    reach = (-230.0, 100.0)
    volume = phantom.head(kind, spacing=spacing, z_range=reach)
    labels, _, _ = phantom.draw(spacing=spacing, z_range=reach)
    brain = np.isin(labels, (phantom.Tissue.GREY, phantom.Tissue.WHITE))
    values = volume.data.astype(np.float32)
    return Image(f"phantom_{kind}", values, volume.affine, brain, kind == "ct", np.eye(4))
