"""Series of other kinds: perfusion, angiography, captures, dose reports, localizers, multi-volume MR."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import SecondaryCaptureImageStorage, XRayAngiographicImageStorage, XRayRadiationDoseSRStorage

from kit.people import Person
from kit.phantom import Volume
from kit.series import SeriesPlan, new_object, pixels, planes, save, slice_object

PerfusionStyle = Literal["temporal", "acquisitions", "times", "repeats"]


def write_perfusion(
    volume: Volume,
    folder: Path,
    *,
    person: Person,
    number: int = 4,
    study: int = 0,
    times: int = 8,
    slices: int = 4,
    style: PerfusionStyle = "temporal",
) -> list[Path]:
    """Write a CT perfusion stand-in: the middle slices of a head CT, while contrast passes.

    Parameters
    ----------
    volume : Volume
        Head CT in HU.
    times, slices : int
        Number of time points and of slices.
    style : {"temporal", "acquisitions", "times", "repeats"}
        How the header tells time points apart: TemporalPositionIdentifier (Philips, Canon),
        AcquisitionNumber (Siemens), AcquisitionTime alone (GE cine), or by nothing but the InstanceNumber.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image_type = ("ORIGINAL", "PRIMARY", "AXIAL")
    plan = SeriesPlan(person, "CT", number, study, image_type)
    middle = volume.data.shape[2] // 2
    slab = [p for p in planes(volume.data, volume.affine) if middle <= p.index < middle + slices]
    written = []
    for t in range(times):
        # A bolus that rises and falls brightens what is soft tissue.
        gain = 25.0 * np.exp(-(((t - times / 2) / (times / 5)) ** 2))
        for n, plane in enumerate(slab):
            soft = (plane.values > 0) & (plane.values < 100)
            values = plane.values + np.where(soft, round(gain), 0)
            instance = t * slices + n + 1
            dataset = slice_object(plan, plane.__class__(**(vars(plane) | {"values": values})), instance)
            dataset.SliceThickness = f"{abs(volume.affine[2, 2]):g}"
            _time_point(dataset, t, times, style)
            written.append(save(dataset, folder / f"{instance:04d}.dcm"))
    return written


def write_dsa(
    volume: Volume, folder: Path, *, person: Person, number: int = 5, study: int = 0, frames: int = 10
) -> list[Path]:
    """Write an angiography stand-in: one multi-frame XA object, a frontal projection of the head."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = SeriesPlan(person, "CT", number, study, ("ORIGINAL", "PRIMARY", "SINGLE PLANE"))
    dataset = new_object(XRayAngiographicImageStorage, plan, 1)
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "XA", "Philips", "Azurion"
    thick = np.clip(volume.data.astype(np.float32) + 1000, 0, None).sum(1).T[::-1]
    mask = 3000 - thick / thick.max() * 2500
    vessel = np.exp(-(((np.arange(mask.shape[1]) - mask.shape[1] / 2) / 3.0) ** 2))[None, :]
    rise = np.arange(mask.shape[0])[:, None] / mask.shape[0]
    run = [mask - 400 * vessel * (rise > 1 - (t + 1) / frames) for t in range(frames)]
    pixels(dataset, np.clip(np.array(run), 0, 4095).astype(np.uint16))
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.NumberOfFrames = frames
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = "250"
    dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle = "0", "0"
    dataset.KVP, dataset.ExposureTime, dataset.RadiationSetting = "80", 80, "GR"
    dataset.PixelIntensityRelationship = "LIN"
    return [save(dataset, folder / "0001.dcm")]


def write_secondary_capture(
    folder: Path, *, person: Person, number: int = 99, study: int = 0, modality: str = "CT"
) -> list[Path]:
    """Write a screen capture: colour, with the person's name and birth date burned into the pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = new_object(SecondaryCaptureImageStorage, SeriesPlan(person, "CT", number, study), 1)
    dataset.Modality = modality
    dataset.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"
    page = Image.new("RGB", (320, 200), (12, 12, 30))
    lines = ("Dose report", person.patient_id, person.birth_date, "CTDIvol 42.1 mGy  DLP 820 mGy cm")
    for n, line in enumerate(lines):
        ImageDraw.Draw(page).text((12, 14 + 22 * n), line, fill=(240, 240, 240))
    _colour(dataset, np.asarray(page))
    return [save(dataset, folder / "0001.dcm")]


def write_dose_sheet(folder: Path, *, person: Person, number: int = 501, study: int = 0) -> list[Path]:
    """Write a radiation dose report (structured report) that names patient and physician."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = new_object(XRayRadiationDoseSRStorage, SeriesPlan(person, "CT", number, study), 1)
    dataset.Modality = "SR"
    for keyword in ("ImageType", "AcquisitionNumber", "BodyPartExamined", "PatientPosition"):
        delattr(dataset, keyword)
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ConceptNameCodeSequence = Sequence([_code("113701", "DCM", "X-Ray Radiation Dose Report")])
    observer = Dataset()
    observer.RelationshipType, observer.ValueType = "HAS OBS CONTEXT", "PNAME"
    observer.ConceptNameCodeSequence = Sequence([_code("121008", "DCM", "Person Observer Name")])
    observer.PersonName = person.physician
    comment = Dataset()
    comment.RelationshipType, comment.ValueType = "CONTAINS", "TEXT"
    comment.ConceptNameCodeSequence = Sequence([_code("121106", "DCM", "Comment")])
    comment.TextValue = f"{person.name} {person.birth_date} {person.patient_id}"
    dataset.ContentSequence = Sequence([observer, comment])
    return [save(dataset, folder / "0001.dcm")]


def write_localizer(
    volume: Volume, folder: Path, *, person: Person, number: int = 1, study: int = 0
) -> list[Path]:
    """Write an MR localizer: three slices in each of three orientations."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = SeriesPlan(person, "MR", number, study, ("ORIGINAL", "PRIMARY", "LOCALIZER", "M"))
    written: list[Path] = []
    for order in ((0, 1, 2), (1, 2, 0), (0, 2, 1)):
        data, affine = volume.data.transpose(order), volume.affine[:, [*order, 3]]
        for plane in planes(data, affine):
            if plane.index in (data.shape[2] // 3, data.shape[2] // 2, data.shape[2] * 2 // 3):
                instance = len(written) + 1
                written.append(save(slice_object(plan, plane, instance), folder / f"{instance:04d}.dcm"))
    return written


def write_multi_echo(
    volume: Volume,
    folder: Path,
    *,
    person: Person,
    number: int = 6,
    study: int = 0,
    echoes: tuple[float, ...] = (5.0, 12.0, 19.0),
) -> list[Path]:
    """Write an MR series with several echoes at every position, the signal fading with 25 ms."""
    volumes = [np.rint(volume.data * np.exp(-echo / 25.0)).astype(np.int16) for echo in echoes]

    def mark(dataset: Dataset, v: int) -> None:
        dataset.EchoTime, dataset.EchoNumbers = f"{echoes[v]:g}", v + 1

    return write_volumes(volumes, volume.affine, folder, SeriesPlan(person, "MR", number, study), mark)


def write_dynamic_mr(
    volume: Volume, folder: Path, *, person: Person, number: int = 7, study: int = 0, times: int = 5
) -> list[Path]:
    """Write an MR perfusion stand-in: the same volume at several times, each a little brighter."""
    volumes = [np.rint(volume.data * (1 + 0.05 * t)).astype(np.int16) for t in range(times)]

    def mark(dataset: Dataset, v: int) -> None:
        dataset.TemporalPositionIdentifier, dataset.NumberOfTemporalPositions = v + 1, times
        dataset.AcquisitionNumber = v + 1
        _later(dataset, 2.0 * v)

    return write_volumes(volumes, volume.affine, folder, SeriesPlan(person, "MR", number, study), mark)


def write_volumes(
    volumes: list[NDArray[Any]], affine: NDArray[np.float64], folder: Path, plan: SeriesPlan, mark: Any
) -> list[Path]:
    """Write several volumes of one grid as one series; `mark` is called with each object and its volume."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for v, data in enumerate(volumes):
        for plane in planes(data, affine):
            instance = v * data.shape[2] + plane.index + 1
            dataset = slice_object(plan, plane, instance)
            dataset.SliceThickness = f"{np.linalg.norm(affine[:3, 2]):g}"
            mark(dataset, v)
            written.append(save(dataset, folder / f"{instance:04d}.dcm"))
    return written


def _time_point(dataset: Dataset, t: int, times: int, style: PerfusionStyle) -> None:
    if style == "temporal":
        dataset.TemporalPositionIdentifier, dataset.NumberOfTemporalPositions = t + 1, times
    elif style == "acquisitions":
        dataset.AcquisitionNumber = t + 1
    if style != "repeats":
        _later(dataset, 1.5 * t)


def _later(dataset: Dataset, seconds: float) -> None:
    start = datetime.strptime(dataset.AcquisitionDateTime[:14], "%Y%m%d%H%M%S")
    when = start + timedelta(seconds=seconds)
    dataset.AcquisitionTime = dataset.ContentTime = f"{when:%H%M%S.%f}"
    dataset.AcquisitionDateTime = f"{when:%Y%m%d%H%M%S.%f}"


def _colour(dataset: FileDataset, page: NDArray[np.uint8]) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.Rows, dataset.Columns = page.shape[:2]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PixelData = page.tobytes()


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def write_mosaic(
    volume: Volume,
    folder: Path,
    *,
    person: Person,
    number: int = 9,
    study: int = 0,
    times: int = 3,
    placed: bool = True,
) -> list[Path]:
    """Write a functional MR stand-in as Siemens does: each time point one mosaic of all slices.

    Parameters
    ----------
    volume : Volume
        Whole numbers from 0; each time point is a little brighter.
    placed : bool
        Whether the private header tells how the tiles lie; cleaning of headers can remove it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = SeriesPlan(person, "MR", number, study, ("ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"))
    slices = list(planes(volume.data, volume.affine))
    rows, columns = slices[0].values.shape
    side = int(np.ceil(np.sqrt(len(slices))))
    distance = slices[1].position - slices[0].position
    first = slices[0]
    across, down = first.orientation[:3] * first.spacing[1], first.orientation[3:] * first.spacing[0]
    corner = first.position - across * columns * (side - 1) / 2 - down * rows * (side - 1) / 2
    written = []
    for t in range(times):
        canvas = np.zeros((side * rows, side * columns), np.int64)
        for plane in slices:
            y, x = plane.index // side * rows, plane.index % side * columns
            canvas[y : y + rows, x : x + columns] = np.rint(plane.values * (1 + 0.05 * t))
        whole = plane.__class__(canvas, corner, first.orientation, first.spacing, 0)
        dataset = slice_object(plan, whole, t + 1)
        dataset.SliceThickness = dataset.SpacingBetweenSlices = f"{np.linalg.norm(distance):g}"
        dataset.ScanningSequence, dataset.AcquisitionNumber = "EP", t + 1
        _later(dataset, 2.0 * t)
        if placed:
            normal = distance / np.linalg.norm(distance)
            block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
            block.add_new(0x08, "CS", "IMAGE NUM 4")
            block.add_new(0x10, "OB", _private_header(len(slices), normal))
            block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
            block.add_new(0x0A, "US", len(slices))
        written.append(save(dataset, folder / f"{t + 1:04d}.dcm"))
    return written


def _private_header(count: int, normal: NDArray[np.float64]) -> bytes:
    """Return Siemens' private header with what places the tiles."""
    values = {
        "NumberOfImagesInMosaic": ("US", [f"{count:8d}"]),
        "SliceNormalVector": ("FD", [f"{value:.8f}" for value in normal]),
        "PhaseEncodingDirectionPositive": ("IS", ["1"]),
    }
    raw = b"SV10\4\3\2\1" + struct.pack("<II", len(values), 77)
    for name, (vr, texts) in values.items():
        raw += struct.pack("<64si4siii", name.encode(), len(texts), vr.encode(), 6, 6, 77)
        for text in [*texts, *[""] * (6 - len(texts))]:
            content = text.encode() + b"\0" if text else b""
            length = len(content)
            raw += struct.pack("<4i", length, length, 77, length) + content + b"\0" * (-length % 4)
    return raw + b"\0" * (-len(raw) % 4)


OTHERS: dict[str, tuple[str, str, tuple[str, ...], Literal["none", "grey", "colour"]]] = {
    "segmentation": ("SegmentationStorage", "SEG", ("DERIVED", "PRIMARY"), "grey"),
    "contours": ("RTStructureSetStorage", "RTSTRUCT", (), "none"),
    "presentation state": ("GrayscaleSoftcopyPresentationStateStorage", "PR", (), "none"),
    "key objects": ("KeyObjectSelectionDocumentStorage", "KO", (), "none"),
    "pdf": ("EncapsulatedPDFStorage", "DOC", (), "none"),
    "pdf of another modality": ("EncapsulatedPDFStorage", "OT", (), "none"),
    "raw data": ("RawDataStorage", "MR", (), "none"),
    "photograph": ("VLPhotographicImageStorage", "XC", ("ORIGINAL", "PRIMARY"), "colour"),
    "grey photograph": ("VLPhotographicImageStorage", "XC", ("ORIGINAL", "PRIMARY"), "grey"),
    "photograph said to be CT": ("VLPhotographicImageStorage", "CT", ("ORIGINAL", "PRIMARY"), "grey"),
    "ultrasound": ("UltrasoundImageStorage", "US", ("ORIGINAL", "PRIMARY"), "grey"),
    "radiograph": ("DigitalXRayImageStorageForPresentation", "DX", ("ORIGINAL", "PRIMARY"), "grey"),
    "grey capture": ("SecondaryCaptureImageStorage", "MR", ("DERIVED", "SECONDARY"), "grey"),
    "capture of many frames": (
        "MultiFrameGrayscaleWordSecondaryCaptureImageStorage", "CT", ("DERIVED", "SECONDARY"), "grey",
    ),
    "capture of unknown modality": ("SecondaryCaptureImageStorage", "OT", ("DERIVED", "SECONDARY"), "grey"),
    "spectroscopy": ("MRSpectroscopyStorage", "MR", ("ORIGINAL", "PRIMARY", "SPECTROSCOPY", "NONE"), "none"),
    "fluoroscopy": ("XRayRadiofluoroscopicImageStorage", "RF", ("ORIGINAL", "PRIMARY"), "grey"),
    "cone beam volume": ("XRay3DAngiographicImageStorage", "XA", ("ORIGINAL", "PRIMARY"), "grey"),
    "cone beam as CT": ("CTImageStorage", "XA", ("DERIVED", "PRIMARY", "AXIAL"), "grey"),
    "topogram": ("CTImageStorage", "CT", ("ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP"), "grey"),
    "topogram of a vendor": ("CTImageStorage", "CT", ("ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM7 TOP"), "grey"),
    "rendering": ("CTImageStorage", "CT", ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM7 SPI VRT"), "grey"),
    "rendering of another vendor": ("CTImageStorage", "CT", ("DERIVED", "SECONDARY", "3D"), "grey"),
    "projection": ("CTImageStorage", "CT", ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM7 SPI MIP"), "grey"),
    "projection of MR": ("MRImageStorage", "MR", ("DERIVED", "PRIMARY", "PROJECTION IMAGE", "M"), "grey"),
    "dose page": ("CTImageStorage", "CT", ("DERIVED", "SECONDARY", "SCREEN SAVE"), "grey"),
    "protocol page": ("CTImageStorage", "CT", ("DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"), "grey"),
    "colour map": ("MRImageStorage", "MR", ("DERIVED", "PRIMARY", "PERFUSION", "RCBF"), "colour"),
    "PET": ("PositronEmissionTomographyImageStorage", "PT", ("ORIGINAL", "PRIMARY"), "grey"),
}  # fmt: skip
"""Objects that hospitals send beside volumes: SOP class, modality, ImageType and kind of pixels."""


def write_other(name: str, folder: Path, *, person: Person) -> list[Path]:
    """Write one object of a kind in `OTHERS`."""
    sop_class, modality, image_type, kind = OTHERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    dataset = new_object(getattr(pydicom.uid, sop_class), SeriesPlan(person, "CT", 90), 1)
    dataset.Modality = modality
    if image_type:
        dataset.ImageType = list(image_type)
    else:
        del dataset.ImageType
    if kind == "grey":
        pixels(dataset, np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    elif kind == "colour":
        _colour(dataset, np.zeros((64, 64, 3), np.uint8))
    return [save(dataset, folder / "0001.dcm")]
