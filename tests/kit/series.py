"""Volumes written as DICOM series, with planted identifiers and headers like the vendors'.

Every function writes valid objects (file meta, SOP class, image plane, pixel module) with UIDs that follow
from the person and the series number, so that the same call writes the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from kit.people import Person
from kit.phantom import Volume
from kit.planting import plant, uid

Modality = Literal["CT", "MR"]
_LPS = np.array([-1.0, -1.0, 1.0])
_STORAGE = {"CT": CTImageStorage, "MR": MRImageStorage}


@dataclass(frozen=True)
class Plane:
    """One slice: rows x columns values and its place in DICOM patient coordinates (LPS mm)."""

    values: NDArray[Any]
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: tuple[float, float]
    index: int


@dataclass(frozen=True)
class SeriesPlan:
    """What is the same for all objects of a series.

    Attributes
    ----------
    person : Person
        Whose identifiers are planted.
    modality : {"CT", "MR"}
        Kind of object.
    number : int
        SeriesNumber; also tells series of one study apart.
    study : int
        0 for the first imaging, 1 for the follow-up.
    image_type : tuple of str
        ImageType.
    attributes : dict
        Further attributes by keyword, written last.
    """

    person: Person
    modality: Modality = "CT"
    number: int = 2
    study: int = 0
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def series_uid(self) -> str:
        return uid(self.person.patient_id, "series", self.study, self.number)


def planes(data: NDArray[Any], affine: NDArray[np.float64]) -> Iterator[Plane]:
    """Cut a volume along its last axis into DICOM planes.

    Parameters
    ----------
    data : NDArray, shape (i, j, k)
        Voxels; i becomes columns, j rows (flipped as scanners order them).
    affine : NDArray, shape (4, 4)
        Voxel index to RAS mm; the third axis may be sheared (gantry tilt).
    """
    data, affine = _scanner_order(data, affine)
    to_lps = _LPS[:, None] * affine[:3, :3]
    spacing = np.linalg.norm(to_lps, axis=0)
    orientation = np.concatenate([to_lps[:, 0] / spacing[0], to_lps[:, 1] / spacing[1]])
    origin = _LPS * affine[:3, 3]
    for k in range(data.shape[2]):
        yield Plane(
            data[:, :, k].T, origin + k * to_lps[:, 2], orientation, (float(spacing[1]), float(spacing[0])), k
        )


def _scanner_order(
    data: NDArray[Any], affine: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Flip rows and columns so that they run to the patient's left, back or feet."""
    affine = np.array(affine, float)
    for axis in (0, 1):
        world = int(np.argmax(np.abs(affine[:3, axis])))
        if affine[world, axis] > 0:
            affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
            affine[:3, axis] *= -1
            data = np.flip(data, axis)
    return data, affine


def write_series(
    volume: Volume | NDArray[Any],
    affine: NDArray[np.float64] | None,
    folder: Path,
    *,
    modality: Modality = "CT",
    person: Person,
    number: int = 2,
    study: int = 0,
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL"),
    change: Callable[[Dataset, int], None] | None = None,
    **attributes: Any,
) -> list[Path]:
    """Write a volume as one DICOM series, a file per slice.

    Parameters
    ----------
    volume : Volume or NDArray, shape (i, j, k)
        HU for CT, whole numbers from 0 for MR.
    affine : NDArray, shape (4, 4), or None
        Voxel index to RAS mm; None takes that of a `Volume`.
    folder : Path
        Created; receives ``0001.dcm`` and so on.
    person : Person
        Whose identifiers are planted in every object.
    change : callable, optional
        Called with each data set and its slice index just before it is written.
    **attributes
        Further attributes by keyword.

    Returns
    -------
    list of Path
        The files in order of the slices.
    """
    data, place = _parts(volume, affine)
    plan = SeriesPlan(person, modality, number, study, image_type, attributes)
    folder.mkdir(parents=True, exist_ok=True)
    tilt = gantry_tilt(place)
    written = []
    for plane in planes(data, place):
        dataset = slice_object(plan, plane, plane.index + 1)
        if modality == "CT" and abs(tilt) > 0.01:
            dataset.GantryDetectorTilt = round(tilt, 3)
        dataset.SliceThickness = decimal(float(np.linalg.norm(place[:3, 2])))
        if change is not None:
            change(dataset, plane.index)
        written.append(save(dataset, folder / f"{plane.index + 1:04d}.dcm"))
    return written


def slice_object(plan: SeriesPlan, plane: Plane, instance: int) -> FileDataset:
    """Return one CT or MR object of a series, identifiers planted, pixels in."""
    dataset = new_object(_STORAGE[plan.modality], plan, instance)
    place(dataset, plane)
    if plan.modality == "CT":
        _ct(dataset, plane.values)
    else:
        _mr(dataset, plane.values)
    for keyword, value in plan.attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def new_object(sop_class: str, plan: SeriesPlan, instance: int) -> FileDataset:
    """Return an object with everything but plane and pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(uid(plan.series_uid, "object", instance))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    plant(dataset, plan.person, study=plan.study)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = plan.modality
    dataset.SeriesInstanceUID = plan.series_uid
    dataset.SeriesNumber = plan.number
    dataset.InstanceNumber = instance
    dataset.AcquisitionNumber = 1
    dataset.ImageType = list(plan.image_type)
    dataset.BodyPartExamined = "HEAD"
    dataset.PatientPosition = "HFS"
    dataset.Manufacturer = "SIEMENS"
    dataset.ManufacturerModelName = "SOMATOM Force" if plan.modality == "CT" else "Skyra"
    dataset.PositionReferenceIndicator = ""
    dataset.Laterality = ""
    return dataset


def place(dataset: Dataset, plane: Plane) -> None:
    """Write the image plane."""
    normal = np.cross(plane.orientation[:3], plane.orientation[3:])
    dataset.ImagePositionPatient = [decimal(v) for v in plane.position]
    dataset.ImageOrientationPatient = [decimal(v) for v in plane.orientation]
    dataset.PixelSpacing = [decimal(v) for v in plane.spacing]
    dataset.SliceLocation = decimal(float(normal @ plane.position))


def pixels(dataset: Dataset, values: NDArray[Any], *, signed: bool = False) -> None:
    """Write 16-bit grey pixels, shape (rows, columns) or (frames, rows, columns)."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(signed)
    dataset.PixelData = np.ascontiguousarray(values, "<i2" if signed else "<u2").tobytes()


def save(dataset: FileDataset, path: Path) -> Path:
    """Write the object as a DICOM file."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def gantry_tilt(affine: NDArray[np.float64]) -> float:
    """Return the angle in degrees between the slice normal and the way from slice to slice."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    step = affine[:3, 2]
    cosine = abs(normal @ step) / (np.linalg.norm(normal) * np.linalg.norm(step))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def tilted(affine: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Return `affine` with every slice shifted along j as a tilted gantry does."""
    sheared = np.array(affine, float)
    along = sheared[:3, 1] / np.linalg.norm(sheared[:3, 1])
    sheared[:3, 2] += along * np.tan(np.radians(degrees)) * np.linalg.norm(sheared[:3, 2])
    return sheared


def _ct(dataset: Dataset, values: NDArray[Any]) -> None:
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
    dataset.KVP, dataset.XRayTubeCurrent, dataset.Exposure, dataset.ExposureTime = "120", 280, 250, 1000
    dataset.ConvolutionKernel = "J40s"
    dataset.ReconstructionDiameter = decimal(dataset.PixelSpacing[0] * values.shape[0])
    dataset.GantryDetectorTilt = "0"
    pixels(dataset, np.clip(values.astype(np.int32) + 1024, 0, 65535))
    dataset.BitsStored, dataset.HighBit = 12, 11
    if values.max() + 1024 > 4095:
        dataset.BitsStored, dataset.HighBit = 16, 15


def _mr(dataset: Dataset, values: NDArray[Any]) -> None:
    dataset.ScanningSequence, dataset.SequenceVariant = ["GR", "IR"], ["SK", "SP", "MP"]
    dataset.ScanOptions, dataset.MRAcquisitionType = "IR", "3D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.InversionTime = "2300", "2.98", "900"
    dataset.FlipAngle, dataset.EchoNumbers, dataset.EchoTrainLength = "9", 1, 1
    dataset.MagneticFieldStrength, dataset.ImagingFrequency = "3", "123.25"
    pixels(dataset, np.clip(values, 0, 65535))


def _parts(
    volume: Volume | NDArray[Any], affine: NDArray[np.float64] | None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    if isinstance(volume, Volume):
        return volume.data, volume.affine if affine is None else affine
    if affine is None:
        raise TypeError("an array needs its affine")
    return volume, affine


def decimal(value: float) -> str:
    """Return a number as a decimal string of at most 16 letters."""
    for digits in range(12, 3, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    return f"{value:.4g}"
