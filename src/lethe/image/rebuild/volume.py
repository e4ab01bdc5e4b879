"""De-faced images opened for reading plane by plane, compressed ones unpacked beside the result."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image import nifti
from lethe.image.nifti import Nifti

_GZIP = b"\x1f\x8b"
_PIECE = 4 << 20


@dataclass(frozen=True)
class Image:
    """One de-faced image, with the mask of what was changed in it if it is known.

    Attributes
    ----------
    voxels : Nifti
        Header and stored values, shape (i, j, k, t), mapped from disk.
    mask : NDArray, shape (i, j, k, 1), or None
        0 where nothing was changed.
    """

    voxels: Nifti
    mask: NDArray[Any] | None


def nifti_files(place: Path) -> list[Path]:
    """Return the image at `place`, or all images below it if it is a folder, sorted.

    Raises
    ------
    Refused
        ``no-image`` when there is none.
    """
    found = [place] if place.is_file() else sorted(place.rglob("*.nii*"))
    images = [path for path in found if path.is_file() and path.name.endswith((".nii", ".nii.gz"))]
    if not images:
        raise Refused("no-image", "There is no NIfTI image.", remedy="De-face the scan first.")
    return images


def open_images(images: Sequence[Path], masks: Sequence[Path] | None, work: Path) -> tuple[list[Image], str]:
    """Open the images, and their masks in the same order.

    Parameters
    ----------
    images : sequence of Path
        ``.nii`` or ``.nii.gz``.
    masks : sequence of Path, optional
        One for each image, of its grid.
    work : Path
        Private folder for unpacked files.

    Returns
    -------
    list of Image, str
        And a digest of the voxels and headers of all images, however they were compressed.

    Raises
    ------
    Refused
        ``not-nifti``, ``bad-affine``, ``mask-of-other-image``.
    """
    if masks is not None and len(masks) != len(images):
        raise _other_mask()
    opened, digest = [], hashlib.sha256()
    for number, path in enumerate(images):
        plain = _unpacked(path, work / f"image-{number}.nii")
        digest.update(_digest(plain))
        voxels = _read(plain)
        mask = None if masks is None else _mask(masks[number], voxels, work / f"mask-{number}.nii")
        opened.append(Image(voxels, mask))
    return opened, digest.hexdigest()


def _read(path: Path) -> Nifti:
    try:
        image = nifti.read(path)
    except Refused as error:  # it says what the converter did; here it is a file of the caller
        raise _not_nifti() from error
    if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-6:
        raise Refused(
            "bad-affine",
            "The header of an image gives no usable position and orientation.",
            remedy="Use the image as deface wrote it.",
        )
    if image.voxels.dtype.kind not in "iuf":
        raise _not_nifti()
    return image


def _mask(path: Path, image: Nifti, plain: Path) -> NDArray[Any]:
    mask = _read(_unpacked(path, plain))
    if mask.voxels.shape[:3] != image.voxels.shape[:3] or not np.allclose(
        mask.affine, image.affine, atol=1e-3
    ):
        raise _other_mask()
    return mask.voxels


def _unpacked(path: Path, plain: Path) -> Path:
    with path.open("rb") as stream:
        if stream.read(2) != _GZIP:
            return path
    try:
        with gzip.open(path, "rb") as packed, plain.open("wb") as target:
            shutil.copyfileobj(packed, target, _PIECE)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _not_nifti() from error
    return plain


def _digest(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _not_nifti() -> Refused:
    return Refused(
        "not-nifti",
        "A file is not a whole NIfTI image of grey values.",
        remedy="Use the image as deface wrote it.",
    )


def _other_mask() -> Refused:
    return Refused(
        "mask-of-other-image",
        "A mask does not belong to its image.",
        remedy="Use NIFTI_DEFACED and DEFACE_QC of one run of deface.",
    )
