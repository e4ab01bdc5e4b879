"""Series as few scanners write them: odd scalings, bits, orders and files, with their true values."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from kit.enhanced import write_enhanced
from kit.kinds import write_volumes
from kit.people import Person, people
from kit.phantom import Volume, head
from kit.series import Modality, SeriesPlan, tilted, write_series

Edit = Callable[[Dataset, int], object]
Volumes = list[NDArray[Any]]
Writer = Callable[[Path], Volumes]
PHILIPS = "Philips MR Imaging DD 001"
GRADIENTS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.6, 0.8)]


@cache
def person() -> Person:
    """Return whose identifiers are planted."""
    return people(1, seed=12)[0]


@cache
def volume(modality: Modality) -> Volume:
    """Return a coarse head."""
    return head("ct" if modality == "CT" else "mr", spacing=(9.0, 9.0, 18.0), seed=4)


def edit_all(files: Sequence[Path], edit: Edit) -> None:
    """Change every object in place; the edit is called with its number in order of the names."""
    for n, path in enumerate(files):
        dataset = pydicom.dcmread(path)
        edit(dataset, n)
        dataset.save_as(path)


def private(dataset: Dataset, group: int, creator: str, element: int, vr: str, value: Any) -> None:
    """Add a private element."""
    dataset.private_block(group, creator, create=True).add_new(element, vr, value)


def plain(
    folder: Path, modality: Modality, edit: Edit | None = None, factor: Any = 1, add: Any = 0
) -> Volumes:
    """Write a series, edited; its values are those of the head, multiplied and added to slice by slice."""
    head_volume = volume(modality)
    files = write_series(head_volume, None, folder, modality=modality, person=person())
    if edit is not None:
        edit_all(files, edit)
    slices = range(head_volume.data.shape[2])
    slopes, intercepts = (
        np.array([f(n) if callable(f) else f for n in slices], float) for f in (factor, add)
    )
    return [head_volume.data * slopes + intercepts]


def several(
    folder: Path, mark: Edit, modality: Modality = "MR", times: int = 2, slice_by_slice: bool = False
) -> Volumes:
    """Write time points that fade, each marked; `slice_by_slice` numbers all times of a slice first."""
    head_volume = volume(modality)
    volumes = [np.rint(head_volume.data * (1 - 0.1 * t)).astype(np.int16) for t in range(times)]
    slices = head_volume.data.shape[2]
    plan = SeriesPlan(person(), modality, 9, 0)
    files = write_volumes(volumes, head_volume.affine, folder, plan, mark)
    if slice_by_slice:
        edit_all(files, lambda d, n: setattr(d, "InstanceNumber", times * (n % slices) + n // slices + 1))
    return volumes


def enhanced(
    folder: Path, edit: Callable[[Dataset], object], modality: Modality = "MR", times: int = 1
) -> Volumes:
    """Write one enhanced object, edited."""
    path = write_enhanced(volume(modality), folder, modality=modality, person=person(), times=times)[0]
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path)
    data = volume(modality).data
    return [data + 20 * t * (data > 0) for t in range(times)]


def slope(n: int) -> float:
    """Return a slope of its own for each slice."""
    return round(1 + n * 0.37, 4)


def scaled(
    slopes: Callable[[int], float],
    intercepts: Callable[[int], float] = lambda n: 0.0,
    private_slope: Callable[[int], float] | None = None,
    maker: str = "Philips Medical Systems",
) -> Writer:
    """Return a writer of MR with scalings slice by slice, Philips' private one beside them if given."""

    def edit(dataset: Dataset, n: int) -> None:
        dataset.Manufacturer = maker
        dataset.RescaleSlope, dataset.RescaleIntercept = str(slopes(n)), str(intercepts(n))
        if private_slope is not None:
            private(dataset, 0x2005, PHILIPS, 0x0E, "FL", private_slope(n))
            private(dataset, 0x2005, PHILIPS, 0x0D, "FL", 0.0)

    return lambda folder: plain(folder, "MR", edit, slopes, intercepts)


def _scaled_volumes(folder: Path) -> Volumes:
    def mark(dataset: Dataset, t: int) -> None:
        dataset.Manufacturer = "Philips Medical Systems"
        dataset.TemporalPositionIdentifier, dataset.NumberOfTemporalPositions = t + 1, 2
        dataset.RescaleSlope, dataset.RescaleIntercept = str(1.5 + t), "0"
        private(dataset, 0x2005, PHILIPS, 0x0E, "FL", 0.0123 * (t + 1))

    return [values * (1.5 + t) for t, values in enumerate(several(folder, mark))]


def _scaled_frames(folder: Path) -> Volumes:
    def edit(dataset: Dataset) -> None:
        del dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
        for n, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            item = Dataset()
            item.RescaleSlope, item.RescaleIntercept, item.RescaleType = str(slope(n)), str(-2 * n), "US"
            group.PixelValueTransformationSequence = [item]

    data = enhanced(folder, edit)[0]
    slices = np.arange(data.shape[2])
    return [data * np.array([slope(n) for n in slices]) - 2 * slices]


def _two_intercepts(folder: Path) -> Volumes:
    def edit(dataset: Dataset, n: int) -> None:
        if n % 2:
            lower = np.clip(dataset.pixel_array.astype(int) - 24, 0, None)
            dataset.PixelData, dataset.RescaleIntercept = lower.astype("<u2").tobytes(), "-1000"

    values = plain(folder, "CT", edit)[0]
    values[:, :, 1::2] = np.maximum(values[:, :, 1::2], -1000)
    return [values]


def as_signed(dataset: Dataset, n: int = 0) -> None:
    """Store Hounsfield units as they are."""
    dataset.PixelData = (dataset.pixel_array.astype(np.int32) - 1024).astype("<i2").tobytes()
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 15, 1
    dataset.RescaleIntercept = "0"


def _padded(value: int, limit: int | None = None) -> Writer:
    def edit(dataset: Dataset, n: int) -> None:
        as_signed(dataset)
        stored = dataset.pixel_array.copy()
        stored[:3] = value
        dataset.PixelData = stored.tobytes()
        dataset.add_new(0x00280120, "SS", value)
        if limit is not None:
            dataset.add_new(0x00280121, "SS", limit)

    def write(folder: Path) -> Volumes:
        values = plain(folder, "CT", edit)[0]
        values[:, -3:] = value
        return [values]

    return write


def _unextended_sign(folder: Path) -> Volumes:
    def edit(dataset: Dataset, n: int) -> None:
        stored = np.clip(dataset.pixel_array.astype(int) - 1024, -2048, 2047) & 0xFFF
        dataset.PixelData, dataset.RescaleIntercept = stored.astype("<u2").tobytes(), "0"
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 1

    return [np.clip(plain(folder, "CT", edit)[0], -2048, 2047)]


def _overlay(dataset: Dataset, n: int) -> None:
    size = -(-dataset.Rows * dataset.Columns // 16) * 2
    for element, vr, value in (
        (0x0010, "US", dataset.Rows),
        (0x0011, "US", dataset.Columns),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", b"\x0f" * size),
    ):
        dataset.add_new(0x60000000 | element, vr, value)


def _recoded(syntax: str) -> Writer:
    """Return a writer of signed CT compressed by a coder that pydicom does not bring."""

    def write(folder: Path) -> Volumes:
        import gdcm

        values = plain(folder, "CT", as_signed)
        for path in sorted(folder.iterdir()):
            reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
            reader.SetFileName(str(path))
            assert reader.Read()
            change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
            change.SetInput(reader.GetImage())
            assert change.Change()
            writer.SetFile(reader.GetFile())
            writer.SetFileName(str(path))
            writer.SetImage(change.GetOutput())
            assert writer.Write()
        return values

    return write


def _several_encodings(folder: Path) -> Volumes:
    values = plain(folder, "CT")
    for n, path in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(path)
        if n % 3 == 1:
            dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.file_meta.TransferSyntaxUID = (ExplicitVRLittleEndian, RLELossless, ImplicitVRLittleEndian)[
            n % 3
        ]
        pydicom.dcmwrite(path, dataset, implicit_vr=n % 3 == 2, little_endian=True)
    return values


def _tilted(edit: Edit) -> Writer:
    def write(folder: Path) -> Volumes:
        ct = volume("CT")
        edit_all(write_series(ct.data, tilted(ct.affine, -17), folder, person=person()), edit)
        return [ct.data]

    return write


def _two_slices(folder: Path) -> Volumes:
    ct = volume("CT")
    write_series(ct.data[:, :, :2], ct.affine, folder, person=person())
    return [ct.data[:, :, :2]]


def _coarse(dataset: Dataset, n: int) -> None:
    dataset.ImagePositionPatient = [f"{float(v):.1f}" for v in dataset.ImagePositionPatient]


def trigger(dataset: Dataset, t: int) -> None:
    """Mark a heart phase."""
    dataset.TriggerTime = str(100 * t)


def position_in_time(dataset: Dataset, t: int) -> None:
    """Mark a time point."""
    dataset.TemporalPositionIdentifier, dataset.NumberOfTemporalPositions = t + 1, 3
    dataset.AcquisitionNumber = t + 1


def _restarted(folder: Path) -> Volumes:
    volumes = several(folder, position_in_time)
    slices = volumes[0].shape[2]
    edit_all(sorted(folder.iterdir()), lambda d, n: setattr(d, "InstanceNumber", n % slices + 1))
    return volumes


def _parts(folder: Path) -> Volumes:
    """Write one volume as a concatenation of two objects."""
    mr = volume("MR")
    half = mr.data.shape[2] // 2
    for part in range(2):
        affine = mr.affine.copy()
        affine[:3, 3] += affine[:3, 2] * part * half
        slab = Volume(mr.data[:, :, part * half : (part + 1) * half], affine)
        path = write_enhanced(slab, folder / str(part), modality="MR", person=person())[0]
        dataset = pydicom.dcmread(path)
        _another(dataset, part)
        dataset.ConcatenationUID, dataset.ConcatenationFrameOffsetNumber = "1.2.3.4.5", part * half
        dataset.InConcatenationNumber, dataset.InConcatenationTotalNumber = part + 1, 2
        for n, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            group.FrameContentSequence[0].InStackPositionNumber = part * half + n + 1
        dataset.save_as(path)
    return [mr.data[:, :, : 2 * half]]


def _another(dataset: Dataset, number: int) -> None:
    dataset.InstanceNumber = number + 1
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"


def _object_each_time(folder: Path) -> Volumes:
    mr, volumes = volume("MR"), []
    for t in range(3):
        volumes.append(np.rint(mr.data * (1 + 0.1 * t)).astype(np.int16))
        fading = Volume(volumes[-1], mr.affine)
        path = write_enhanced(fading, folder / str(t), modality="MR", person=person())[0]
        dataset = pydicom.dcmread(path)
        _another(dataset, t)
        dataset.Manufacturer = "Siemens Healthineers"
        for group in dataset.PerFrameFunctionalGroupsSequence:
            content = group.FrameContentSequence[0]
            content.FrameAcquisitionNumber = content.TemporalPositionIndex = t + 1
        dataset.save_as(path)
    return volumes


def _made_by(maker: str) -> Writer:
    return lambda folder: enhanced(folder, lambda d: setattr(d, "Manufacturer", maker), times=3)


def _renamed(name: Callable[[int], bytes]) -> Writer:
    def write(folder: Path) -> Volumes:
        values = plain(folder, "CT")
        for n, path in enumerate(sorted(folder.iterdir())):
            target = os.fsencode(folder) + b"/" + name(n)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(path, target)
        return values

    return write


def with_file(name: str, content: bytes) -> Writer:
    """Return a writer of a series with one file more."""

    def write(folder: Path) -> Volumes:
        values = plain(folder, "CT")
        (folder / name).write_bytes(content)
        return values

    return write


def diffusion(mark: Callable[[Dataset, float, tuple[float, ...]], None]) -> Writer:
    """Return a writer of volumes weighted along `GRADIENTS`, in a vendor's words."""

    def each(dataset: Dataset, t: int) -> None:
        dataset.AcquisitionNumber, dataset.ScanningSequence = t + 1, "EP"
        mark(dataset, 1000.0 if t else 0.0, GRADIENTS[t])

    return lambda folder: several(folder, each, times=len(GRADIENTS))


ARRIVE: dict[str, Writer] = {
    "Philips, one slope": scaled(lambda n: 2.5, private_slope=lambda n: 0.0123),
    "Philips, both slopes for every slice": scaled(slope, private_slope=lambda n: 0.5 / slope(n)),
    "Philips, a slope for every slice": scaled(slope, private_slope=lambda n: 0.0123),
    "Philips, slope and intercept for every slice": scaled(slope, lambda n: -3.0 * n, lambda n: 0.0123),
    "Philips, a private slope for every slice": scaled(lambda n: 2.5, private_slope=lambda n: 0.01 * (n + 1)),
    "Philips, nothing private": scaled(slope),
    "Philips, a scaling for every time": _scaled_volumes,
    "private slope with another maker": scaled(slope, private_slope=lambda n: 0.0123, maker="SIEMENS"),
    "negative slope": scaled(lambda n: -1.5, lambda n: 4000, maker="GE MEDICAL SYSTEMS"),
    "tiny slope": scaled(lambda n: 1.2345678901e-07, lambda n: -1e-4, maker="GE MEDICAL SYSTEMS"),
    "a slope for every frame": _scaled_frames,
    "two intercepts": _two_intercepts,
    "padding": _padded(-2000),
    "a range of padding": _padded(-3024, -2000),
    "signs not carried on": _unextended_sign,
    "signs in every second slice": lambda f: plain(f, "CT", lambda d, n: as_signed(d) if n % 2 else None),
    "an overlay": lambda f: plain(f, "CT", _overlay),
    "JPEG 2000": _recoded("JPEG2000Lossless"),
    "JPEG-LS": _recoded("JPEGLSLossless"),
    "several encodings": _several_encodings,
    "a tilt said the other way": _tilted(lambda d, n: setattr(d, "GantryDetectorTilt", "17")),
    "a tilt that is not said": _tilted(lambda d, n: d.pop("GantryDetectorTilt")),
    "a tilt that is only said": lambda f: plain(f, "CT", lambda d, n: setattr(d, "GantryDetectorTilt", "12")),
    "coarse positions": lambda f: plain(f, "CT", _coarse),
    "no thickness": lambda f: plain(f, "CT", lambda d, n: (d.pop("SliceThickness"), d.pop("SliceLocation"))),
    "two slices": _two_slices,
    "phases, slice by slice": lambda f: several(f, trigger, slice_by_slice=True),
    "times, slice by slice": lambda f: several(f, position_in_time, times=3, slice_by_slice=True),
    "numbers begun again": _restarted,
    "flip angles": lambda f: several(f, lambda d, t: setattr(d, "FlipAngle", str(5 + 10 * t))),
    "inversion times": lambda f: several(f, lambda d, t: setattr(d, "InversionTime", str(500 + 400 * t))),
    "CT taken twice": lambda f: several(f, lambda d, t: setattr(d, "AcquisitionNumber", t + 1), "CT"),
    "times in one object, Siemens": _made_by("SIEMENS"),
    "times in one object, GE": _made_by("GE MEDICAL SYSTEMS"),
    "times in one object, Canon": _made_by("CANON_MEC"),
    "an object for every time": _object_each_time,
    "a concatenation": _parts,
    "names with line ends": _renamed(lambda n: f"ä ö\n{n * 5 % 14} \"x\" $(rm) ;.dcm".encode()),
    "names that are no text": _renamed(lambda n: b"\xff\xfe" + str(n).encode()),
    "names like options": _renamed(lambda n: f"-{n:03d}".encode()),
    "folders in folders": _renamed(lambda n: f"a/b/{n}".encode() if n % 2 else f"{n}".encode()),
    "table of contents": with_file("DICOMDIR", b"\0" * 128 + b"DICM"),
    "a hidden file": with_file("._0001.dcm", b"junk"),
}  # fmt: skip
"""Each writes a series and returns the volumes, in order of time, that conversion must give."""
