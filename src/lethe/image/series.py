"""What the headers of a series say about it: the evidence on which lanes are chosen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lethe.errors import Refused
from lethe.image.frames import Frame, Instance, read_instances
from lethe.image.sopclasses import sop_class_name

_MERGE_MM = 0.05
# SliceLocation runs along the table, which a tilted gantry lengthens.
_FURTHER, _FURTHER_MM = 1.5, 10.0
_SHORTEST = 0.5  # normal of a plane; 1 if it is one
# Terms of the standard; anything else is OTHER, so that no free text passes as a modality.
_MODALITIES = frozenset(
    [
        *("AU", "CR", "CT", "DOC", "DX", "ECG", "ES", "GM", "IO", "IVUS", "KO", "MG", "MR", "NM", "OCT"),
        *("OP", "OT", "PLAN", "PR", "SM"),
        *("PT", "PX", "REG", "RF", "RG", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "RWV", "SC", "SEG"),
        *("SR", "US", "XA", "XC"),
    ]
)
_WORDS = re.compile(r"[A-Z0-9]+")
# Slices turned by less than this (sine of 3 degrees) against each other count as one orientation here.
_TURN = 0.05


@dataclass(frozen=True, slots=True)
class SeriesEvidence:
    """Facts of one series; rules name them (see `lethe.image.lane`).

    Attributes
    ----------
    modality : str
        Modality of the objects; ``MIXED`` when they differ, ``OTHER`` when the standard has no such term.
    sop_class : str
        Name of the SOP class in DICOM's words; ``MIXED`` when they differ.
    instances, frames : int
        Number of files and of image planes.
    image_type : frozenset of str
        Every value of ImageType that occurs, and the words in it.
    body_part : str
        BodyPartExamined, empty when absent or not the same everywhere.
    colour, burned_in, converted : bool
        RGB or palette pixels; burned-in annotation declared; made by a secondary capture device.
    positions : int
        Number of distinct slice positions; 0 without plane geometry.
    repeats : int
        Largest number of frames at one position.
    acquisitions_per_position : int
        Largest number of AcquisitionNumbers at one position.
    times_per_position : int
        Largest number of acquisition times at one position.
    temporal_positions : int
        Temporal positions declared, or counted at one slice position, whichever is larger.
    orientations : int
        Number of distinct slice orientations.
    extent_mm, field_of_view_mm : float
        Length covered along the slice normal; larger side of the image. 0 when not known.
    """

    modality: str
    sop_class: str
    instances: int
    frames: int
    image_type: frozenset[str]
    body_part: str
    colour: bool
    burned_in: bool
    converted: bool
    positions: int
    repeats: int
    acquisitions_per_position: int
    times_per_position: int
    temporal_positions: int
    orientations: int
    extent_mm: float
    field_of_view_mm: float

    def facts(self) -> dict[str, Any]:
        """Return the facts by name, for rules."""
        return asdict(self)


def read_evidence(files: Sequence[Path]) -> SeriesEvidence:
    """Read the headers of one series and say what they show.

    Parameters
    ----------
    files : sequence of Path
        All files of the series.

    Returns
    -------
    SeriesEvidence
        Its facts.

    Raises
    ------
    Refused
        ``no-dicom``, ``corrupt-instance`` or ``several-series``.
    """
    return evidence_of(read_series(files))


def read_series(files: Sequence[Path]) -> list[Instance]:
    """Read all headers of one series, refusing what is not one whole series."""
    instances, broken = read_instances(files)
    if not instances and not any(map(_called_dicom, broken)):
        raise Refused(
            "no-dicom",
            "The folder holds no DICOM object.",
            remedy="Name the folder that holds the files of one series.",
        )
    if broken:
        raise Refused(
            "corrupt-instance",
            f"{len(broken)} of {len(files)} files cannot be read as DICOM objects.",
            remedy="Send the series again, or remove files that do not belong to it.",
        )
    if len({instance.series_uid for instance in instances}) > 1:
        raise Refused(
            "several-series",
            "The folder holds objects of more than one series.",
            remedy="Give one series at a time.",
        )
    if len({i.owner for i in instances if i.owner}) > 1 or len({i.study_uid for i in instances}) > 1:
        raise Refused(
            "several-patients",
            "Objects of one series name different patients or studies.",
            remedy="Find out whose images these are before anything else; then send each series again.",
        )
    return instances


def _called_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return True  # what cannot be looked into may be one


def evidence_of(instances: Sequence[Instance]) -> SeriesEvidence:
    """Return the facts of instances whose headers were read, each object counted once."""
    instances = list({instance.sop_uid or str(instance.path): instance for instance in instances}.values())
    frames = [frame for instance in instances for frame in instance.frames]
    groups = [] if _contradicts_itself(frames) else positions_of(frames)
    first = instances[0]
    values = {value for instance in instances for value in instance.image_type}
    return SeriesEvidence(
        modality=_same(i.modality if i.modality in _MODALITIES else "OTHER" for i in instances),
        sop_class=_same(sop_class_name(instance.sop_class) for instance in instances),
        instances=len(instances),
        frames=len(frames),
        image_type=frozenset(word for value in values for word in (value, *_WORDS.findall(value)) if word),
        body_part=_same((instance.body_part for instance in instances), otherwise=""),
        colour=any(instance.colour for instance in instances),
        burned_in=any(instance.burned_in for instance in instances),
        converted=any(instance.conversion_type for instance in instances),
        positions=len(groups),
        repeats=max(map(len, groups), default=0),
        acquisitions_per_position=max((len({f.acquisition for f in g}) for g in groups), default=0),
        times_per_position=max((len({f.seconds for f in g}) for g in groups), default=0),
        temporal_positions=max(
            max(instance.declared_temporal for instance in instances),
            # At one position; slices that are all numbered on are no time points.
            max(
                (len({f.temporal for f in g if f.temporal is not None}) for g in groups or [frames]),
                default=0,
            ),
        ),
        orientations=_orientations(frames),
        extent_mm=_extent(groups, first.thickness),
        field_of_view_mm=_field_of_view(frames),
    )


def positions_of(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Group frames by their place along the slice normal, lowest first.

    Frames without plane geometry are left out; planes within 0.05 mm of each other are one position.
    """
    placed = [(along_normal(frame), frame) for frame in frames if frame.position and frame.orientation]
    placed.sort(key=lambda pair: pair[0])
    groups: list[list[Frame]] = []
    last = -np.inf
    for place, frame in placed:
        if place - last > _MERGE_MM:
            groups.append([])
        groups[-1].append(frame)
        last = place
    return groups


def _contradicts_itself(frames: Sequence[Frame]) -> bool:
    """Return whether the positions of slices cannot be true, as when a cleaning program wrote zeros.

    A head whose slices all seem to lie at one place would pass for a single slice seen many times.
    """
    placed = [frame for frame in frames if frame.position and frame.orientation]
    if len(placed) < 2:
        return False
    if not any(any(frame.position or ()) for frame in placed):
        return True
    normals = [np.cross(way[:3], way[3:]) for way in {frame.orientation for frame in placed} if way]
    if min(map(np.linalg.norm, normals)) < _SHORTEST:
        return True
    locations = [frame.location for frame in placed if frame.location is not None]
    places = [along_normal(frame) for frame in placed]
    told = max(locations, default=0.0) - min(locations, default=0.0)
    return told > _FURTHER * (max(places) - min(places)) + _FURTHER_MM


def along_normal(frame: Frame) -> float:
    """Return the distance of a plane from the scanner's origin along its normal, in mm."""
    if frame.position is None or frame.orientation is None:
        raise ValueError("frame without plane")
    a, b, c, d, e, f = frame.orientation
    x, y, z = frame.position
    return (b * f - c * e) * x + (c * d - a * f) * y + (a * e - b * d) * z


def _same(values: Any, otherwise: str = "MIXED") -> str:
    found = Counter(values)
    return str(next(iter(found))) if len(found) == 1 else otherwise


def _orientations(frames: Sequence[Frame]) -> int:
    seen: list[tuple[float, ...]] = []
    for frame in frames:
        own = frame.orientation
        if own and not any(
            max(abs(a - b) for a, b in zip(own, other, strict=True)) < _TURN for other in seen
        ):
            seen.append(own)
    return len(seen)


def _extent(groups: list[list[Frame]], thickness: float | None) -> float:
    if not groups:
        return 0.0
    return round(along_normal(groups[-1][0]) - along_normal(groups[0][0]) + (thickness or 0.0), 3)


def _field_of_view(frames: Sequence[Frame]) -> float:
    sides = [max(f.rows * f.spacing[0], f.columns * f.spacing[1]) for f in frames if f.spacing]
    return round(max(sides, default=0.0), 3)
