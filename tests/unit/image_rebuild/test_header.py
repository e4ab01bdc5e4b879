"""What a rebuilt object says about itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

import lethe
from lethe.image.rebuild import rebuild_series
from lethe.image.rebuild.uids import derived_uid

from .conftest import Case

KEPT = (
    *("SOPClassUID", "Modality", "StudyInstanceUID", "FrameOfReferenceUID", "SeriesNumber", "InstanceNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "PatientPosition"),
    *("RescaleSlope", "RescaleIntercept", "KVP", "ConvolutionKernel", "GantryDetectorTilt", "EchoTime"),
    *("RepetitionTime", "FlipAngle", "BitsStored", "PixelRepresentation", "Rows", "Columns", "PatientID"),
)


def _objects(case: Case) -> list[tuple[Dataset, Dataset]]:
    rebuild_series(case.dicom, case.images, case.out, method="stand-in 1")
    old = {data.InstanceNumber: data for data in case.objects()}
    return [(old[new.InstanceNumber], new) for new in case.objects(case.out)]


@pytest.mark.requirement("M-27", "M-28")
@pytest.mark.parametrize("kind", ["ct", "mr", "tilted"])
def test_geometry_scaling_and_acquisition_are_those_of_the_source(
    case: Callable[[str], Case], kind: str
) -> None:
    for old, new in _objects(case(kind)):
        assert {name: old.get(name) for name in KEPT} == {name: new.get(name) for name in KEPT}


@pytest.mark.requirement("M-27")
@pytest.mark.parametrize("kind", ["ct", "enhanced-mr"])
def test_objects_and_series_have_new_uids_one_for_each(case: Callable[[str], Case], kind: str) -> None:
    pairs = _objects(case(kind))
    assert len({new.SOPInstanceUID for _, new in pairs}) == len(pairs)
    assert len({new.SeriesInstanceUID for _, new in pairs}) == 1
    for old, new in pairs:
        assert new.SOPInstanceUID != old.SOPInstanceUID
        assert new.SeriesInstanceUID != old.SeriesInstanceUID
        assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
        assert new.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.requirement("M-26", "M-27", "T-13")
def test_a_single_frame_object_names_its_source_and_what_was_done(case: Callable[[str], Case]) -> None:
    for old, new in _objects(case("ct")):
        assert list(new.ImageType) == ["DERIVED", *old.ImageType[1:]]
        assert new.DerivationCodeSequence[0].CodeValue == "113077"
        assert "Face removed" in new.DerivationDescription
        source = new.SourceImageSequence[0]
        assert source.ReferencedSOPClassUID == old.SOPClassUID
        assert source.ReferencedSOPInstanceUID == old.SOPInstanceUID
        assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        _says_defaced(new)


def _says_defaced(new: Dataset) -> None:
    assert new.RecognizableVisualFeatures == "NO"
    assert new.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in new.DeidentificationMethodCodeSequence] == ["113100", "113102"]
    assert list(new.DeidentificationMethod) == ["Lethe profile stroke 1", "De-faced: stand-in 1"]
    equipment = new.ContributingEquipmentSequence[-1]
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109104"
    assert list(equipment.SoftwareVersions) == [lethe.__version__, "stand-in 1"]


@pytest.mark.requirement("M-27")
@pytest.mark.parametrize("kind", ["enhanced-ct", "enhanced-4d"])
def test_every_frame_of_an_enhanced_object_names_its_source_frame(
    case: Callable[[str], Case], kind: str
) -> None:
    [(old, new)] = _objects(case(kind))
    assert new.NumberOfFrames == old.NumberOfFrames
    assert new.ImageType[0] == "DERIVED"
    [study] = new.SourceImageEvidenceSequence
    assert study.StudyInstanceUID == old.StudyInstanceUID
    assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == old.SeriesInstanceUID
    _says_defaced(new)
    for number, group in enumerate(new.PerFrameFunctionalGroupsSequence, 1):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID == old.SOPInstanceUID
        assert source.ReferencedFrameNumber == number
        kind_of = group.get("CTImageFrameTypeSequence") or group.get("MRImageFrameTypeSequence")
        assert kind_of[0].FrameType[0] == "DERIVED"


@pytest.mark.requirement("M-24")
def test_thumbnails_overlays_and_private_pictures_do_not_come_along(
    case: Callable[[str], Case], tmp_path: Path
) -> None:
    made = case("ct")
    copy = tmp_path / "with-pictures"
    copy.mkdir()
    for path in made.dicom.glob("*.dcm"):
        data = pydicom.dcmread(path)
        icon = Dataset()
        icon.Rows = icon.Columns = 64
        icon.BitsAllocated, icon.PixelRepresentation = 8, 0
        icon.add_new(0x7FE00010, "OB", b"FACE" * 1024)
        data.IconImageSequence = [icon]
        data.add_new(0x60003000, "OW", b"FACE" * 100)
        data.private_block(0x0029, "A VENDOR", create=True).add_new(0x10, "OB", b"FACE" * 200)
        data.private_block(0x0019, "A VENDOR", create=True).add_new(0x0C, "IS", "1000")
        data.add_new(0x00280107, "US", 3000)
        data.InstanceCreationDate = "20200101"
        data.save_as(copy / path.name)
    for _, new in _objects(Case(copy, made.images, made.masks, made.out)):
        assert new.private_block(0x0019, "A VENDOR")[0x0C].value == 1000
        assert "LargestImagePixelValue" not in new
        assert "InstanceCreationDate" not in new
    assert all(b"FACEFACE" not in path.read_bytes() for path in made.out.iterdir())


def test_another_content_has_another_uid() -> None:
    assert derived_uid("a", "bc") != derived_uid("ab", "c")
    assert len(derived_uid("a")) <= 44
