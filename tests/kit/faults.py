"""Seeded faults: a whole DICOM series goes in, one damaged as transfers and archives do comes out."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import generate_uid

Fault = Callable[[list[Path], random.Random], None]


def damage(files: list[Path], kind: str, seed: int) -> None:
    """Damage a series in place.

    Parameters
    ----------
    files : list of Path
        The files of the series in order of the slices; one object each.
    kind : str
        A key of `FAULTS`.
    seed : int
        Chooses the slices.
    """
    FAULTS[kind](files, random.Random(seed))


def _missing(files: list[Path], rng: random.Random) -> None:
    rng.choice(files[1:-1]).unlink()


def _missing_several(files: list[Path], rng: random.Random) -> None:
    for path in rng.sample(files[1:-1], min(5, len(files) // 3)):
        path.unlink()


def _missing_first(files: list[Path], rng: random.Random) -> None:
    files[0].unlink()


def _missing_last(files: list[Path], rng: random.Random) -> None:
    """Take the last slice; the count that the scanner announced stays in the others."""
    for path in files[:-1]:
        _edit(path, lambda dataset: setattr(dataset, "ImagesInAcquisition", len(files)))
    files[-1].unlink()


def _every_second(files: list[Path], rng: random.Random) -> None:
    for path in files[1::2]:
        path.unlink()


def _doubled_file(files: list[Path], rng: random.Random) -> None:
    source = rng.choice(files)
    shutil.copy(source, source.with_name("copy.dcm"))


def _doubled_slice(files: list[Path], rng: random.Random) -> None:
    """Send one slice a second time as an object of its own."""
    source = rng.choice(files)
    copy = source.with_name("copy.dcm")
    shutil.copy(source, copy)
    _edit(copy, lambda dataset: _renew(dataset, len(files) + 1))


def _doubled_series(files: list[Path], rng: random.Random) -> None:
    for n, source in enumerate(files):
        copy = source.with_name(f"copy{n:04d}.dcm")
        shutil.copy(source, copy)
        _edit(copy, lambda dataset, n=n: _renew(dataset, len(files) + n + 1))


def _reordered(files: list[Path], rng: random.Random) -> None:
    """Exchange the positions of two slices: numbers and places contradict each other."""
    a, b = _two(files, rng)
    places = [pydicom.dcmread(path).ImagePositionPatient for path in (a, b)]
    _edit(a, lambda dataset: setattr(dataset, "ImagePositionPatient", places[1]))
    _edit(b, lambda dataset: setattr(dataset, "ImagePositionPatient", places[0]))


def _renumbered(files: list[Path], rng: random.Random) -> None:
    a, b = _two(files, rng)
    numbers = [pydicom.dcmread(path).InstanceNumber for path in (a, b)]
    _edit(a, lambda dataset: setattr(dataset, "InstanceNumber", numbers[1]))
    _edit(b, lambda dataset: setattr(dataset, "InstanceNumber", numbers[0]))


def _gap(files: list[Path], rng: random.Random) -> None:
    """Shift the upper part of the stack, as when two scans were joined."""
    cut = rng.randrange(len(files) // 4, 3 * len(files) // 4)
    way = _normal_step(files) * rng.uniform(0.3, 2.7)
    for path in files[cut:]:
        _edit(path, lambda dataset: _shift(dataset, way))


def _gap_renumbered(files: list[Path], rng: random.Random) -> None:
    """Take a slice from the middle and close the numbering over it."""
    gone = rng.randrange(2, len(files) - 2)
    files[gone].unlink()
    for path in files[gone + 1 :]:
        _edit(path, lambda dataset: setattr(dataset, "InstanceNumber", int(dataset.InstanceNumber) - 1))


def _tilted_part(files: list[Path], rng: random.Random) -> None:
    """Tilt the gantry in the middle of the series."""
    cut = rng.randrange(len(files) // 4, 3 * len(files) // 4)
    for n, path in enumerate(files[cut:], start=1):
        _edit(path, lambda dataset, n=n: _shift(dataset, np.array([0.0, 0.35 * n, 0.0])))


def _turned_slice(files: list[Path], rng: random.Random) -> None:
    """Give one slice another orientation."""

    def turn(dataset: pydicom.Dataset) -> None:
        row, column = np.array(dataset.ImageOrientationPatient).reshape(2, 3)
        angle = np.radians(rng.uniform(2, 20))
        turned = np.cos(angle) * row + np.sin(angle) * column, np.cos(angle) * column - np.sin(angle) * row
        dataset.ImageOrientationPatient = [f"{v:.8f}" for v in np.concatenate(turned)]

    _edit(rng.choice(files), turn)


def _flipped_slice(files: list[Path], rng: random.Random) -> None:
    """Say of one slice that its rows run the other way."""

    def flip(dataset: pydicom.Dataset) -> None:
        direction = [float(v) for v in dataset.ImageOrientationPatient]
        dataset.ImageOrientationPatient = [f"{-v:g}" for v in direction[:3]] + [
            f"{v:g}" for v in direction[3:]
        ]

    _edit(rng.choice(files), flip)


def _mixed_size(files: list[Path], rng: random.Random) -> None:
    def crop(dataset: pydicom.Dataset) -> None:
        values = dataset.pixel_array[: dataset.Rows - 8]
        dataset.Rows, dataset.PixelData = values.shape[0], values.tobytes()

    _edit(rng.choice(files), crop)


def _mixed_spacing(files: list[Path], rng: random.Random) -> None:
    _edit(rng.choice(files), lambda dataset: setattr(dataset, "PixelSpacing", ["0.4", "0.4"]))


def _corrupt_header(files: list[Path], rng: random.Random) -> None:
    path = rng.choice(files)
    path.write_bytes(path.read_bytes()[: rng.randrange(20, 130)])


def _cut_short(files: list[Path], rng: random.Random) -> None:
    path = rng.choice(files)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * rng.uniform(0.5, 0.95))])


def _emptied(files: list[Path], rng: random.Random) -> None:
    rng.choice(files).write_bytes(b"")


def _no_position(files: list[Path], rng: random.Random) -> None:
    _edit(rng.choice(files), lambda dataset: dataset.pop("ImagePositionPatient"))


def _foreign_slice(files: list[Path], rng: random.Random) -> None:
    """Put an object of another series into the folder."""
    _edit(rng.choice(files), lambda dataset: setattr(dataset, "SeriesInstanceUID", generate_uid()))


def _jumping_table(files: list[Path], rng: random.Random) -> None:
    _edit(rng.choice(files[1:-1]), lambda dataset: _shift(dataset, np.array([0.0, rng.uniform(2, 9), 0.0])))


FAULTS: dict[str, Fault] = {
    "missing": _missing,
    "missing-several": _missing_several,
    "missing-first": _missing_first,
    "missing-last": _missing_last,
    "every-second": _every_second,
    "doubled-file": _doubled_file,
    "doubled-slice": _doubled_slice,
    "doubled-series": _doubled_series,
    "reordered": _reordered,
    "renumbered": _renumbered,
    "gap": _gap,
    "gap-renumbered": _gap_renumbered,
    "tilted-part": _tilted_part,
    "turned-slice": _turned_slice,
    "flipped-slice": _flipped_slice,
    "mixed-size": _mixed_size,
    "mixed-spacing": _mixed_spacing,
    "corrupt-header": _corrupt_header,
    "cut-short": _cut_short,
    "emptied": _emptied,
    "no-position": _no_position,
    "foreign-slice": _foreign_slice,
    "jumping-table": _jumping_table,
}


def _edit(path: Path, change: Callable[[pydicom.Dataset], object]) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def _renew(dataset: pydicom.Dataset, number: int) -> None:
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(dataset.SOPInstanceUID), str(number)])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.InstanceNumber = number


def _shift(dataset: pydicom.Dataset, way: np.ndarray) -> None:
    place = np.array([float(v) for v in dataset.ImagePositionPatient]) + way
    dataset.ImagePositionPatient = [f"{v:.6f}" for v in place]


def _normal_step(files: list[Path]) -> np.ndarray:
    first, second = (pydicom.dcmread(path, stop_before_pixels=True) for path in files[:2])
    return np.array(second.ImagePositionPatient, float) - np.array(first.ImagePositionPatient, float)


def _two(files: list[Path], rng: random.Random) -> tuple[Path, Path]:
    a, b = rng.sample(files, 2)
    return a, b
