"""What the packaged profiles keep, change and remove."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from lethe.header import bundled_script, load_script
from lethe.header.findings import Severity
from lethe.header.lint import lint
from lethe.header.profile import compile_profile, load_profile
from unit.header.objects import clean, code, ct, to_bytes

STROKE, STRICT, NET = (load_script(bundled_script(name)) for name in ("stroke", "strict", "net"))
PROFILES = Path(__file__).parents[3] / "ctp-profiles" / "profiles"


def _clean(script: object, dataset: Dataset) -> Dataset:
    cleaned = clean(script, to_bytes(dataset))  # type: ignore[arg-type]
    assert isinstance(cleaned, bytes), cleaned
    return pydicom.dcmread(BytesIO(cleaned))


@pytest.mark.requirement("E-47")
@pytest.mark.parametrize("name", ["stroke", "strict", "pet-suv", "net", "net-pet-suv"])
def test_a_packaged_script_is_what_its_profile_compiles_to(name: str) -> None:
    compiled = compile_profile(load_profile(PROFILES / f"{name}.yaml"))
    assert bundled_script(name).read_text(encoding="utf-8") == compiled


@pytest.mark.requirement("E-40")
@pytest.mark.parametrize("name", ["stroke", "strict", "pet-suv", "net", "net-pet-suv"])
def test_a_packaged_script_has_no_finding(name: str) -> None:
    findings = lint(load_script(bundled_script(name)))
    assert [finding for finding in findings if finding.severity is not Severity.INFO] == []


@pytest.mark.requirement("M-21")
def test_patient_becomes_the_prid_and_nothing_else() -> None:
    out = _clean(STROKE, ct(OtherPatientIDs="X", PatientAddress="Road 1", PatientBirthDate="19560229"))
    assert out.PatientID == out.PatientName == "A1B2"
    assert out.PatientBirthDate == ""
    assert "OtherPatientIDs" not in out
    assert "PatientAddress" not in out
    assert out.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in out.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113107", "113108"]


@pytest.mark.requirement("T-7")
def test_every_date_moves_by_the_patients_offset_and_times_go() -> None:
    out = _clean(
        STROKE,
        ct(
            SeriesDate="20210315",
            AcquisitionDate="20210301",
            AcquisitionDateTime="20210301101112.5+0100",
            AcquisitionTime="101112",
            SeriesTime="101112",
            ContentTime="101112",
            InstanceCreationDate="20210314",
        ),
    )
    assert (out.StudyDate, out.SeriesDate, out.AcquisitionDate) == ("20210302", "20210303", "20210217")
    assert out.AcquisitionDateTime == "20210217"
    assert out.StudyTime == out.ContentTime == ""
    for keyword in ("AcquisitionTime", "SeriesTime", "InstanceCreationDate"):
        assert keyword not in out


@pytest.mark.requirement("T-5")
@pytest.mark.parametrize(
    ("age", "kept"),
    [
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("091Y", "090Y"),
        ("104Y", "090Y"),
        ("095M", "095M"),
        ("100D", "100D"),
        ("ninety", None),
        ("95", None),
    ],
)
def test_ages_of_ninety_and_more_are_one_age(age: str, kept: str | None) -> None:
    out = _clean(STROKE, ct(PatientAge=age))
    assert out.get("PatientAge") == kept


@pytest.mark.requirement("M-28")
def test_what_conversion_and_analysis_need_is_kept() -> None:
    kept = {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "KVP": "120",
        "SliceThickness": "0.75",
        "GantryDetectorTilt": "-12.5",
        "RescaleSlope": "1",
        "RescaleIntercept": "-1024",
        "ImagePositionPatient": [-1.5, 2, 3e1],
        "PixelSpacing": [0.5, 0.5],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "InstanceNumber": "7",
        "AcquisitionNumber": "3",
        "TemporalPositionIdentifier": "4",
        "TriggerTime": "12.5",
        "FrameReferenceTime": "100",
        "EchoTime": "30.1",
        "FlipAngle": "90",
        "RepetitionTime": "2000",
        "ConvolutionKernel": "H30s",
        "ScanOptions": "HELICAL MODE",
        "DiffusionBValue": 1000.0,
        "Exposure": "170",
        "ManufacturerModelName": "SOMATOM Definition AS+",
        "SequenceName": "*ep_b1000#1",
    }
    out = _clean(STROKE, ct(**kept))
    for keyword, value in kept.items():
        assert str(out.get(keyword)) == str(
            pydicom.DataElement(out[keyword].tag, out[keyword].VR, value).value
        )


@pytest.mark.requirement("M-21")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Modality", "SMITH"),
        ("ManufacturerModelName", "John Smith"),
        ("ConvolutionKernel", "SMITH"),
        ("SequenceName", "smith"),
        ("ScanOptions", "SMITH"),
        ("SoftwareVersions", "John Smith 1956"),
        ("Manufacturer", "SMITH"),
        ("PatientSex", "SMITH"),
        ("ProtocolName", "SMITH brain"),
        ("StudyDescription", "SMITH brain"),
        ("SeriesDescription", "SMITH brain"),
        ("ContrastBolusAgent", "SMITH"),
        ("StationName", "SMITH"),
        ("StackID", "SMITH"),
        ("ImageComments", "SMITH"),
        ("PhotometricInterpretation", "SMITH"),
        ("BodyPartExamined", "SMITH"),
        ("ImageType", ["ORIGINAL", "SMITH", "AXIAL"]),
    ],
)
def test_a_name_hides_in_no_kept_attribute(keyword: str, value: object) -> None:
    for script in (STROKE, STRICT):
        cleaned = clean(script, to_bytes(ct(**{keyword: value})))
        assert isinstance(cleaned, bytes)
        assert b"smith" not in cleaned.lower()


def test_a_name_in_the_place_of_a_number_is_removed() -> None:
    data = to_bytes(ct(KVP="12345")).replace(b"12345 ", b"SMITH ")
    cleaned = clean(STROKE, data)
    assert b"SMITH" in data
    assert isinstance(cleaned, bytes)
    assert b"SMITH" not in cleaned


def test_a_series_description_becomes_a_word_of_a_closed_list() -> None:
    words = {
        "CTA Carotids SMITH": "ANGIOGRAPHY",
        "Perfusion Jones": "PERFUSION",
        "t2_flair": "FLAIR",
        "xyz": None,
    }
    for text, word in words.items():
        assert _clean(STROKE, ct(SeriesDescription=text)).get("SeriesDescription") == word


def test_image_type_keeps_its_number_of_values() -> None:
    out = _clean(STROKE, ct(ImageType=["DERIVED", "SECONDARY", "SMITH", "", "ADC"]))
    assert list(out.ImageType) == ["DERIVED", "SECONDARY", "OTHER", "", "ADC"]


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize("script", [STROKE, STRICT], ids=["stroke", "strict"])
def test_the_net_changes_nothing_in_a_cleaned_object(script: object) -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.9"
    data = to_bytes(
        ct(
            PatientAge="095Y",
            PatientSex="F",
            SeriesDescription="CTA",
            ReferencedImageSequence=[reference],
            AcquisitionDate="20210315",
            AcquisitionDateTime="20210315",
            Manufacturer="SIEMENS",
        )
    )
    cleaned = clean(script, data)  # type: ignore[arg-type]
    assert isinstance(cleaned, bytes)
    routed = clean(load_script(bundled_script("routing"), parameters={"PROJECT": "C_INTAKE"}), cleaned)
    assert isinstance(routed, bytes)
    assert clean(NET, cleaned, None) == cleaned
    assert clean(NET, routed, None) == routed


@pytest.mark.requirement("M-59")
def test_the_net_removes_what_a_cleaned_object_may_not_carry() -> None:
    dirty = ct(
        PatientID="A1B2",
        PatientName="SMITH^John",
        PatientBirthDate="19560229",
        PatientComments="SMITH",
        InstitutionName="SMITH Clinic",
        SeriesDescription="SMITH head",
        StudyTime="101112",
        **dict.fromkeys(("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"), "2.25.7"),
    )
    out = _clean(NET, dirty)
    assert out.PatientName == "A1B2"
    assert "PatientComments" not in out
    assert "SMITH" not in str(out)


@pytest.mark.requirement("M-36", "M-59")
def test_an_object_whose_uids_were_never_replaced_does_not_pass_the_net() -> None:
    assert code(clean(NET, to_bytes(ct(PatientID="A1B2", PatientName="A1B2")))) == "script-quarantine"


def test_routing_tells_project_subject_and_session() -> None:
    cleaned = clean(STROKE, to_bytes(ct()))
    assert isinstance(cleaned, bytes)
    routed = clean(load_script(bundled_script("routing"), parameters={"PROJECT": "C_INTAKE"}), cleaned)
    assert isinstance(routed, bytes)
    comment = pydicom.dcmread(BytesIO(routed)).PatientComments
    start, _, digits = comment.rpartition("_")
    assert start == "Project:C_INTAKE Subject:A1B2 Session:A1B2_20210302_CT"
    assert digits.isdigit()


def test_objects_of_one_study_stay_together_and_references_still_point() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.3.4.5",
    )
    first = _clean(STROKE, ct())
    second = _clean(STROKE, ct(SOPInstanceUID="1.2.3.4.6", ReferencedImageSequence=[reference]))
    assert first.StudyInstanceUID == second.StudyInstanceUID != "1.2.3.4"
    assert second.ReferencedImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID


def test_cleaning_twice_gives_the_same_bytes() -> None:
    data = to_bytes(ct(ImageType=["ORIGINAL", "PRIMARY"]))
    assert clean(STROKE, data) == clean(STROKE, data)


def test_a_patient_named_in_an_item_is_removed_and_does_not_stop_the_object() -> None:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.9"
    reference.PatientName, reference.PatientID = "SMITH^John", "OTHER"
    data = to_bytes(ct(ReferencedImageSequence=[reference]))
    for script in (STROKE, STRICT):
        cleaned = clean(script, data)
        assert isinstance(cleaned, bytes)
        assert b"SMITH" not in cleaned
        assert b"OTHER" not in cleaned


def test_strict_keeps_no_date_age_or_sex() -> None:
    out = _clean(
        STRICT, ct(PatientAge="045Y", PatientSex="F", SeriesDate="20210314", SeriesDescription="CTA")
    )
    assert out.StudyDate == out.PatientSex == ""
    assert "20210314" not in str(out)
    assert "PatientAge" not in out
    assert "SeriesDescription" not in out
