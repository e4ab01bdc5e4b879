"""NIfTI files as the converter writes them, and as they leave: clean header, deterministic gzip."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from isal import isal_zlib
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from lethe.errors import Refused

_PIECE = 4 << 20
# Fields that can carry a comment, a time or a name.
_TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name", "data_type")


@dataclass(frozen=True)
class Nifti:
    """An uncompressed NIfTI file: header, and voxels mapped from disk.

    Attributes
    ----------
    header : Nifti1Header
        As read; NIfTI-2 headers are read too.
    voxels : NDArray, shape (i, j, k, t)
        Stored values before scaling; never changed.
    affine : NDArray, shape (4, 4)
        Voxel index to RAS mm.
    slope, intercept : float
        Stored value to physical value.
    """

    header: Nifti1Header
    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    slope: float
    intercept: float


def read(path: Path) -> Nifti:
    """Open an uncompressed NIfTI file."""
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        kind = (
            Nifti2Header
            if 540 in (*np.frombuffer(start, "<i4"), *np.frombuffer(start, ">i4"))
            else Nifti1Header
        )
        try:
            header = kind.from_fileobj(stream)  # type: ignore[no-untyped-call]
        except (WrapStructError, ValueError) as error:
            raise Refused(
                "converter-output", "The converter wrote a file that is no NIfTI.", remedy="Report the case."
            ) from error
    shape = header.get_data_shape()
    dtype = header.get_data_dtype()
    if dtype.fields is not None or len(shape) < 3 or len(shape) > 4:
        raise Refused(
            "converter-output",
            "The converter wrote a colour image or one that is no volume.",
            remedy="Put the series in another lane.",
        )
    offset = int(header.get_data_offset())
    if path.stat().st_size < offset + int(np.prod(shape)) * dtype.itemsize:
        raise Refused("converter-output", "The converter wrote a file cut short.", remedy="Free disk space.")
    voxels = np.memmap(path, dtype, "r", offset, (*shape, 1)[:4], order="F")
    slope, intercept = header.get_slope_inter()
    return Nifti(
        header,
        voxels,
        header.get_best_affine(),
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
    )


def write_gz(image: Nifti, path: Path, affine: NDArray[np.float64] | None = None, level: int = 1) -> None:
    """Write a NIfTI as ``.nii.gz`` with the same bytes for the same input.

    Parameters
    ----------
    image : Nifti
        What to write; free text of the header is emptied.
    path : Path
        Name of the file, in a folder of the caller.
    affine : NDArray, shape (4, 4), optional
        Replaces the affine, as sform alone: a tilted gantry's shear has no qform.
    level : int
        Compression level of ISA-L, 0 to 3.
    """
    header = image.header.copy()  # type: ignore[no-untyped-call]
    for name in _TEXT_FIELDS:
        if name in header.keys():  # noqa: SIM118  (a header is no mapping)
            header[name] = b""
    if affine is not None:
        header.set_sform(affine, code=1)
        header.set_qform(None, code=0)
        header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    head = bytes(header.binaryblock)
    head += b"\0" * (int(header.get_data_offset()) - len(head))
    with path.open("wb") as stream:
        _compress(head, image.voxels, stream, level)
        stream.flush()
        os.fsync(stream.fileno())


def _compress(head: bytes, voxels: NDArray[Any], stream: IO[bytes], level: int) -> None:
    # A gzip container (16 + 15 window bits) made by zlib carries neither time nor name.
    machine = isal_zlib.compressobj(level, isal_zlib.DEFLATED, 31)
    stream.write(machine.compress(head))
    flat = voxels.reshape(-1, order="F").view(np.uint8)
    for start in range(0, flat.size, _PIECE):
        stream.write(machine.compress(flat[start : start + _PIECE]))
    stream.write(machine.flush())
