"""DICOM headers as frames: every slice of a series, single-frame or enhanced, in one form.

Only headers are read. No value of a patient is kept: geometry, scaling, numbering and timing alone.
"""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

# What a damaged file makes the reader raise; each means: this file is not a whole DICOM object.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    AttributeError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)

Vector = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One image plane.

    Attributes
    ----------
    path, index : Path, int
        The file and the frame number in it, from 0.
    number : int or None
        InstanceNumber, or the place of the frame in an enhanced object.
    position, orientation : tuple of float or None
        ImagePositionPatient (3, mm, LPS) and ImageOrientationPatient (6).
    spacing : tuple of float or None
        Distance of rows and of columns in mm.
    slope, intercept : float
        Rescale to physical values.
    precise : float or None
        Philips' private scale slope, which makes values comparable between scans.
    temporal, acquisition, echo, trigger, seconds, b_value, component
        Evidence that tells frames at one position apart (time in seconds of the day).
    """

    path: Path
    index: int
    number: int | None
    rows: int
    columns: int
    position: Vector | None
    orientation: Vector | None
    spacing: Vector | None
    slope: float = 1.0
    intercept: float = 0.0
    precise: float | None = None
    temporal: int | None = None
    acquisition: int | None = None
    echo: float | None = None
    trigger: float | None = None
    seconds: float | None = None
    b_value: float | None = None
    direction: Vector | None = None
    component: str = ""
    location: float | None = None

    @property
    def scaling(self) -> tuple[float, float]:
        """Slope and intercept of the standard's rescale values."""
        return self.slope, self.intercept


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file: what kind of object it is, and its frames."""

    path: Path
    sop_class: str
    sop_uid: str
    series_uid: str
    modality: str
    transfer_syntax: str
    image_type: tuple[str, ...]
    frames: tuple[Frame, ...]
    samples: int
    body_part: str
    conversion_type: str
    burned_in: bool
    declared_temporal: int
    declared_images: int
    thickness: float | None
    between: float | None
    enhanced: bool
    manufacturer: str


@contextmanager
def quiet_reading() -> Iterator[None]:
    """Keep pydicom from quoting values of the data in warnings and logs while it reads."""
    logger = logging.getLogger("pydicom")

    def hold_back(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(hold_back)
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(hold_back)


def read_instance(path: Path) -> Instance:
    """Read the header of one DICOM file.

    Raises
    ------
    One of `UNREADABLE`
        When the file is not a whole DICOM object.
    """
    with quiet_reading():
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        return _instance(path, dataset)


def dicom_files(folder: Path) -> list[Path]:
    """Return the files below `folder` that could be DICOM, in a stable order.

    Catalogue files of the archive and hidden files are left out; everything else counts, so that a
    damaged object is noticed and not skipped.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith("_catalog.xml")
    )


def read_instances(files: Sequence[Path]) -> tuple[list[Instance], list[Path]]:
    """Read many headers.

    Returns
    -------
    tuple of list
        The instances, and the files that are not whole DICOM objects.
    """
    instances, broken = [], []
    for path in files:
        try:
            instances.append(read_instance(path))
        except UNREADABLE:
            broken.append(path)
    return instances, broken


def _instance(path: Path, dataset: Dataset) -> Instance:
    meta = getattr(dataset, "file_meta", None) or Dataset()
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    return Instance(
        path=path,
        sop_class=_word(dataset, "SOPClassUID"),
        sop_uid=_word(dataset, "SOPInstanceUID"),
        series_uid=_word(dataset, "SeriesInstanceUID"),
        modality=_word(dataset, "Modality").upper(),
        transfer_syntax=_word(meta, "TransferSyntaxUID"),
        image_type=_words(dataset, "ImageType"),
        frames=_enhanced(path, dataset) if groups else _classic(path, dataset),
        samples=_whole(dataset, "SamplesPerPixel") or 0,
        body_part=_word(dataset, "BodyPartExamined").upper(),
        conversion_type=_word(dataset, "ConversionType").upper(),
        burned_in=_word(dataset, "BurnedInAnnotation").upper() == "YES",
        declared_temporal=_whole(dataset, "NumberOfTemporalPositions") or 0,
        declared_images=_whole(dataset, "ImagesInAcquisition") or 0,
        thickness=_number(dataset, "SliceThickness"),
        between=_number(dataset, "SpacingBetweenSlices"),
        enhanced=bool(groups),
        manufacturer=_word(dataset, "Manufacturer").upper(),
    )


def _classic(path: Path, dataset: Dataset) -> tuple[Frame, ...]:
    count = _whole(dataset, "NumberOfFrames") or 1
    if "Rows" not in dataset:
        return ()
    frame = Frame(
        path=path,
        index=0,
        number=_whole(dataset, "InstanceNumber"),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        position=_vector(dataset, "ImagePositionPatient", 3),
        orientation=_vector(dataset, "ImageOrientationPatient", 6),
        spacing=_vector(dataset, "PixelSpacing", 2),
        **_scaling(dataset),
        precise=_philips(dataset),
        temporal=_whole(dataset, "TemporalPositionIdentifier"),
        acquisition=_whole(dataset, "AcquisitionNumber"),
        echo=_number(dataset, "EchoTime"),
        trigger=_number(dataset, "TriggerTime"),
        seconds=_seconds(dataset),
        b_value=_number(dataset, "DiffusionBValue"),
        direction=_vector(dataset, "DiffusionGradientOrientation", 3),
        component=_component(_words(dataset, "ImageType")),
        location=_number(dataset, "SliceLocation"),
    )
    if count == 1:
        return (frame,)
    # Frames of a classic multi-frame object (angiography) have no plane of their own.
    return tuple(_copy(frame, index=n, number=n + 1, position=None) for n in range(count))


def _enhanced(path: Path, dataset: Dataset) -> tuple[Frame, ...]:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    frames = []
    for n, own in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        content = _group("FrameContentSequence", own, shared)
        measures = _group("PixelMeasuresSequence", own, shared)
        diffusion = _group("MRDiffusionSequence", own, shared)
        gradient = _group("DiffusionGradientDirectionSequence", diffusion, Dataset())
        trigger = _group("CardiacSynchronizationSequence", own, shared)
        frames.append(
            Frame(
                path=path,
                index=n,
                number=n + 1,
                rows=int(dataset.Rows),
                columns=int(dataset.Columns),
                position=_vector(_group("PlanePositionSequence", own, shared), "ImagePositionPatient", 3),
                orientation=_vector(
                    _group("PlaneOrientationSequence", own, shared), "ImageOrientationPatient", 6
                ),
                spacing=_vector(measures, "PixelSpacing", 2),
                **_scaling(_group("PixelValueTransformationSequence", own, shared)),
                precise=_philips(_private(own, shared)),
                temporal=_whole(content, "TemporalPositionIndex"),
                acquisition=_whole(content, "FrameAcquisitionNumber"),
                echo=_number(_group("MREchoSequence", own, shared), "EffectiveEchoTime"),
                trigger=_number(trigger, "NominalCardiacTriggerDelayTime"),
                seconds=_clock(_word(content, "FrameAcquisitionDateTime")[8:]),
                b_value=_number(diffusion, "DiffusionBValue"),
                direction=_vector(gradient, "DiffusionGradientOrientation", 3),
                component=_component(_frame_type(own, shared)),
            )
        )
    return tuple(frames)


def _copy(frame: Frame, **changes: Any) -> Frame:
    values = {name: getattr(frame, name) for name in Frame.__slots__}
    return Frame(**(values | changes))


def _group(keyword: str, own: Dataset, shared: Dataset) -> Dataset:
    for holder in (own, shared):
        items = holder.get(keyword)
        if items:
            item: Dataset = items[0]
            return item
    return Dataset()


def _frame_type(own: Dataset, shared: Dataset) -> tuple[str, ...]:
    for keyword in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence"):
        group = _group(keyword, own, shared)
        if "FrameType" in group:
            component = _word(group, "ComplexImageComponent").upper()
            return (
                *_words(group, "FrameType"),
                {"PHASE": "P", "REAL": "R", "IMAGINARY": "I"}.get(component, ""),
            )
    return ()


def _component(image_type: tuple[str, ...]) -> str:
    """Return P, R or I for phase, real and imaginary images, M for all others."""
    return next((word for word in image_type[2:] if word in ("P", "R", "I")), "M")


def _scaling(dataset: Dataset) -> dict[str, float]:
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    return {"slope": slope or 1.0, "intercept": intercept or 0.0}


def _philips(dataset: Dataset) -> float | None:
    """Return Philips' scale slope (2005,xx0E) if its private block is there."""
    try:
        value = dataset.private_block(0x2005, "Philips MR Imaging DD 001")[0x0E].value
    except KeyError:
        return None
    return float(value) if isinstance(value, (int, float)) and value else None


def _private(own: Dataset, shared: Dataset) -> Dataset:
    """Return the private group of Philips' enhanced objects (2005,140F), or an empty data set."""
    for holder in (own, shared):
        element = holder.get((0x2005, 0x140F))
        if element is not None and element.VR == "SQ" and element.value:
            item: Dataset = element.value[0]
            return item
    return Dataset()


def _seconds(dataset: Dataset) -> float | None:
    """Return the time of the day at which the slice was acquired, in seconds."""
    whole = _word(dataset, "AcquisitionDateTime")
    for text in (_word(dataset, "AcquisitionTime"), whole[8:], _word(dataset, "ContentTime")):
        value = _clock(text)
        if value is not None:
            return value
    return None


def _clock(text: str) -> float | None:
    digits = text.split("+")[0].split("-")[0].replace(":", "")
    if len(digits) < 6 or not digits.replace(".", "", 1).isdigit():
        return None
    return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + float(digits[4:])


def _word(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    value = dataset.get(keyword)
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    return tuple(str(part).strip().upper() for part in parts)


def _number(dataset: Dataset, keyword: str) -> float | None:
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    if not isinstance(value, (str, int, float)):
        value = next(iter(value), None)
    return None if value is None else float(value)


def _whole(dataset: Dataset, keyword: str) -> int | None:
    value = _number(dataset, keyword)
    return None if value is None else int(value)


def _vector(dataset: Dataset, keyword: str, length: int) -> Vector | None:
    value = dataset.get(keyword)
    if value is None or isinstance(value, (str, int, float)) or len(value) != length:
        return None
    return tuple(float(part) for part in value)
