"""What the header of a rebuilt object says: all that was acquired, where it comes from, what was done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian

import lethe
from lethe.errors import Refused
from lethe.image.rebuild.uids import IMPLEMENTATION_UID, derived_uid
from lethe.image.values import word, words

Code = tuple[str, str]
VOLUME_EDITING: Code = ("113077", "Volume editing")
SOURCE_IMAGE: Code = ("121322", "Source image for image processing operation")
DEIDENTIFYING: Code = ("109104", "De-identifying Equipment")
CLEAN_FEATURES: Code = ("113102", "Clean Recognizable Visual Features Option")

DESCRIPTION = "Face removed; all other grey values as acquired"
_LONGEST = 1024

# What may hold the face once more (thumbnails, overlays, curves), is no longer true of the new pixels
# (extremes, histogram, signatures), or belongs to the old file (creation, compressed frames' offsets).
_STALE = (
    "IconImageSequence",
    "GraphicAnnotationSequence",
    "HistogramSequence",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "MACParametersSequence",
    "DigitalSignaturesSequence",
    "OriginalAttributesSequence",
    "EncryptedAttributesSequence",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "InstanceCreatorUID",
    "SourceImageSequence",
    "DerivationCodeSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "EncapsulatedPixelDataValueTotalLength",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelDataProviderURL",
    "DataSetTrailingPadding",
)
_BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
# Private numbers (scale slopes, b-values) stay if the cleaned source still has them; a private block of
# bytes longer than this could be a picture.
_LONGEST_PRIVATE_BYTES = 256
_FRAME_TYPES = ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence")


@dataclass(frozen=True, slots=True)
class Origin:
    """What all objects of one rebuilt series have in common.

    Attributes
    ----------
    series_uid : str
        UID of the new series.
    digest : str
        Of the images; part of every new UID.
    method : str
        Name and version of the method that removed the face.
    """

    series_uid: str
    digest: str
    method: str


def origin_of(series_uid: str, digest: str, method: str) -> Origin:
    """Return what the objects have in common, the new series UID included."""
    return Origin(derived_uid("series", lethe.__version__, series_uid, digest), digest, method)


def derive(source: Dataset, origin: Origin) -> FileDataset:
    """Return a copy of a source object that says what became of it; its pixels are still to be written.

    Parameters
    ----------
    source : Dataset
        A cleaned object; not used afterwards.
    origin : Origin
        What the new series has in common.

    Returns
    -------
    FileDataset
        Explicit VR little endian.

    Raises
    ------
    Refused
        ``not-cleaned`` when the source does not say that its patient's identity was removed.
    """
    if word(source, "PatientIdentityRemoved") != "YES":
        raise Refused(
            "not-cleaned",
            "The objects do not say that the patient's identity was removed.",
            remedy="Clean the headers first; only cleaned objects are rebuilt.",
        )
    old = (word(source, "SOPClassUID"), word(source, "SOPInstanceUID"))
    evidence = _evidence(source, old)
    new = derived_uid("object", lethe.__version__, old[1], origin.digest)
    _strip(source)
    target = FileDataset("", {}, preamble=b"\0" * 128, file_meta=_meta(old[0], new))
    for element in source:
        if element.tag.group > 2 and element.tag != 0x7FE00010:
            target.add(element)
    target.SOPInstanceUID, target.SeriesInstanceUID = new, origin.series_uid
    if "ConcatenationUID" in target:
        target.ConcatenationUID = derived_uid("concatenation", target.ConcatenationUID, origin.digest)
    if "PerFrameFunctionalGroupsSequence" in target:
        target.SourceImageEvidenceSequence = Items([evidence])
    _say_derived(target, old)
    _say_defaced(target, origin)
    return target


def _meta(sop_class: str, sop_instance: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(sop_instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = f"LETHE_{lethe.__version__}"[:16]
    return meta


def _strip(dataset: Dataset) -> None:
    for keyword in _STALE:
        if keyword in dataset:
            del dataset[keyword]
    for element in list(dataset):
        if _may_show(element):
            del dataset[element.tag]
        elif element.VR == "SQ":
            for item in element.value:
                _strip(item)


def _may_show(element: DataElement) -> bool:
    group = element.tag.group
    if 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF:
        return True
    private_bytes = element.tag.is_private and element.VR in _BINARY
    return private_bytes and len(element.value or b"") > _LONGEST_PRIVATE_BYTES


def _say_derived(target: Dataset, old: tuple[str, str]) -> None:
    target.ImageType = _derived(words(target, "ImageType"))
    groups = target.get("PerFrameFunctionalGroupsSequence")
    if groups:
        _say_frames_derived(target, groups, old)
        return
    before = word(target, "DerivationDescription")
    target.DerivationDescription = "; ".join(part for part in (before, DESCRIPTION) if part)[-_LONGEST:]
    target.DerivationCodeSequence = Items([_code(VOLUME_EDITING)])
    target.SourceImageSequence = Items([_reference(old)])


def _say_frames_derived(target: Dataset, groups: Sequence[Dataset], old: tuple[str, str]) -> None:
    shared = target.get("SharedFunctionalGroupsSequence") or []
    for holder in (*shared, *groups):
        for frame_type in _frame_types(holder):
            frame_type.FrameType = _derived(words(frame_type, "FrameType"))
        if "DerivationImageSequence" in holder:  # replaced below: one source, the one before the face went
            del holder.DerivationImageSequence
    for number, group in enumerate(groups, 1):
        item = Dataset()
        item.DerivationDescription = DESCRIPTION
        item.DerivationCodeSequence = Items([_code(VOLUME_EDITING)])
        item.SourceImageSequence = Items([_reference(old, frame=number)])
        group.DerivationImageSequence = Items([item])


def _frame_types(holder: Dataset) -> Iterator[Dataset]:
    for keyword in _FRAME_TYPES:
        yield from holder.get(keyword) or []


def _derived(image_type: tuple[str, ...]) -> list[str]:
    return ["DERIVED", *(image_type[1:] or ("PRIMARY",))]


def _reference(old: tuple[str, str], frame: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = old
    if frame is not None:
        item.ReferencedFrameNumber = frame
    item.PurposeOfReferenceCodeSequence = Items([_code(SOURCE_IMAGE)])
    return item


def _say_defaced(target: Dataset, origin: Origin) -> None:
    target.RecognizableVisualFeatures = "NO"
    methods = target.get("DeidentificationMethod")
    known = [methods] if isinstance(methods, str) else list(methods or [])
    target.DeidentificationMethod = [*(text for text in known if text), f"De-faced: {origin.method}"[:64]]
    codes = list(target.get("DeidentificationMethodCodeSequence") or [])
    if all(word(item, "CodeValue") != CLEAN_FEATURES[0] for item in codes):
        codes.append(_code(CLEAN_FEATURES))
    target.DeidentificationMethodCodeSequence = Items(codes)
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = Items([_code(DEIDENTIFYING)])
    equipment.Manufacturer, equipment.ManufacturerModelName = "Lethe", "nifti-to-dicom"
    equipment.SoftwareVersions = [lethe.__version__, origin.method[:64]]
    equipment.ContributionDescription = DESCRIPTION
    target.ContributingEquipmentSequence = Items(
        [*(target.get("ContributingEquipmentSequence") or []), equipment]
    )


def _evidence(source: Dataset, old: tuple[str, str]) -> Dataset:
    """Return where the source is found: study, series, object."""
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = old
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedSOPSequence = Items([instance])
    study.StudyInstanceUID = source.StudyInstanceUID
    study.ReferencedSeriesSequence = Items([series])
    return study


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code[0], "DCM", code[1]
    return item


def set_pixels(target: Dataset, raw: bytes) -> None:
    """Write native grey pixels; the image pixel module is that of the source."""
    vr = "OB" if target.BitsAllocated <= 8 else "OW"
    target.add(pydicom.DataElement(0x7FE00010, vr, raw + b"\0" * (len(raw) % 2)))
