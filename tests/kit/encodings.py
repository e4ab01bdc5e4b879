"""Series whose pixels or numbers the converter cannot read as they are, with their true values."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from kit.odd import Edit, Volumes, Writer, edit_all, enhanced, plain, several
from kit.scans import set_all

Rewrite = Callable[[Path], object]


def dcmtk(program: str, *options: str) -> Rewrite:
    """Return what runs a program of DCMTK on a file in place."""
    return lambda path: subprocess.run([program, *options, str(path), str(path)], check=True)


def deflate(path: Path) -> None:
    """Compress a file as a whole."""
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=True)


def rewritten(rewrite: Rewrite, write: Writer | None = None) -> Writer:
    """Return a writer whose files are encoded anew without loss."""

    def written(folder: Path) -> Volumes:
        values = write(folder) if write else plain(folder, "CT")
        for path in sorted(folder.rglob("*.dcm")):
            rewrite(path)
        return values

    return written


def to_eight_bits(dataset: Dataset, n: int = 0) -> None:
    """Keep the upper bits only."""
    dataset.PixelData = (dataset.pixel_array // 16).astype(np.uint8).tobytes()
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7


def lossy(encode: Rewrite, decode: Rewrite, edit: Edit | None = None) -> Writer:
    """Return a writer of a CT compressed with loss; true is what a third decoder reads."""

    def write(folder: Path) -> Volumes:
        plain(folder, "CT", edit)
        planes = []
        for path in sorted(folder.iterdir()):
            encode(path)
            packed = path.read_bytes()
            decode(path)
            dataset = pydicom.dcmread(path)
            values = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
            planes.append(values[::-1, ::-1].T)
            path.write_bytes(packed)
        return [np.stack(planes, -1)]

    return write


def _wide_every_second(dataset: Dataset, n: int) -> None:
    if n % 2:
        dataset.PixelData = dataset.pixel_array.astype("<u4").tobytes()
        dataset.BitsAllocated = 32


def _two_times_without_numbers(folder: Path) -> Volumes:
    volumes = several(folder, lambda d, t: setattr(d, "TemporalPositionIdentifier", t + 1))
    edit_all(sorted(folder.iterdir()), lambda d, n: d.pop("InstanceNumber"))
    return volumes


def _parts(dataset: Dataset, n: int) -> None:
    dataset.InstanceNumber = n % 7 + 1


def _shifted(folder: Path) -> Volumes:
    """Write two phases of a CT, the second a little off as the table returned."""
    volumes = several(folder, lambda d, t: setattr(d, "AcquisitionNumber", t + 1), "CT")

    def edit(dataset: Dataset, n: int) -> None:
        x, y, z = (float(v) for v in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y, round(z + 0.03 * (int(dataset.AcquisitionNumber) - 1), 2)]

    edit_all(sorted(folder.iterdir()), edit)
    return volumes


def _with_trace(folder: Path) -> Volumes:
    """Write three diffusion weightings, and the trace that the scanner made of them."""

    def mark(dataset: Dataset, t: int) -> None:
        dataset.AcquisitionNumber, dataset.ScanningSequence = t + 1, "EP"
        dataset.DiffusionBValue = 1000.0 if t else 0.0
        if t in (1, 2):
            dataset.DiffusionGradientOrientation = [float(t == 1), float(t == 2), 0.0]
        kind = "TRACEW" if t == 3 else "NONE"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", kind]

    return several(folder, mark, times=4)


def _labelled(dataset: Dataset, t: int) -> None:
    dataset.TemporalPositionIdentifier = t // 2 + 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "ASL", ("CONTROL", "LABEL")[t % 2]]


def _labels(folder: Path) -> Volumes:
    """Write two kinds at each of two times; each kind becomes an image."""
    one, two, three, four = several(folder, _labelled, times=4)
    return [one, three, two, four]


COPIED: dict[str, Writer] = {
    "deflated": rewritten(deflate),
    "deflated, one object": rewritten(deflate, lambda f: enhanced(f, lambda d: None, times=2)),
    "16 and 32 bits": lambda f: plain(f, "CT", _wide_every_second),
    "no numbers": set_all(InstanceNumber=None),
    "no numbers, lossless JPEG": rewritten(dcmtk("dcmcjpeg", "+e1"), set_all(InstanceNumber=None)),
    "no numbers, two times": _two_times_without_numbers,
    "one number for all": set_all(InstanceNumber=0),
    "numbers in pairs": set_all(InstanceNumber=lambda n: n // 2 + 1),
    "numbers of each part": lambda f: plain(f, "CT", _parts),
    "two phases a little apart": _shifted,
    "diffusion with its trace": _with_trace,
    "two kinds at two times": _labels,
    "some numbers": set_all(InstanceNumber=lambda n: n + 1 if n % 3 else None),
}
"""Each writes a series and returns the volumes; the converter needs copies to read it."""
LOSSY: dict[str, Writer] = {
    "lossy JPEG": lossy(dcmtk("dcmcjpeg", "+eb"), dcmtk("dcmdjpeg"), to_eight_bits),
    "lossy JPEG, extended": lossy(dcmtk("dcmcjpeg", "+ee"), dcmtk("dcmdjpeg"), to_eight_bits),
    "nearly lossless JPEG-LS": lossy(dcmtk("dcmcjpls", "+en"), dcmtk("dcmdjpls")),
}
