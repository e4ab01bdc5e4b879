"""An archive with a project, DICOM objects out of nothing, and the import part behind a small application."""

from __future__ import annotations

import io
import socketserver
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from kit.quick_archive import prepare
from lethe.archive import accounts, intake, items
from lethe.archive.context import Context, open_context
from lethe.archive.model import User
from lethe.archive.web.gate import Gate
from lethe.archive.web.sessions import Sessions

MR, CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"


def dicom_dataset(
    *, study: str, series: str, number: int = 1, instance: int = 1, modality: str = "MR", rows: int = 4,
    sop: str = "", **values: object,
) -> Dataset:  # fmt: skip
    """Make a small image object; `values` are further attributes by keyword."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = MR if modality == "MR" else CT
    data.SOPInstanceUID = sop or f"{series}.{instance}"
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.Modality, data.StudyInstanceUID, data.SeriesInstanceUID = modality, study, series
    data.PatientName, data.PatientID = "A1B2", "A1B2_MR"
    data.StudyDate, data.StudyTime = "20240501", "101500"
    data.SeriesNumber, data.InstanceNumber, data.SeriesDescription = number, instance, f"SER{number}"
    data.Rows = data.Columns = rows
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelData = instance.to_bytes(2, "little") * (rows * rows)
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def new_study() -> str:
    """Return a UID that no other test has."""
    return f"1.2.826.0.1.{uuid.uuid4().int % 10**24}"


def as_file(data: Dataset) -> bytes:
    """Return the object in DICOM file format."""
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def study_objects(
    n_series: int = 2, n_instances: int = 2, study: str = "", **values: object
) -> list[Dataset]:
    """Return the objects of one study."""
    study = study or new_study()
    return [
        dicom_dataset(study=study, series=f"{study}.{s}", number=s, instance=i, **values)  # type: ignore[arg-type]
        for s in range(1, n_series + 1)
        for i in range(1, n_instances + 1)
    ]


def as_zip(objects: list[Dataset]) -> bytes:
    """Return the objects as a zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for index, data in enumerate(objects):
            packed.writestr(f"study/{index:04d}.dcm", as_file(data))
    return stream.getvalue()


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the machine has one: these tests wait for no disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def ctx(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """An archive with users alice (owner of P) and bob, and admin."""
    monkeypatch.setattr(accounts, "_COST", {"n": 2, "r": 1, "p": 1})
    # servers look every half second whether they shall stop
    monkeypatch.setattr(socketserver.BaseServer.serve_forever, "__defaults__", (0.02,))
    context = open_context(prepare(quick_path / "root"))
    for login in ("admin", "alice", "bob"):
        accounts.create_user(context, login, password=login, email=f"{login}@example.org")
    accounts.grant(context, "admin", "Administrator")
    items.create_project(context, "P", login="alice")
    yield context
    context.store.close()


@pytest.fixture
def alice(ctx: Context) -> User:
    found = accounts.find_user(ctx, "alice")
    assert found is not None
    return found


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    """Alice at the import part of the archive."""
    gate = Middleware(Gate, ctx=ctx, sessions=Sessions(ctx))
    with TestClient(Starlette(routes=list(intake.routes(ctx)), middleware=[gate])) as found:
        found.auth = ("alice", "alice")
        yield found


@pytest.fixture
def zip_of_two_series() -> bytes:
    return as_zip(study_objects())
