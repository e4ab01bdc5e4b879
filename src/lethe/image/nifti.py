"""NIfTI-1 files as the converter writes them: header as fields, voxels mapped from disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused

_HEADER = np.dtype(
    [
        ("sizeof_hdr", "i4"),
        ("data_type", "S10"),
        ("db_name", "S18"),
        ("extents", "i4"),
        ("session_error", "i2"),
        ("regular", "S1"),
        ("dim_info", "u1"),
        ("dim", "i2", (8,)),
        ("intent_p", "f4", (3,)),
        ("intent_code", "i2"),
        ("datatype", "i2"),
        ("bitpix", "i2"),
        ("slice_start", "i2"),
        ("pixdim", "f4", (8,)),
        ("vox_offset", "f4"),
        ("scl_slope", "f4"),
        ("scl_inter", "f4"),
        ("slice_end", "i2"),
        ("slice_code", "u1"),
        ("xyzt_units", "u1"),
        ("cal", "f4", (2,)),
        ("slice_duration", "f4"),
        ("toffset", "f4"),
        ("gl", "i4", (2,)),
        ("descrip", "S80"),
        ("aux_file", "S24"),
        ("qform_code", "i2"),
        ("sform_code", "i2"),
        ("quatern", "f4", (3,)),
        ("qoffset", "f4", (3,)),
        ("srow", "f4", (3, 4)),
        ("intent_name", "S16"),
        ("magic", "S4"),
    ]
)
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
# Fields that can carry a comment, a time or a name.
_TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name", "data_type")
HEAD_BYTES = 352
"""Bytes before the voxels of a file without extensions."""
_SIZES = {_HEADER.itemsize.to_bytes(4, "little"): "<", _HEADER.itemsize.to_bytes(4, "big"): ">"}


@dataclass(frozen=True)
class Nifti:
    """An uncompressed NIfTI file.

    Attributes
    ----------
    header : NDArray
        Its fields, as read.
    voxels : NDArray, shape (i, j, k, t)
        Stored values before scaling; never changed.
    affine : NDArray, shape (4, 4)
        Voxel index to RAS mm; not numbers when the header gives none.
    slope, intercept : float
        Stored value to physical value.
    """

    header: NDArray[Any]
    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    slope: float
    intercept: float


def read(path: Path) -> Nifti:
    """Open an uncompressed NIfTI file of grey values.

    Raises
    ------
    Refused
        ``converter-output`` for anything else.
    """
    with path.open("rb") as stream:
        raw = stream.read(_HEADER.itemsize)
    order = _SIZES.get(raw[:4], "")
    if len(raw) < _HEADER.itemsize or raw[344:347] != b"n+1" or not order:
        raise _unexpected("that is no NIfTI")
    header = np.frombuffer(raw, _HEADER if order == "<" else _HEADER.newbyteorder()).reshape(())
    axes = int(header["dim"][0])
    shape = tuple(int(length) for length in header["dim"][1 : axes + 1]) if 3 <= axes <= 7 else ()
    kind = _TYPES.get(int(header["datatype"]))
    if not shape or any(length != 1 for length in shape[4:]) or kind is None or min(shape) < 1:
        raise _unexpected("of colour, or one that is no volume")
    offset = int(header["vox_offset"])
    dtype = np.dtype(order + kind)
    shape = (*shape, 1)[:4]
    if path.stat().st_size < offset + int(np.prod(shape)) * dtype.itemsize:
        raise _unexpected("cut short")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    scaled = slope != 0 and bool(np.isfinite([slope, intercept]).all())
    return Nifti(
        header,
        np.memmap(path, dtype, "r", offset, shape, order="F").view(np.ndarray),  # views of it are quicker
        _affine(header),
        slope if scaled else 1.0,
        intercept if scaled else 0.0,
    )


def clean_head(image: Nifti, affine: NDArray[np.float64] | None = None) -> bytes:
    """Return what precedes the voxels in a file: the header, free text emptied, no extension.

    Parameters
    ----------
    image : Nifti
        As the converter wrote it.
    affine : NDArray, shape (4, 4), optional
        Replaces the affine, as sform alone: a tilted gantry's shear has no qform.
    """
    header = image.header.copy()
    for name in _TEXT_FIELDS:
        header[name] = b""
    header["vox_offset"] = HEAD_BYTES
    if affine is not None:
        header["srow"], header["sform_code"], header["qform_code"] = affine[:3], 1, 0
        header["quatern"] = header["qoffset"] = 0
        header["pixdim"][:4] = [1.0, *np.linalg.norm(affine[:3, :3], axis=0)]
    return header.tobytes() + b"\0" * (HEAD_BYTES - _HEADER.itemsize)


def write_planes(
    path: Path,
    like: Nifti,
    shape: tuple[int, int, int, int],
    affine: NDArray[np.float64],
    planes: Sequence[memoryview],
) -> None:
    """Write planes as an image of `shape` with the type and scaling of another one."""
    header = like.header.copy()
    header["dim"][:6] = [4 if shape[3] > 1 else 3, *shape, 1]
    with path.open("wb") as stream:
        stream.write(clean_head(replace(like, header=header), affine))
        stream.writelines(planes)


def _affine(header: NDArray[Any]) -> NDArray[np.float64]:
    affine = np.eye(4)
    if header["sform_code"] > 0:
        affine[:3] = header["srow"]
    elif header["qform_code"] > 0:
        b, c, d = (float(part) for part in header["quatern"])
        a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
        turn = [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
        sizes = np.array(header["pixdim"][1:4], float)
        sizes[2] *= -1 if header["pixdim"][0] < 0 else 1
        affine[:3, :3] = np.array(turn) * sizes
        affine[:3, 3] = header["qoffset"]
    else:
        affine[:] = np.nan
    return affine


def _unexpected(what: str) -> Refused:
    return Refused(
        "converter-output", f"The converter wrote a file {what}.", remedy="Keep the series as DICOM."
    )
