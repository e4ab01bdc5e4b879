"""NIfTI files read and written slab by slab, the header carried over byte for byte.

A whole-head CT of 512 x 512 x 324 voxels is 170 MB, a perfusion series several GB. Nothing here holds more
than a few slices: a file is read as a stream of slabs, and written while it is read a second time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.gzblocks import DAMAGED, unpacked

FloatArray = NDArray[np.floating[Any]]

_SLAB_BYTES = 4 << 20  # stays in the cache of a processor
_MINIMUM_EXTENT_MM = 30.0
_MINIMUM_VOXELS = 6
_DEFLATE_RATIO = 1032  # no compression of this kind does better
_NIFTI_SIZES: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


@dataclass(frozen=True, slots=True)
class Volume:
    """What a NIfTI file says about itself; the voxels stay in the file.

    Attributes
    ----------
    path : Path
        The file, ``.nii`` or ``.nii.gz``.
    head : bytes
        Everything before the first voxel: header and extensions, verbatim.
    shape : tuple of int
        Three or more axes as stored.
    dtype : numpy.dtype
        Type of the stored numbers, byte order included.
    affine : ndarray, shape (4, 4)
        Voxel indices to scanner millimetres, RAS.
    slope, intercept : float
        Value = slope x stored number + intercept.
    form_codes : (int, int)
        qform and sform code; both 0 when the header names no coordinate system at all.
    extended : bool
        True when header extensions are present (they may carry identifiers).
    """

    path: Path
    head: bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    affine: NDArray[np.float64]
    slope: float
    intercept: float
    form_codes: tuple[int, int]
    extended: bool

    @property
    def spatial_shape(self) -> tuple[int, int, int]:
        """Lengths of the three axes in space."""
        return (self.shape[0], self.shape[1], self.shape[2])

    @property
    def repeats(self) -> int:
        """How many volumes the file holds (1 for a 3-D image)."""
        return int(np.prod(self.shape[3:], dtype=np.int64))

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Distance between neighbouring voxels along each axis, mm."""
        return np.asarray(np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)), np.float64)

    def values(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return stored numbers as values (HU for CT)."""
        scaled = stored.astype(np.float32)
        if self.slope != 1.0:
            scaled *= np.float32(self.slope)
        if self.intercept != 0.0:
            scaled += np.float32(self.intercept)
        return scaled

    def stored(self, value: float) -> Any:
        """Return the stored number that stands for `value`, kept inside the range of the type."""
        number = (value - self.intercept) / self.slope
        if self.dtype.kind == "f":
            return self.dtype.type(number)
        limits = np.iinfo(self.dtype)
        return self.dtype.type(int(np.clip(round(number), limits.min, limits.max)))


def open_volume(path: Path, *, thin: bool = False) -> Volume:
    """Read the header of a NIfTI file and refuse what cannot be de-faced.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``, NIfTI-1 or NIfTI-2, single file.
    thin : bool
        Also take a slab too thin to be matched by itself.

    Returns
    -------
    Volume

    Raises
    ------
    Refused
        ``no-file``, ``empty-file``, ``not-nifti``, ``truncated``, ``bad-affine``, ``bad-scaling``,
        ``colour``, ``complex``, ``voxel-type``, ``one-slice``, ``small-volume``.
    """
    if not path.is_file():
        raise Refused("no-file", "The image file does not exist.", remedy="Name an existing NIfTI file.")
    if path.stat().st_size == 0:
        raise Refused("empty-file", "The image file is empty.", remedy="Convert the series again.")
    with _plain_stream(path) as stream:
        header, raw = _read_header(stream)
    affine = _affine_of(header)
    forms = (int(header["qform_code"]), int(header["sform_code"]))
    slope, intercept = _scaling_of(header)
    shape = tuple(int(n) for n in header.get_data_shape())
    dtype = _dtype_of(header)
    _refuse_unsuitable(shape, dtype)
    _refuse_short(path, len(raw) + int(np.prod(shape, dtype=object)) * dtype.itemsize)
    if not thin:
        _refuse_thin(shape, affine)
    extended = any(raw[int(header["sizeof_hdr"]) :][:1])
    return Volume(path, raw, shape, dtype, affine, slope, intercept, forms, extended)


@contextmanager
def _plain_stream(path: Path) -> Iterator[IO[bytes]]:
    """Open `path` and decompress it when its first bytes say gzip, whatever its name says."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if packed:
            with unpacked(raw) as stream:
                yield stream
        else:
            yield raw


def _truncated() -> Refused:
    return Refused(
        "truncated",
        "The image file ends before its last voxel, or its compression is damaged.",
        remedy="Copy or convert the series again.",
    )


def _not_nifti() -> Refused:
    return Refused(
        "not-nifti",
        "The file is not a single-file NIfTI image.",
        remedy="Convert the series to .nii.gz first.",
    )


def _read_exactly(stream: IO[bytes], count: int) -> bytes:
    try:
        data = stream.read(count)
    except DAMAGED as error:
        raise _truncated() from error
    if len(data) < count:
        raise _truncated()
    return data


def _read_header(stream: IO[bytes]) -> tuple[Any, bytes]:
    raw = _read_exactly(stream, 4)
    size = next((n for n in _NIFTI_SIZES if n in (int.from_bytes(raw, o) for o in ("little", "big"))), None)
    if size is None:
        raise _not_nifti()
    raw += _read_exactly(stream, size - 4)
    try:
        header = _NIFTI_SIZES[size](raw, check=False)
    except (HeaderDataError, ValueError) as error:
        raise _not_nifti() from error
    if not bytes(header["magic"].tobytes()).startswith((b"n+1", b"n+2")):
        raise _not_nifti()
    place = float(header["vox_offset"])
    if not size <= place < 1 << 30:  # false for what is not a number, too
        raise _not_nifti()
    offset = int(place)
    return header, raw + _read_exactly(stream, offset - size)


def _affine_of(header: Any) -> NDArray[np.float64]:
    problem = Refused(
        "bad-affine",
        "The header gives no usable position and orientation.",
        remedy="Convert the series again; a converter or an editor damaged the affine.",
    )
    try:
        affine = np.asarray(header.get_best_affine(), np.float64)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError) as error:
        raise problem from error
    if not np.isfinite(affine).all():
        raise problem
    volume = abs(np.linalg.det(affine[:3, :3]))
    sides = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if not 1e-3 < volume < 1e4 or volume < 0.5 * sides.prod():
        raise problem
    return affine


def _scaling_of(header: Any) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 or none means "as stored" by the NIfTI standard."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isnan(slope) or slope == 0.0:
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise Refused(
            "bad-scaling",
            "The header scales the voxels by something that is not a number.",
            remedy="Convert the series again; a converter or an editor damaged the scaling.",
        )
    return slope, intercept


def _dtype_of(header: Any) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.dtype(header.get_data_dtype())
    except (HeaderDataError, KeyError) as error:
        raise _not_numbers() from error
    return found


def _not_numbers() -> Refused:
    return Refused(
        "voxel-type",
        "The header names no kind of number for the voxels that can be read.",
        remedy="Convert the series again.",
    )


def _refuse_unsuitable(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.fields is not None:
        raise Refused(
            "colour",
            "The image is in colour, not a measurement.",
            remedy="Leave renderings out of the release.",
        )
    if dtype.kind not in "iufc":
        raise _not_numbers()
    if dtype.kind == "c":
        raise Refused(
            "complex", "The image holds complex numbers.", remedy="Convert the magnitude image instead."
        )
    if len(shape) < 3 or min(shape[:3]) < 2 or min(shape) < 1:
        raise Refused(
            "one-slice",
            "The image is a single slice.",
            remedy="Leave localisers out, or give the whole series.",
        )


def _refuse_short(path: Path, needed: int) -> None:
    """Refuse a file that cannot hold what its header promises, before memory is asked for."""
    with path.open("rb") as stream:
        most = _DEFLATE_RATIO if stream.read(2) == b"\x1f\x8b" else 1
    if path.stat().st_size * most < needed:
        raise _truncated()


def _refuse_thin(shape: tuple[int, ...], affine: NDArray[np.float64]) -> None:
    sides = np.sqrt((affine[:3, :3] ** 2).sum(axis=0)) * np.asarray(shape[:3])
    if min(shape[:3]) < _MINIMUM_VOXELS or sides.min() < _MINIMUM_EXTENT_MM:
        raise Refused(
            "small-volume",
            f"The image is thinner than {_MINIMUM_EXTENT_MM:.0f} mm or {_MINIMUM_VOXELS} slices.",
            remedy="De-face the session as a whole, so that a fuller series helps; or keep this series back.",
        )


def slabs(volume: Volume, *, limit: int | None = None) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield the voxels of a file in its own order, a few slices at a time, one step ahead of the caller.

    Parameters
    ----------
    volume : Volume
        From `open_volume`.
    limit : int, optional
        Read only this many of the repeated volumes.

    Yields
    ------
    (int, int, ndarray)
        Number of the repeated volume, first slice, and a writable array of shape (nx, ny, slices).

    Raises
    ------
    Refused
        ``truncated`` when the file ends early or its compression is damaged.
    """
    coming = _slabs(volume, limit)
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, coming, None)
        while (slab := following.result()) is not None:
            following = reader.submit(next, coming, None)
            yield slab


def _slabs(volume: Volume, limit: int | None) -> Iterator[tuple[int, int, NDArray[Any]]]:
    nx, ny, nz = volume.spatial_shape
    step = max(1, _SLAB_BYTES // max(1, nx * ny * volume.dtype.itemsize))
    repeats = volume.repeats if limit is None else min(limit, volume.repeats)
    with _plain_stream(volume.path) as stream:
        _read_exactly(stream, len(volume.head))
        for repeat in range(repeats):
            for start in range(0, nz, step):
                count = min(step, nz - start)
                raw = bytearray(_read_exactly(stream, nx * ny * count * volume.dtype.itemsize))
                yield repeat, start, np.frombuffer(raw, volume.dtype).reshape((nx, ny, count), order="F")
        if repeats == volume.repeats:
            _drain(stream)


def _drain(stream: IO[bytes]) -> None:
    """Read to the end, so that a damaged check sum of the compression is noticed."""
    try:
        while stream.read(1 << 20):
            pass
    except DAMAGED as error:
        raise _truncated() from error


def mask_header(volume: Volume) -> bytes:
    """Return the header of a mask (unsigned byte, 3-D) that lies where `volume` lies, nothing else of it."""
    header: Any = nib.Nifti1Header()  # type: ignore[no-untyped-call]
    header.set_data_dtype(np.uint8)
    header.set_data_shape(volume.spatial_shape)
    header.set_xyzt_units("mm")
    header.set_zooms(volume.spacing)
    for form, code in zip(("qform", "sform"), volume.form_codes, strict=True):
        if code > 0:
            getattr(header, f"set_{form}")(volume.affine, code)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    stream = io.BytesIO()
    header.write_to(stream)
    return stream.getvalue()[:352].ljust(352, b"\0")
