"""A folder is looked at before anything is done with it."""

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from lethe.errors import Misconfigured, Refused
from lethe.quality.preflight import look

CT = Path(get_testdata_file("CT_small.dcm"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.dcm").write_bytes(CT.read_bytes())
    (tmp_path / "notes.txt").write_text("not DICOM")
    return tmp_path


def test_whole_objects_and_their_patients_are_found(folder):
    found = look(folder)
    assert [path.name for path in found.objects] == ["one.dcm"]
    assert found.patients == (str(pydicom.dcmread(CT).PatientID),)
    assert found.others == 1


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_object_refuses_the_folder_and_is_not_named(folder, kept):
    data = CT.read_bytes()
    (folder / "a" / "Secret^Name.dcm").write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(Refused) as refused:
        look(folder)
    assert refused.value.code == "damaged-object"
    assert "Secret" not in str(refused.value)


def test_a_missing_folder_and_an_empty_one_have_names(tmp_path):
    with pytest.raises(Misconfigured, match="does not exist"):
        look(tmp_path / "nowhere")
    with pytest.raises(Refused, match="no DICOM object"):
        look(tmp_path)


def test_an_object_without_patient_is_refused(folder):
    dataset = pydicom.dcmread(CT)
    dataset.PatientID = ""
    dataset.save_as(folder / "b.dcm")
    with pytest.raises(Refused) as refused:
        look(folder)
    assert refused.value.code == "no-patient-id"
