"""Images and table of the same patients under one intake session."""

from collections import Counter
from datetime import date, datetime, timedelta

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from kit.people import people
from kit.tables import clinical_table
from lethe.clinical import Dictionary, Role, link_table, read_table, scramble_table
from lethe.clinical.release import write_release
from lethe.header import Anonymizer, apply_tree, bundled_script, load_lookup, load_script
from lethe.identity import IntakeSession
from lethe.identity.leftovers import search

PEOPLE = people(10)


def write_object(person, number, path):
    uid = generate_uid(entropy_srcs=[person.patient_id, str(number)])
    day = person.event + timedelta(days=number // 2 * 30)  # acute, one month, two months
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[person.patient_id, "study", str(number // 2)])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[uid, "series"])
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientID, dataset.PatientName = person.patient_id, person.name
    dataset.PatientBirthDate, dataset.PatientSex = person.birth_date, person.sex
    dataset.PatientAge, dataset.PatientAddress = person.dicom_age, person.address
    dataset.AccessionNumber, dataset.InstitutionName = person.accession, person.institution
    dataset.ReferringPhysicianName = person.physician
    for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(dataset, name, f"{day:%Y%m%d}")
    dataset.StudyTime = dataset.ContentTime = f"{day:%H%M%S}"
    dataset.SeriesDescription = "Head 5.0"
    dataset.StudyDescription = "CT head"
    dataset.InstanceNumber = number + 1
    dataset.Rows = dataset.Columns = 4
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = bytes(32)
    dataset.save_as(path, enforce_file_format=True)
    return day.date()


@pytest.mark.requirement("T-7", "T-8", "M-33", "M-47", "A-26", "A-29")
def test_table_and_sixty_objects_of_ten_patients_move_by_the_same_number_of_days(tmp_path):
    dictionary = Dictionary.load()
    source = tmp_path / "hospital"
    source.mkdir()
    studies = {
        person.patient_id: [write_object(person, n, source / f"{who}-{n}.dcm") for n in range(6)]
        for who, person in enumerate(PEOPLE)
    }
    clinical_table(PEOPLE, source / "registry.csv")
    session = IntakeSession.open(tmp_path / "session", key_file=tmp_path / "key")
    given = session.assign(studies)
    session.write_lookup_table(tmp_path / "lookup.properties")

    stages = [
        Anonymizer(load_script(bundled_script("stroke")), load_lookup(tmp_path / "lookup.properties")),
        Anonymizer(load_script(bundled_script("routing"), parameters={"PROJECT": "STROKE"})),
    ]
    images = tmp_path / "images"
    (source / "registry.csv").rename(tmp_path / "registry.csv")
    report = apply_tree(stages, source, images, quarantine=tmp_path / "quarantine")
    assert report.counts["OK"] == 60, report
    table = read_table(tmp_path / "registry.csv", dictionary, patient_column="patient_id")
    linked = link_table(table, dictionary, given, patient_column="patient_id")
    moved = linked.set_index("prid")

    originals = {given[patient].prid: days for patient, days in studies.items()}
    shifts = {given[patient].prid: timedelta(days=given[patient].shift_days) for patient in studies}
    seen: Counter[str] = Counter()
    for path in images.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        prid = str(dataset.PatientID)
        seen[prid] += 1
        day = datetime.strptime(dataset.StudyDate, "%Y%m%d").date()
        assert day - shifts[prid] in originals[prid]
        assert {dataset.StudyDate} == {
            dataset[n].value for n in ("SeriesDate", "AcquisitionDate", "ContentDate") if n in dataset
        }
        assert f"Session:{prid}_{dataset.StudyDate}_CT_" in dataset.PatientComments
    assert seen == dict.fromkeys(originals, 6)
    for person in PEOPLE:
        prid = given[person.patient_id].prid
        onset = datetime.fromisoformat(moved.loc[prid, "onset_datetime"])
        assert onset == person.event.replace(second=0) + shifts[prid]
        assert date(onset.year, onset.month, onset.day) - shifts[prid] in originals[prid]

    released = scramble_table(linked, dictionary, noise_key=session.noise_key)
    (tmp_path / "clinical").mkdir()
    write_release(released, dictionary, tmp_path / "clinical")
    assert set(released.table["prid"]) == set(seen)
    for name in dictionary.with_role(Role.DATE):
        assert released.table[name].equals(linked[name])
    session.seal()
    planted = [text for person in PEOPLE for text in person.planted()]
    assert search([images, tmp_path / "clinical", tmp_path / "session"], planted) == []
