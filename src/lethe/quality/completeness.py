"""Is the header complete? What a series needs to be read, measured and understood, object by object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from lethe.quality.notes import Grade, Note

Alternatives = tuple[str, ...]

# Each entry is met by any of its keywords; enhanced objects use other names for some.
NEEDED: tuple[Alternatives, ...] = (
    ("StudyInstanceUID",),
    ("SeriesInstanceUID",),
    ("SOPInstanceUID",),
    ("Modality",),
    ("Rows",),
    ("Columns",),
    ("BitsStored",),
    ("PixelRepresentation",),
    ("ImagePositionPatient",),
    ("ImageOrientationPatient",),
    ("PixelSpacing",),
    ("FrameOfReferenceUID",),
)
USEFUL: tuple[Alternatives, ...] = (
    ("SliceThickness",),
    ("PatientPosition",),
    ("Manufacturer",),
    ("ManufacturerModelName",),
    ("BodyPartExamined", "AnatomicRegionSequence"),
    ("InstanceNumber",),
    ("StudyDate",),
)
OF_MODALITY: dict[str, tuple[Alternatives, ...]] = {
    "CT": (
        ("RescaleSlope",),
        ("RescaleIntercept",),
        ("KVP",),
        ("ConvolutionKernel",),
        ("XRayTubeCurrent", "XRayTubeCurrentInmA", "Exposure", "ExposureInmAs"),
    ),
    "MR": (
        ("RepetitionTime",),
        ("EchoTime", "EffectiveEchoTime"),
        ("FlipAngle",),
        ("MagneticFieldStrength",),
        ("ScanningSequence", "PulseSequenceName"),
        ("MRAcquisitionType",),
    ),
}
# Of one series, these are the same in every object.
STEADY = (
    "KVP",
    "ConvolutionKernel",
    "RepetitionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "PatientPosition",
)


@dataclass(frozen=True, slots=True)
class Completeness:
    """Which attributes are there.

    Attributes
    ----------
    objects : int
        Objects looked at.
    share : float
        Part of the wanted attributes that is there, over all objects.
    missing : dict of str to int
        How many objects lack an attribute.
    varying : tuple of str
        Attributes that should be the same everywhere and are not.
    """

    objects: int
    share: float
    missing: dict[str, int]
    varying: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for reports."""
        return {
            "objects": self.objects,
            "share": round(self.share, 4),
            "missing": self.missing,
            "varying": list(self.varying),
        }

    def notes(self) -> list[Note]:
        """Return what the figures mean."""
        needed = {names[0] for names in NEEDED}
        found = [
            Note(
                "attribute-missing" if name in needed else "attribute-wanted",
                f"{name} is missing in {count} of {self.objects} objects.",
                Grade.QUESTIONABLE if name in needed else Grade.USABLE,
            )
            for name, count in self.missing.items()
        ]
        changes = "changes within the series"
        return found + [
            Note("attribute-varies", f"{name} {changes}.", Grade.QUESTIONABLE) for name in self.varying
        ]


def completeness(objects: Iterable[Dataset]) -> Completeness:
    """Look for the attributes that objects of their modality should have.

    Parameters
    ----------
    objects : iterable of Dataset
        Headers of one series; those of enhanced objects with their functional groups.
    """
    count, wanted, missing = 0, 0, Counter[str]()
    seen: dict[str, set[str]] = {name: set() for name in STEADY}
    for dataset in objects:
        count += 1
        holders = list(_holders(dataset))
        lists = (*NEEDED, *USEFUL, *OF_MODALITY.get(str(dataset.get("Modality", "")), ()))
        wanted += len(lists)
        missing.update(names[0] for names in lists if not _has(holders, names))
        for name in STEADY:
            if name in dataset:
                seen[name].add(str(dataset[name].value))
    share = 1 - missing.total() / wanted if wanted else 0.0
    varying = tuple(name for name, values in seen.items() if len(values) > 1)
    return Completeness(count, share, dict(sorted(missing.items())), varying)


def _holders(dataset: Dataset) -> Iterator[Dataset]:
    """Yield the object and, of an enhanced one, every group that describes all frames or the first."""
    yield dataset
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (dataset.get(keyword) or [])[:1]:
            for element in group:
                if element.VR == "SQ":
                    yield from element.value


def _has(holders: Sequence[Dataset], names: Alternatives) -> bool:
    return any(holder.get(name) not in (None, "") for holder in holders for name in names if name in holder)
