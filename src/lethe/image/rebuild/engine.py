"""One series rebuilt: every object read, its planes replaced, written, and read again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import UID

from lethe.errors import Misconfigured, Refused
from lethe.files import sync_folder
from lethe.image.convert import series_files
from lethe.image.frames import Frame, Instance, read_instance
from lethe.image.pixels import Planes, read_pixels
from lethe.image.quiet import quiet_reading
from lethe.image.rebuild.header import Origin, derive, origin_of, set_pixels
from lethe.image.rebuild.match import Spot, match, scale_for
from lethe.image.rebuild.stored import rebuilt_plane
from lethe.image.rebuild.volume import open_images
from lethe.image.series import read_series
from lethe.image.stack import Stack, analyse

# De-facing takes less than half of the voxels that show something. The image of another scan shares a few
# per cent of its values by chance.
LEAST_UNCHANGED = 0.3
_GEOMETRY = ("position", "orientation", "spacing", "slope", "intercept", "rows", "columns", "number")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was written.

    Attributes
    ----------
    files : list of Path
        ``0001.dcm`` and so on, in the order of the slices.
    kind : str
        Name of the SOP class, that of the source.
    frames, voxels, voxels_changed : int
        Planes and voxels of the series; how many voxels differ from the source.
    """

    files: list[Path]
    kind: str
    frames: int
    voxels: int
    voxels_changed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for reports."""
        return {
            "kind": self.kind,
            "objects": len(self.files),
            "frames": self.frames,
            "voxels": self.voxels,
            "voxels_changed": self.voxels_changed,
        }


@dataclass
class _Tally:
    """Voxels counted over all planes; those with the commonest dark value of the source tell nothing."""

    voxels: int = 0
    changed: int = 0
    telling: int = 0
    telling_changed: int = 0

    def add(self, source: NDArray[Any], kept: NDArray[np.bool_]) -> None:
        telling = source > source.min()
        self.voxels += source.size
        self.changed += int((~kept).sum())
        self.telling += int(telling.sum())
        self.telling_changed += int((~kept & telling).sum())


def rebuild_series(
    dicom: Path, images: Sequence[Path], out: Path, *, method: str, masks: Sequence[Path] | None = None
) -> Rebuilt:
    """Put de-faced images back into objects of the kind they came from.

    Parameters
    ----------
    dicom : Path
        Folder with the cleaned objects of one series.
    images : sequence of Path
        Every image that conversion made of the series, de-faced; the grids are those of the conversion.
    out : Path
        Existing folder for ``0001.dcm`` and so on.
    method : str
        Name and version of the method that removed the face, written into every object.
    masks : sequence of Path, optional
        What was changed in each image. Outside of it, every voxel must be that of the source.

    Returns
    -------
    Rebuilt
        The objects: geometry, scaling and acquisition of the source, new UIDs that follow from the
        content, every untouched voxel bit for bit.

    Raises
    ------
    Refused
        The images do not belong to the series (``other-grid``, ``slices-missing``, ``slices-too-many``,
        ``other-image``, ``changed-outside-mask``), the series is irregular, its headers are not cleaned
        (``not-cleaned``) or values do not fit (``value-range``, ``not-finite``). Nothing is written then.
    """
    if not out.is_dir():
        raise Misconfigured(
            "no-output-folder", "The output folder does not exist.", remedy="Create it first."
        )
    instances = read_series(series_files(dicom))
    stack = analyse(instances)
    if stack.fatal:
        first = stack.fatal[0]
        raise Refused(first.code, first.sentence, remedy=first.remedy)
    if any(instance.mosaic for instance in instances):
        raise Refused(
            "mosaic",
            "Mosaic images need a private header that a cleaned object cannot keep.",
            remedy="Use the NIfTI image; only objects with one plane a slice are rebuilt.",
        )
    with tempfile.TemporaryDirectory(prefix=".lethe-", dir=out) as work:
        opened, digest = open_images(images, masks, Path(work))
        spots = match(stack, opened, Planes(instances))
        origin = origin_of(instances[0].series_uid, digest, method)
        tally, written = _Tally(), []
        for number, instance in enumerate(_in_order(stack, instances), 1):
            written.append(_rebuild(instance, spots, origin, tally, Path(work) / f"{number:04d}.dcm"))
        if tally.telling_changed > (1 - LEAST_UNCHANGED) * tally.telling:
            raise Refused(
                "other-image",
                "Most voxels of the image differ from the series.",
                remedy="Use the de-faced image of this very scan.",
            )
        files = _place(written, out)
    frames = sum(map(len, stack.groups))
    return Rebuilt(files, UID(instances[0].sop_class).name, frames, tally.voxels, tally.changed)


def _in_order(stack: Stack, instances: Sequence[Instance]) -> list[Instance]:
    """Return the objects by their lowest slice, then by time, so that numbers follow from the content."""
    places: dict[Path, int] = {}
    for number, frame in enumerate(frame for group in stack.groups for frame in group):
        places.setdefault(frame.path, number)
    return sorted(instances, key=lambda instance: places[instance.path])


def _rebuild(
    instance: Instance, spots: dict[tuple[Path, int], Spot], origin: Origin, tally: _Tally, path: Path
) -> Path:
    source = read_pixels(instance)
    if source.dtype.kind not in "iu":
        raise Refused(
            "pixel-format",
            "The objects store no integers.",
            remedy="Series with floating point pixels stay NIfTI.",
        )
    with quiet_reading():
        dataset = pydicom.dcmread(instance.path)
        bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
        planes = np.empty_like(source, dtype=source.dtype.newbyteorder("<"))
        for frame in instance.frames:
            spot = spots[frame.path, frame.index]
            planes[frame.index] = _plane(frame, spot, source[frame.index], bits, tally)
        target = derive(dataset, origin)
        set_pixels(target, planes.tobytes())
        target.save_as(path, enforce_file_format=True)
    _check(path, instance, planes)
    return path


def _plane(frame: Frame, spot: Spot, source: NDArray[Any], bits: int, tally: _Tally) -> NDArray[Any]:
    scale, kept = scale_for(frame, spot, source)
    touched = spot.touched()
    if touched is not None and not (kept | touched).all():
        raise Refused(
            "changed-outside-mask",
            "The image differs from the series where its mask says that nothing was changed.",
            remedy="Use NIFTI_DEFACED and DEFACE_QC of one run of deface on this very scan.",
        )
    tally.add(source, kept)
    return rebuilt_plane(spot.values(), spot.board.own, source, scale, kept, bits, filled=touched is not None)


def _check(path: Path, source: Instance, planes: NDArray[Any]) -> None:
    """Read the new object again: does it hold what was meant, where the source held it?"""
    with quiet_reading():
        new = read_instance(path)
    same = new.sop_class == source.sop_class and len(new.frames) == len(source.frames)
    for mine, theirs in zip(new.frames, source.frames, strict=same):
        same = same and all(getattr(mine, name) == getattr(theirs, name) for name in _GEOMETRY)
    if not same or not np.array_equal(read_pixels(new), planes):
        raise Refused(
            "not-rebuilt",
            "A new object does not read back as it was meant.",
            remedy="The series stays NIfTI; report the case with the kind of scanner.",
        )


def _place(written: Sequence[Path], out: Path) -> list[Path]:
    files: list[Path] = []
    try:
        for path in written:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            files.append(out / path.name)
            os.replace(path, files[-1])
    except BaseException:
        for path in files:
            path.unlink(missing_ok=True)
        raise
    sync_folder(out)
    return files
