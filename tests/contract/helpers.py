"""What the scenarios share: clients, fresh projects, small DICOM files."""

from __future__ import annotations

import io
import uuid
import zipfile
from dataclasses import dataclass

import pydicom.uid
import pyxnat
import requests
import xnat
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

PASSWORDS = {"admin": "admin", "alice": "alice", "bob": "bob"}


def fresh(prefix="P"):
    return prefix + uuid.uuid4().hex[:8].upper()


@dataclass(frozen=True)
class Site:
    """A server under test, with the clients that talk to it."""

    url: str

    def connect(self, user="admin"):
        return xnat.connect(self.url, user=user, password=PASSWORDS[user], loglevel="ERROR")

    def pyx(self, user="admin"):
        return pyxnat.Interface(server=self.url, user=user, password=PASSWORDS[user])

    def rq(self, method, path, user="admin", **more):
        auth = (user, PASSWORDS[user]) if user else None
        return requests.request(method, self.url + path, auth=auth, allow_redirects=False, timeout=60, **more)

    def new_project(self, owner="admin", **query):
        project = fresh()
        answer = self.rq("PUT", f"/data/projects/{project}", owner, params=query)
        assert answer.status_code == 200, answer.text
        return project

    def mr(self, project, subject="S1", session="S1_MR1", user="admin"):
        answer = self.rq("PUT", f"/data/projects/{project}/subjects/{subject}", user)
        assert answer.status_code in (200, 201)
        path = f"/data/projects/{project}/subjects/{subject}/experiments/{session}"
        answer = self.rq("PUT", path + "?xsiType=xnat:mrSessionData&date=2024-05-01", user)
        assert answer.status_code in (200, 201), answer.text
        return answer.text.strip()


def generate_uid():
    return pydicom.uid.generate_uid()


def dicom_bytes(
    patient="S1",
    pid="S1_MR1",
    study=None,
    series=None,
    num=1,
    inst=1,
    modality="MR",
    desc="T1w",
    project="",
    comments="",
):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4" if modality == "MR" else "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = generate_uid()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientName, ds.PatientID, ds.Modality = patient, pid, modality
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study or generate_uid(), series or generate_uid()
    ds.StudyDate, ds.StudyTime = "20240501", "101500"
    ds.SeriesNumber, ds.InstanceNumber = num, inst
    ds.SeriesDescription, ds.StudyDescription, ds.PatientComments = desc, project, comments
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation, ds.PixelData = 15, 0, b"\0" * 32
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dicom_zip(n_series=2, n_inst=2, **more):
    stream, study = io.BytesIO(), generate_uid()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(1, n_series + 1):
            series = generate_uid()
            for instance in range(1, n_inst + 1):
                one = dicom_bytes(
                    study=study, series=series, num=number, inst=instance, desc=f"SER{number}", **more
                )
                archive.writestr(f"st/{number}/{instance}.dcm", one)
    return stream.getvalue()
