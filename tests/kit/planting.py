"""Identifiers planted into DICOM data sets, in the many places where hospitals put them."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from kit.people import Person

# Private blocks as the vendors write them: group, creator, element, VR, which identifier goes in.
_PRIVATE = (
    (0x0009, "SIEMENS CT VA0  IDE", 0x10, "LO", "name"),
    (0x0019, "GEMS_ACQU_01", 0x5A, "LO", "patient_id"),
    (0x0029, "SIEMENS MEDCOM HEADER", 0x20, "LT", "both"),
    (0x2001, "Philips Imaging DD 001", 0x63, "SH", "accession"),
    (0x7005, "TOSHIBA_MEC_CT3", 0x0A, "UT", "both"),
)


def uid(*parts: object) -> str:
    """Return a UID that follows from `parts` alone, so that a second run writes the same object."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def plant(dataset: Dataset, person: Person, *, study: int = 0) -> None:
    """Write the person's identifiers into `dataset`, over what it held.

    Parameters
    ----------
    dataset : Dataset
        Changed in place.
    person : Person
        Whose identifiers are planted.
    study : int
        0 for the first imaging, 1 for the follow-up some days later.
    """
    when = person.event + timedelta(minutes=95, days=4 * study)
    _patient(dataset, person)
    _study(dataset, person, when, study)
    _free_text(dataset, person)
    _nested(dataset, person, when)
    for group, creator, element, vr, which in _PRIVATE:
        value = {
            "name": person.name,
            "patient_id": person.patient_id,
            "accession": person.accession,
            "both": f"{person.name} / {person.birth_date} / {person.patient_id}",
        }[which]
        block = dataset.private_block(group, creator, create=True)
        block.add_new(element, vr, value[:16] if vr == "SH" else value)


def _patient(dataset: Dataset, person: Person) -> None:
    if not all(ord(letter) < 128 for letter in person.name):
        dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = person.name
    dataset.PatientID = person.patient_id
    dataset.PatientBirthDate = person.birth_date
    dataset.PatientSex = person.sex
    dataset.PatientAge = f"{person.age:03d}Y"
    dataset.PatientAddress = person.address
    dataset.PatientTelephoneNumbers = person.phone
    dataset.OtherPatientNames = person.name
    dataset.PatientMotherBirthName = person.name
    dataset.PatientBirthTime = "043112"
    dataset.MilitaryRank = "Korporal"
    dataset.EthnicGroup = "unknown"
    dataset.Occupation = "retired"
    dataset.PatientWeight = 71.5
    dataset.CountryOfResidence = "CH"
    dataset.IssuerOfPatientID = person.institution


def _study(dataset: Dataset, person: Person, when: datetime, study: int) -> None:
    day, time = f"{when:%Y%m%d}", f"{when:%H%M%S}"
    dataset.StudyInstanceUID = uid(person.patient_id, "study", study)
    dataset.FrameOfReferenceUID = uid(person.patient_id, "frame", study)
    dataset.StudyID = person.accession
    dataset.AccessionNumber = person.accession
    for part in ("Study", "Series", "Acquisition", "Content"):
        setattr(dataset, f"{part}Date", day)
        setattr(dataset, f"{part}Time", time)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = day, time
    dataset.AcquisitionDateTime = f"{day}{time}.000000"
    dataset.ReferringPhysicianName = person.physician
    dataset.PerformingPhysicianName = person.physician
    dataset.OperatorsName = person.physician
    dataset.RequestingPhysician = person.physician
    dataset.PhysiciansOfRecord = person.physician
    dataset.NameOfPhysiciansReadingStudy = person.physician
    dataset.InstitutionName = person.institution
    dataset.InstitutionAddress = person.address
    dataset.InstitutionalDepartmentName = f"Neuroradiologie {person.institution}"
    dataset.StationName = "CTNEURO07"
    dataset.DeviceSerialNumber = "SN0047110815"
    dataset.PerformedProcedureStepID = person.accession
    dataset.PerformedProcedureStepStartDate = day
    dataset.RequestedProcedureID = person.accession


def _free_text(dataset: Dataset, person: Person) -> None:
    given, family = person.given, person.family
    dataset.StudyDescription = f"Schaedel nativ {family}"
    dataset.SeriesDescription = f"Kopf 1.5 {family}"
    dataset.ProtocolName = f"Stroke {person.patient_id}"
    dataset.PatientComments = f"{given} {family}, {person.address}, Tel. {person.phone}"
    dataset.ImageComments = f"{family}, {given} {person.birth_date_iso}"
    dataset.AdditionalPatientHistory = f"Transferred from {person.institution}, {person.physician}"
    dataset.RequestedProcedureDescription = f"CT {family}"
    dataset.ReasonForTheRequestedProcedure = f"Hemiparesis, {given} {family}"


def _nested(dataset: Dataset, person: Person, when: datetime) -> None:
    request = Dataset()
    request.AccessionNumber = person.accession
    request.RequestingPhysician = person.physician
    request.RequestedProcedureID = person.accession
    request.ScheduledProcedureStepDescription = f"Kopf {person.family}"
    inner = Dataset()
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "CT01", "99LOCAL", person.name
    request.RequestedProcedureCodeSequence = Sequence([inner])
    dataset.RequestAttributesSequence = Sequence([request])
    other = Dataset()
    other.PatientID = person.patient_id
    other.IssuerOfPatientID = person.institution
    other.TypeOfPatientID = "TEXT"
    dataset.OtherPatientIDsSequence = Sequence([other])
    before = Dataset()
    before.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    before.ReferencedSOPInstanceUID = uid(person.patient_id, "before")
    before.PatientName = person.name
    before.StudyDate = f"{when:%Y%m%d}"
    dataset.ReferencedImageSequence = Sequence([before])
