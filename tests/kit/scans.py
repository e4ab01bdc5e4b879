"""Series as particular scanners and reconstructions write them, with their true values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from kit.enhanced import write_enhanced
from kit.kinds import write_volumes
from kit.odd import Edit, Volumes, Writer, edit_all, enhanced, person, plain, private, several, slope, volume
from kit.phantom import Volume
from kit.series import SeriesPlan, tilted, write_series


def set_all(modality: Any = "CT", **values: Any) -> Writer:
    """Return a writer of a plain series whose attributes are set; callables get the number of the slice."""

    def edit(dataset: Dataset, n: int) -> None:
        for keyword, value in values.items():
            found = value(n) if callable(value) else value
            if found is None:
                dataset.pop(keyword, None)
            else:
                setattr(dataset, keyword, found)

    return lambda folder: plain(folder, modality, edit)


def twice(mark: Edit) -> Writer:
    """Return a writer of a CT with two images at every position."""
    return lambda folder: several(folder, mark, "CT")


def _acquisition(dataset: Dataset, t: int) -> None:
    dataset.AcquisitionNumber, dataset.Manufacturer = t + 1, "GE MEDICAL SYSTEMS"


def numbered_anew(folder: Path) -> Volumes:
    """Write two phases of a CT angiography, the image numbers of both beginning with 1."""
    volumes = several(folder, _acquisition, "CT")
    slices = volumes[0].shape[2]
    edit_all(sorted(folder.iterdir()), lambda d, n: setattr(d, "InstanceNumber", n % slices + 1))
    return volumes


def with_air(mark: Edit) -> Writer:
    """Return a writer of three MR images at every position, equal at both ends, where there is air."""

    def write(folder: Path) -> Volumes:
        mr = volume("MR")
        volumes = [np.rint(mr.data * factor).astype(np.int16) for factor in (1, 0.6, 0.3)]
        for data in volumes:
            data[:, :, :3] = data[:, :, -2:] = 0
        write_volumes(volumes, mr.affine, folder, SeriesPlan(person(), "MR", 9, 0), mark)
        return volumes

    return write


def _component(dataset: Dataset, t: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "MPR"[t]]


def _water_and_fat(dataset: Dataset, t: int) -> None:
    word = ("F", "IP", "W")[t]
    dataset.ImageType, dataset.Manufacturer = ["ORIGINAL", "PRIMARY", word, word], "Philips"


FrameEdit = Callable[[Dataset, int], object]


def _time(group: Dataset, t: int) -> None:
    group.FrameContentSequence[0].TemporalPositionIndex = t + 1


def _weighted(group: Dataset, t: int) -> None:
    item, way = Dataset(), Dataset()
    item.DiffusionBValue, item.DiffusionDirectionality = 1000.0 if t else 0.0, "DIRECTIONAL" if t else "NONE"
    if t:
        way.DiffusionGradientOrientation = [float(t == 1), float(t == 2), 0.0]
        item.DiffusionGradientDirectionSequence = [way]
    group.MRDiffusionSequence = [item]


def _phase(group: Dataset, t: int) -> None:
    item = Dataset()
    item.NominalCardiacTriggerDelayTime = 100.0 * t
    group.CardiacSynchronizationSequence = [item]


def _part(group: Dataset, t: int) -> None:
    kind = group.MRImageFrameTypeSequence[0]
    kind.ComplexImageComponent = ("MAGNITUDE", "PHASE", "REAL")[t]
    kind.FrameType = ["ORIGINAL", "PRIMARY", ("M_FFE", "PHASE MAP", "R_FFE")[t], "NONE"]


def _echo(group: Dataset, t: int) -> None:
    item = Dataset()
    item.EffectiveEchoTime = 10.0 * (t + 1)
    group.MREchoSequence = [item]


def interleaved(mark: FrameEdit, by_slice: bool = False) -> Writer:
    """Return a writer of an enhanced MR, all times of a slice first; each time or slice has its scaling."""

    def write(folder: Path) -> Volumes:
        data, times = volume("MR").data, 3
        count = data.shape[2]
        path = write_enhanced(volume("MR"), folder, modality="MR", person=person(), times=times)[0]
        dataset = pydicom.dcmread(path)
        dataset.Manufacturer = "Philips Medical Systems"
        shared = dataset.SharedFunctionalGroupsSequence[0]
        del shared.PixelValueTransformationSequence, shared.MREchoSequence
        volumes = [(data + 20 * t * (data > 0)).astype(float) for t in range(times)]
        for n, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            t, k = divmod(n, count)
            group.FrameContentSequence[0].TemporalPositionIndex = 1
            _echo(group, 0)
            item, own = Dataset(), slope(k if by_slice else t)
            item.RescaleSlope, item.RescaleIntercept, item.RescaleType = str(own), str(-2 * t), "US"
            group.PixelValueTransformationSequence = [item]
            volumes[t][:, :, k] = volumes[t][:, :, k] * own - 2 * t
            mark(group, t)
        walk = [t * count + k for k in range(count) for t in range(times)]
        dataset.PixelData = dataset.pixel_array[walk].tobytes()
        groups = dataset.PerFrameFunctionalGroupsSequence
        dataset.PerFrameFunctionalGroupsSequence = [groups[n] for n in walk]
        dataset.save_as(path)
        return volumes

    return write


def _xa(dataset: Dataset) -> None:
    """Add what syngo MR XA puts beside the standard's groups."""
    dataset.Manufacturer, dataset.SoftwareVersions = "Siemens Healthineers", "syngo MR XA30"
    for n, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        item = Dataset()
        private(item, 0x0021, "SIEMENS MR SDI 02", 0x58, "UL", n)
        private(group, 0x0021, "SIEMENS MR SDS 01", 0xFE, "SQ", [item])


def _toshiba(dataset: Dataset, n: int) -> None:
    dataset.Manufacturer, dataset.ManufacturerModelName = "TOSHIBA", "Aquilion ONE"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "VOLUME"]
    private(dataset, 0x7005, "TOSHIBA_MEC_CT3", 0x16, "SH", "VOLUME")


def _enhanced_tilted(folder: Path) -> Volumes:
    ct = volume("CT")
    leaning = Volume(ct.data, tilted(ct.affine, 15))
    write_enhanced(leaning, folder, modality="CT", person=person())
    return [ct.data]


def thin(spacing: float, edit: Edit, tilt: float = 0.0, slices: int = 14) -> Writer:
    """Return a writer of a CT with thin slices, edited."""

    def write(folder: Path) -> Volumes:
        ct = volume("CT")
        affine = ct.affine.copy()
        affine[:3, 2] *= spacing / np.linalg.norm(affine[:3, 2])
        data = np.concatenate([ct.data] * -(-slices // ct.data.shape[2]), 2)[:, :, :slices]
        edit_all(write_series(data, tilted(affine, tilt) if tilt else affine, folder, person=person()), edit)
        return [data]

    return write


def jittering(amount: float) -> Edit:
    """Return an edit that moves each slice by up to `amount` mm along every axis."""
    rng = np.random.default_rng(2)

    def edit(dataset: Dataset, n: int) -> None:
        place = np.array(dataset.ImagePositionPatient, float) + rng.uniform(-amount, amount, 3)
        dataset.ImagePositionPatient = [f"{value:.6f}" for value in place]

    return edit


def rounded(digits: int) -> Edit:
    """Return an edit that writes positions with few digits."""

    def edit(dataset: Dataset, n: int) -> None:
        dataset.ImagePositionPatient = [f"{float(v):.{digits}f}" for v in dataset.ImagePositionPatient]

    return edit


def _long_decimals(dataset: Dataset, n: int) -> None:
    place = "\\".join(f"{float(v) + 1 / 3:.17f}" for v in dataset.ImagePositionPatient)
    dataset.add_new(0x00200032, "LO", place)  # longer than DS may be, as some write it


def _half_values(folder: Path) -> Volumes:
    def edit(dataset: Dataset, n: int) -> None:
        if n % 2:
            dataset.PixelData = (dataset.pixel_array // 2).astype("<u2").tobytes()
            dataset.RescaleSlope = "2"

    values = plain(folder, "CT", edit)[0].copy()
    values[:, :, 1::2] = (values[:, :, 1::2] + 1024) // 2 * 2 - 1024
    return [values]


def floats(kind: str) -> Edit:
    """Return an edit that stores floats (``<f4``) or doubles (``<f8``)."""

    def edit(dataset: Dataset, n: int) -> None:
        values = dataset.pixel_array.astype(kind)
        keyword = "FloatPixelData" if kind == "<f4" else "DoubleFloatPixelData"
        setattr(dataset, keyword, values.tobytes())
        dataset.BitsAllocated = values.itemsize * 8
        for gone in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            dataset.pop(gone)

    return edit


SCANS: dict[str, Writer] = {
    "enhanced, Siemens' private groups": lambda f: enhanced(f, _xa),
    "enhanced times, Siemens' private groups": lambda f: enhanced(f, _xa, times=3),
    "angiography in two phases": twice(_acquisition),
    "angiography in two phases, both numbered from 1": numbered_anew,
    "two tube voltages": twice(lambda d, t: setattr(d, "KVP", ("80", "140")[t])),
    "two kernels": twice(lambda d, t: setattr(d, "ConvolutionKernel", ("J40s", "J70h")[t])),
    "two times": twice(lambda d, t: setattr(d, "AcquisitionTime", f"1200{t:02d}")),
    "magnitude, phase and real": with_air(_component),
    "water and fat": with_air(_water_and_fat),
    "echoes with air": with_air(lambda d, t: setattr(d, "EchoTime", str(10 * t + 10))),
    "interleaved times": interleaved(_time),
    "interleaved times, scaled by slice": interleaved(_time, by_slice=True),
    "interleaved weightings": interleaved(_weighted),
    "interleaved phases": interleaved(_phase),
    "interleaved components": interleaved(_part),
    "interleaved echoes": interleaved(_echo),
    "volume mode": lambda f: plain(f, "CT", _toshiba),
    "enhanced and tilted": _enhanced_tilted,
    "thin slices that tremble": thin(0.625, jittering(0.05)),
    "tilted and rounded to tenths": thin(1.0, rounded(1), tilt=-17.0, slices=40),
    "tilted and rounded to millimetres": thin(18.0, rounded(0), tilt=12.0),
    "slices numbered as times": set_all(TemporalPositionIdentifier=lambda n: n + 1),
    "overlapping slices": set_all(SliceThickness="36"),
    "pixels that are not square": set_all(PixelSpacing=["9", "4.5"]),
    "every second slice dark is bright": set_all(
        PhotometricInterpretation=lambda n: f"MONOCHROME{n % 2 + 1}"
    ),
    "rows and columns not quite at right angles": set_all(
        ImageOrientationPatient=[1, 0.0005, 0, 0, 0.9999, 0]
    ),
    "long decimals": lambda f: plain(f, "CT", _long_decimals),
    "every second slice with half the values": _half_values,
    "doubles": lambda f: plain(f, "CT", floats("<f8")),
}
"""Each writes a series and returns the volumes, in order of time, that conversion must give."""
