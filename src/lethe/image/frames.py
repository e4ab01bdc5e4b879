"""DICOM headers as frames: every slice of a series, single-frame or enhanced, in one form.

Only headers are read. No value of a patient is kept: geometry, scaling, numbering and timing alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2s
from pathlib import Path
from sys import intern

from lethe.errors import Refused
from lethe.image.elements import Header, read_header
from lethe.image.mosaic import grid_of, tile_places
from lethe.image.native import GREY, PixelPlace, pixel_place
from lethe.image.values import Vector, clock, number, vector, whole, word, words

# What a damaged file makes the reader raise; each means: this file is not a whole DICOM object.
UNREADABLE = (EOFError, OSError, ValueError, TypeError, struct.error)
# JPEG of 8 and 12 bits, JPEG-LS near-lossless; others tell it in LossyImageCompression alone.
_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{kind}" for kind in (50, 51, 81))
_BESIDE = frozenset({"provenance.json", "thumbs.db", "desktop.ini"})


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
    temporal, acquisition, echo, inversion, flip, trigger, seconds, b_value, direction, component
        Evidence that tells frames at one position apart (time in seconds of the day).
    kind : tuple of str
        Image type, tube voltage and kernel: what tells reconstructions of one scan apart.
    in_stack : int or None
        InStackPositionNumber of an enhanced frame.
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
    inversion: float | None = None
    flip: float | None = None
    trigger: float | None = None
    seconds: float | None = None
    b_value: float | None = None
    direction: Vector | None = None
    component: str = ""
    kind: tuple[str, ...] = ()
    location: float | None = None
    in_stack: int | None = None

    @property
    def scaling(self) -> tuple[float, float]:
        """Slope and intercept of the standard's rescale values."""
        return self.slope, self.intercept


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM file: what kind of object it is, and its frames.

    `lookup` is whether a table, not a line, turns stored values into physical ones. `rows` and `columns` are
    those of the stored images, `mosaic` is the number of tiles in one; the frames of a mosaic are its tiles.
    `lossy` is whether pixels were compressed with loss, now or before. `owner` is a digest that tells objects
    of one patient from those of another.
    """

    path: Path
    sop_class: str
    sop_uid: str
    series_uid: str
    modality: str
    transfer_syntax: str
    image_type: tuple[str, ...]
    frames: tuple[Frame, ...]
    colour: bool
    body_part: str
    conversion_type: str
    burned_in: bool
    declared_temporal: int
    declared_images: int
    thickness: float | None
    between: float | None
    enhanced: bool
    manufacturer: str
    declared_frames: int
    declared_parts: int
    pixels: PixelPlace | None
    lookup: bool = False
    rows: int = 0
    columns: int = 0
    mosaic: int = 0
    lossy: bool = False
    owner: str = ""
    study_uid: str = ""
    frame_uid: str = ""


def read_instance(path: Path) -> Instance:
    """Read the header of one DICOM file.

    Raises
    ------
    One of `UNREADABLE`
        When the file is not a whole DICOM object.
    """
    return _instance(path, read_header(path))


def dicom_files(folder: Path) -> list[Path]:
    """Return the files below `folder` that could be DICOM, in a stable order.

    Catalogue files of the archive, hidden files, those of Windows and the record that our own commands put
    beside objects are left out; everything else counts, so that a damaged object is noticed and not skipped.

    Raises
    ------
    Refused
        ``unreadable-folder``.
    """

    def refuse(error: OSError) -> None:
        # A folder that is passed over in silence would take its slices with it.
        raise Refused(
            "unreadable-folder", "A folder cannot be read.", remedy="Give the right to read all of it."
        ) from error

    found: list[Path] = []
    walked: set[tuple[int, int]] = set()
    for place, below, names in os.walk(folder, onerror=refuse, followlinks=True):
        here = os.stat(place)
        if (here.st_dev, here.st_ino) in walked:  # a link that leads back, or twice to one folder
            below.clear()
            continue
        walked.add((here.st_dev, here.st_ino))
        found += [
            Path(place, name)
            for name in names
            if not name.startswith(".") and not name.endswith("_catalog.xml") and name.lower() not in _BESIDE
        ]
    # A link that leads nowhere may have led to a slice.
    return sorted(path for path in found if path.is_file() or path.is_symlink())


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


def _instance(path: Path, dataset: Header) -> Instance:
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    frames = _enhanced(path, dataset) if groups else _classic(path, dataset)
    tiles = () if groups or len(frames) != 1 else _tiles(frames[0], dataset)
    return Instance(
        path=path,
        sop_class=word(dataset, "SOPClassUID"),
        sop_uid=word(dataset, "SOPInstanceUID"),
        series_uid=word(dataset, "SeriesInstanceUID"),
        modality=word(dataset, "Modality").upper(),
        transfer_syntax=dataset.transfer_syntax,
        image_type=words(dataset, "ImageType"),
        frames=tiles or frames,
        colour=word(dataset, "PhotometricInterpretation") not in ("", *GREY),
        body_part=word(dataset, "BodyPartExamined").upper(),
        conversion_type=word(dataset, "ConversionType").upper(),
        burned_in=word(dataset, "BurnedInAnnotation").upper() == "YES",
        declared_temporal=whole(dataset, "NumberOfTemporalPositions") or 0,
        declared_images=whole(dataset, "ImagesInAcquisition") or 0,
        thickness=number(dataset, "SliceThickness"),
        between=number(dataset, "SpacingBetweenSlices"),
        enhanced=bool(groups),
        manufacturer=word(dataset, "Manufacturer").upper(),
        declared_parts=whole(dataset, "InConcatenationTotalNumber") or 1,
        declared_frames=whole(dataset, "NumberOfFrames") or 1,
        pixels=pixel_place(dataset),
        lookup="ModalityLUTSequence" in dataset,
        rows=whole(dataset, "Rows") or 0,
        columns=whole(dataset, "Columns") or 0,
        mosaic=len(tiles),
        owner=_digest(word(dataset, "PatientID")),
        study_uid=word(dataset, "StudyInstanceUID"),
        frame_uid=word(dataset, "FrameOfReferenceUID"),
        lossy=word(dataset, "LossyImageCompression") == "01" or dataset.transfer_syntax in _LOSSY,
    )


def _digest(text: str) -> str:
    return intern(blake2s(text.encode(), digest_size=8).hexdigest()) if text else ""


def _classic(path: Path, dataset: Header) -> tuple[Frame, ...]:
    count = whole(dataset, "NumberOfFrames") or 1
    if "Rows" not in dataset:
        return ()
    frame = Frame(
        path=path,
        index=0,
        number=whole(dataset, "InstanceNumber"),
        rows=_length(dataset, "Rows"),
        columns=_length(dataset, "Columns"),
        position=vector(dataset, "ImagePositionPatient", 3),
        orientation=vector(dataset, "ImageOrientationPatient", 6),
        spacing=vector(dataset, "PixelSpacing", 2),
        slope=_slope(dataset),
        intercept=number(dataset, "RescaleIntercept") or 0.0,
        precise=_philips(dataset),
        temporal=whole(dataset, "TemporalPositionIdentifier"),
        acquisition=whole(dataset, "AcquisitionNumber"),
        echo=number(dataset, "EchoTime"),
        inversion=number(dataset, "InversionTime"),
        flip=number(dataset, "FlipAngle"),
        trigger=number(dataset, "TriggerTime"),
        seconds=_seconds(dataset),
        b_value=_first(number(dataset, "DiffusionBValue"), number(dataset, "PrivateBValue")),
        direction=vector(dataset, "DiffusionGradientOrientation", 3) or vector(dataset, "PrivateGradient", 3),
        component=_component(words(dataset, "ImageType")),
        kind=_kind(dataset),
        location=number(dataset, "SliceLocation"),
    )
    if count == 1:
        return (frame,)
    # Frames of a classic multi-frame object (angiography) have no plane of their own.
    return tuple(replace(frame, index=n, number=n + 1, position=None) for n in range(count))


def _tiles(whole_plane: Frame, dataset: Header) -> tuple[Frame, ...]:
    """Return the tiles of a mosaic; none when it is not one, or its header does not place them."""
    grid = grid_of(dataset) if "MOSAIC" in words(dataset, "ImageType") else None
    if grid is None:
        return ()
    plane = whole_plane
    places = tile_places(
        grid, dataset, position=plane.position, orientation=plane.orientation, spacing=plane.spacing
    )
    before = ((plane.number or 1) - 1) * grid.count
    return tuple(
        replace(
            plane,
            index=n,
            number=before + n + 1,
            rows=plane.rows // grid.side,
            columns=plane.columns // grid.side,
            position=place,
            location=None,
        )
        for n, place in enumerate(places)
    )


def _enhanced(path: Path, dataset: Header) -> tuple[Frame, ...]:
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Header()])[0]
    rows, columns = _length(dataset, "Rows"), _length(dataset, "Columns")
    frames = []
    for n, own in enumerate(dataset.get("PerFrameFunctionalGroupsSequence")):
        content = _group("FrameContentSequence", own, shared)
        measures = _group("PixelMeasuresSequence", own, shared)
        diffusion = _group("MRDiffusionSequence", own, shared)
        gradient = _group("DiffusionGradientDirectionSequence", diffusion, Header())
        scaling = _group("PixelValueTransformationSequence", own, shared)
        trigger = _group("CardiacSynchronizationSequence", own, shared)
        frames.append(
            Frame(
                path=path,
                index=n,
                number=n + 1,
                rows=rows,
                columns=columns,
                position=vector(_group("PlanePositionSequence", own, shared), "ImagePositionPatient", 3),
                orientation=vector(
                    _group("PlaneOrientationSequence", own, shared), "ImageOrientationPatient", 6
                ),
                spacing=vector(measures, "PixelSpacing", 2),
                slope=_slope(scaling),
                intercept=number(scaling, "RescaleIntercept") or 0.0,
                precise=_philips(own, shared),
                temporal=whole(content, "TemporalPositionIndex"),
                acquisition=whole(content, "FrameAcquisitionNumber"),
                echo=number(_group("MREchoSequence", own, shared), "EffectiveEchoTime"),
                trigger=number(trigger, "NominalCardiacTriggerDelayTime"),
                seconds=clock(word(content, "FrameAcquisitionDateTime")[8:]),
                b_value=number(diffusion, "DiffusionBValue"),
                direction=vector(gradient, "DiffusionGradientOrientation", 3),
                component=_component(_frame_type(own, shared)),
                kind=_frame_type(own, shared),
                in_stack=whole(content, "InStackPositionNumber"),
            )
        )
    return tuple(frames)


def _group(keyword: str, own: Header, shared: Header) -> Header:
    for holder in (own, shared):
        items = holder.get(keyword)
        if items:
            item: Header = items[0]
            return item
    return Header()


def _frame_type(own: Header, shared: Header) -> tuple[str, ...]:
    for keyword in ("MRImageFrameTypeSequence", "CTImageFrameTypeSequence"):
        group = _group(keyword, own, shared)
        if "FrameType" in group:
            component = word(group, "ComplexImageComponent").upper()
            return (
                *words(group, "FrameType"),
                {"PHASE": "P", "REAL": "R", "IMAGINARY": "I"}.get(component, ""),
            )
    return ()


def _component(image_type: tuple[str, ...]) -> str:
    """Return P, R or I for phase, real and imaginary images, M for all others."""
    return next((word for word in image_type[2:] if word in ("P", "R", "I")), "M")


def _kind(dataset: Header) -> tuple[str, ...]:
    voltage = number(dataset, "KVP") or 0.0
    return (*words(dataset, "ImageType"), f"{voltage:07.2f}", *words(dataset, "ConvolutionKernel"))


def _slope(dataset: Header) -> float:
    """Return RescaleSlope; absent or 0 means values as they are stored."""
    return number(dataset, "RescaleSlope") or 1.0


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _length(header: Header, keyword: str) -> int:
    length = whole(header, keyword)
    if not length or length < 0:
        raise ValueError("image without size")
    return length


def _philips(own: Header, shared: Header | None = None) -> float | None:
    """Return Philips' scale slope (2005,xx0E) if its private block is there."""
    if shared is not None:
        own = _group("PhilipsFrameSequence", own, shared)
    return number(own, "PhilipsScaleSlope") or None


def _seconds(dataset: Header) -> float | None:
    """Return the time of the day at which the slice was acquired, in seconds."""
    whole = word(dataset, "AcquisitionDateTime")
    for text in (word(dataset, "AcquisitionTime"), whole[8:], word(dataset, "ContentTime")):
        value = clock(text)
        if value is not None:
            return value
    return None
