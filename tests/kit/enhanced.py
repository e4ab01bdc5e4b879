"""Enhanced multi-frame CT and MR objects, as newer scanners send them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage

from kit.people import Person
from kit.phantom import Volume
from kit.planting import uid
from kit.series import Modality, Plane, SeriesPlan, decimal, new_object, pixels, planes, save

_SOP_CLASS = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage}


def write_enhanced(
    volume: Volume,
    folder: Path,
    *,
    modality: Modality,
    person: Person,
    number: int = 8,
    study: int = 0,
    times: int = 1,
) -> list[Path]:
    """Write a volume, or several time points of it, as one enhanced multi-frame object.

    Parameters
    ----------
    volume : Volume
        HU for CT, whole numbers from 0 for MR.
    times : int
        Number of time points; each is a little brighter than the one before.

    Returns
    -------
    list of Path
        The one file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = SeriesPlan(person, modality, number, study, ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"))
    dataset = new_object(_SOP_CLASS[modality], plan, 1)
    slices = list(planes(volume.data, volume.affine))
    offset = 1024 if modality == "CT" else 0
    frames = [
        (t, plane, plane.values + 20 * t * (plane.values > 0)) for t in range(times) for plane in slices
    ]
    pixels(dataset, np.array([np.clip(values + offset, 0, 65535) for _, _, values in frames]))
    dataset.NumberOfFrames = len(frames)
    dataset.Manufacturer = "Philips"
    dataset.VolumetricProperties, dataset.VolumeBasedCalculationTechnique = "VOLUME", "NONE"
    dataset.PixelPresentation, dataset.ContentQualification = "MONOCHROME", "PRODUCT"
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.PresentationLUTShape = "IDENTITY"
    _dimensions(dataset, times)
    thickness = float(np.linalg.norm(volume.affine[:3, 2]))
    dataset.SharedFunctionalGroupsSequence = Sequence([_shared(modality, slices[0], thickness, offset)])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame(person, modality, plane, t, times) for t, plane, _ in frames]
    )
    return [save(dataset, folder / "0001.dcm")]


def _dimensions(dataset: FileDataset, times: int) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = uid(dataset.SeriesInstanceUID, "dimensions")
    dataset.DimensionOrganizationSequence = Sequence([organization])
    pointers = [(0x00209056, 0x00209111), (0x00209057, 0x00209111)]
    if times > 1:
        pointers.append((0x00209128, 0x00209111))
    items = []
    for pointer, group in pointers:
        item = Dataset()
        item.DimensionOrganizationUID = organization.DimensionOrganizationUID
        item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, group
        items.append(item)
    dataset.DimensionIndexSequence = Sequence(items)


def _shared(modality: Modality, plane: Plane, thickness: float, offset: int) -> Dataset:
    group = Dataset()
    measures = Dataset()
    measures.PixelSpacing = [decimal(v) for v in plane.spacing]
    measures.SliceThickness = measures.SpacingBetweenSlices = decimal(thickness)
    group.PixelMeasuresSequence = Sequence([measures])
    orientation = Dataset()
    orientation.ImageOrientationPatient = [decimal(v) for v in plane.orientation]
    group.PlaneOrientationSequence = Sequence([orientation])
    scaling = Dataset()
    scaling.RescaleIntercept, scaling.RescaleSlope = str(-offset), "1"
    scaling.RescaleType = "HU" if modality == "CT" else "US"
    group.PixelValueTransformationSequence = Sequence([scaling])
    anatomy, region = Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "69536005", "SCT", "Head"
    anatomy.AnatomicRegionSequence = Sequence([region])
    anatomy.FrameLaterality = "U"
    group.FrameAnatomySequence = Sequence([anatomy])
    if modality == "MR":
        timing = Dataset()
        timing.RepetitionTime, timing.FlipAngle, timing.EchoTrainLength = 2300.0, 9.0, 1
        group.MRTimingAndRelatedParametersSequence = Sequence([timing])
        echo = Dataset()
        echo.EffectiveEchoTime = 2.98
        group.MREchoSequence = Sequence([echo])
    return group


def _frame(person: Person, modality: Modality, plane: Plane, t: int, times: int) -> Dataset:
    group = Dataset()
    content = Dataset()
    content.StackID, content.InStackPositionNumber = "1", plane.index + 1
    content.FrameAcquisitionNumber = t + 1
    content.FrameAcquisitionDateTime = f"{person.event:%Y%m%d%H%M%S}.{t:02d}0000"
    content.FrameReferenceDateTime = content.FrameAcquisitionDateTime
    content.FrameAcquisitionDuration = 1000.0
    content.FrameComments = person.name
    content.DimensionIndexValues = [1, plane.index + 1]
    if times > 1:
        content.TemporalPositionIndex = t + 1
        content.DimensionIndexValues = [1, plane.index + 1, t + 1]
    group.FrameContentSequence = Sequence([content])
    place = Dataset()
    place.ImagePositionPatient = [decimal(v) for v in plane.position]
    group.PlanePositionSequence = Sequence([place])
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    if modality == "MR":
        kind.ComplexImageComponent, kind.AcquisitionContrast = "MAGNITUDE", "T1"
        group.MRImageFrameTypeSequence = Sequence([kind])
    else:
        group.CTImageFrameTypeSequence = Sequence([kind])
    return group


def damage_enhanced(path: Path, kind: str, seed: int) -> None:
    """Damage an enhanced object in place; `kind` is one of `ENHANCED_FAULTS`."""
    rng = random.Random(seed)
    if kind == "cut-short":
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * rng.uniform(0.6, 0.97))])
        return
    dataset = pydicom.dcmread(path)
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    size = int(dataset.Rows) * int(dataset.Columns) * 2
    frames = [dataset.PixelData[n * size : (n + 1) * size] for n in range(len(groups))]
    chosen = rng.randrange(1, len(groups) - 1)
    if kind == "frame-missing":
        del groups[chosen], frames[chosen]
    elif kind == "first-frame-missing":
        del groups[0], frames[0]
    elif kind == "frame-doubled":
        groups.insert(chosen, groups[chosen])
        frames.insert(chosen, frames[chosen])
    elif kind == "description-missing":
        del groups[chosen]
    elif kind == "pixels-missing":
        del frames[chosen]
    elif kind == "places-exchanged":
        place = groups[chosen].PlanePositionSequence
        groups[chosen].PlanePositionSequence = groups[chosen - 1].PlanePositionSequence
        groups[chosen - 1].PlanePositionSequence = place
    elif kind == "frame-moved":
        place = groups[chosen].PlanePositionSequence[0]
        x, y, z = (float(v) for v in place.ImagePositionPatient)
        place.ImagePositionPatient = [x, y + rng.uniform(2, 9), z]
    else:
        raise KeyError(kind)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    dataset.PixelData = b"".join(frames)
    dataset.NumberOfFrames = len(frames) if kind != "pixels-missing" else len(groups)
    dataset.save_as(path)


ENHANCED_FAULTS = (
    "frame-missing",
    "first-frame-missing",
    "frame-doubled",
    "description-missing",
    "pixels-missing",
    "places-exchanged",
    "frame-moved",
    "cut-short",
)
