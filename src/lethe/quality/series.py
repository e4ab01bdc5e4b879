"""One series checked: header, geometry, grey values, and a picture to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lethe.errors import Refused
from lethe.image.convert import series_files
from lethe.image.frames import Frame, Instance
from lethe.image.pixels import read_pixels
from lethe.image.quiet import quiet_reading
from lethe.image.series import read_series
from lethe.image.stack import Stack, analyse
from lethe.quality.completeness import Completeness, completeness
from lethe.quality.figures import Figures, body_threshold, measure_slice, summarise
from lethe.quality.geometry import Geometry, geometry, stack_notes
from lethe.quality.motion import cell_size, outline, shift_between
from lethe.quality.notes import Grade, Note, worst
from lethe.quality.sheet import CT_WINDOW, chosen_slices, thumbnail_sheet, upright

_LARGEST_KEPT = 512 << 20
_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What the checks found.

    Attributes
    ----------
    grade : Grade
        ``usable``, ``questionable`` or ``unusable``.
    modality : str
        Of the series.
    header : Completeness
    geometry : Geometry
    figures : Figures or None
        None where the planes cannot be ordered.
    notes : list of Note
        All observations; the worst gives the grade.
    sheet : bytes or None
        PNG with a dozen slices. It shows what the series shows, a face included.
    """

    grade: Grade
    modality: str
    header: Completeness
    geometry: Geometry
    figures: Figures | None
    notes: list[Note] = field(default_factory=list)
    sheet: bytes | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``quality.json``."""
        return {
            "grade": str(self.grade),
            "modality": self.modality,
            "header": self.header.as_dict(),
            "geometry": self.geometry.as_dict(),
            "figures": None if self.figures is None else self.figures.as_dict(),
            "notes": [note.as_dict() for note in self.notes],
        }


def check_series(dicom: Path) -> QualityReport:
    """Check the series in a folder.

    Parameters
    ----------
    dicom : Path
        Folder with the objects of one series; catalogue files in it are ignored.

    Returns
    -------
    QualityReport
        Of numbers, codes and names of attributes, never of their values.

    Raises
    ------
    Refused
        When objects cannot be read, are of several series, or hold no grey pixels.
    """
    instances = read_series(series_files(dicom))
    stack = analyse(instances)
    header = completeness(_headers(instances))
    shape = geometry(stack, instances)
    modality = instances[0].modality if instances[0].modality in ("CT", "MR") else "OTHER"
    notes = [*stack_notes(stack), *header.notes(), *shape.notes()]
    if not stack.groups:
        return QualityReport(worst(notes), modality, header, shape, None, notes)
    slices = _Slices(stack, instances)
    figures = _figures(slices, modality)
    notes += figures.notes()
    turned = [upright(slices[k], slices.orientation, slices.pixel_mm) for k in chosen_slices(len(slices))]
    window = CT_WINDOW if modality == "CT" else None
    sheet = thumbnail_sheet([plane for plane, _ in turned], turned[0][1], window)
    return QualityReport(worst(notes), modality, header, shape, figures, notes, sheet)


def _headers(instances: Sequence[Instance]) -> Iterator[Dataset]:
    with quiet_reading():
        for instance in instances:
            yield pydicom.dcmread(instance.path, stop_before_pixels=True)


class _Slices:
    """The first image at every slice position, in physical values; one file is held at a time."""

    def __init__(self, stack: Stack, instances: Sequence[Instance]) -> None:
        self._frames = [group[0] for group in stack.groups]
        self._instances = {instance.path: instance for instance in instances}
        self._last: tuple[Path, NDArray[Any]] | None = None
        spacing = self._frames[0].spacing or (1.0, 1.0)
        self.pixel_mm = (float(spacing[0]), float(spacing[1]))
        self.orientation = self._frames[0].orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        largest = max(f.rows * f.columns * i.declared_frames * 2 for i in instances for f in i.frames[:1])
        if largest > _LARGEST_KEPT:
            raise Refused(
                "object-too-large",
                "An object holds more pixels than can be kept in memory.",
                remedy="Split the multi-frame object by time points first.",
            )

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, k: int) -> NDArray[np.float32]:
        frame = self._frames[k]
        values = self._read(frame)[frame.index].astype(np.float32)
        return np.asarray(values * np.float32(frame.slope) + np.float32(frame.intercept))

    def _read(self, frame: Frame) -> NDArray[Any]:
        if self._last is None or self._last[0] != frame.path:
            self._last = (frame.path, read_pixels(self._instances[frame.path]))
        return self._last[1]


def _figures(slices: _Slices, modality: str) -> Figures:
    count = len(slices)
    samples = sorted({int((n + 0.5) * count / _SAMPLES) for n in range(_SAMPLES)})
    threshold = body_threshold((slices[k] for k in samples), modality)
    measured, shifts, before = [], [], None
    for k in range(count):
        plane = slices[k]
        measured.append(measure_slice(plane, threshold, slices.pixel_mm))
        edges = outline(plane, threshold, slices.pixel_mm)
        if before is not None:
            shifts.append(shift_between(before, edges, cell_size(slices.pixel_mm)))
        before = edges
    return summarise(measured, shifts, modality)
