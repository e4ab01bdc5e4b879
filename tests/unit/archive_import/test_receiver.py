"""C-STORE and C-ECHO with real senders."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import AE, StoragePresentationContexts
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from lethe.archive import content, intake, items
from lethe.archive.context import Context
from lethe.archive.intake import prearchive
from lethe.archive.intake.objects import file_name, same_content
from lethe.archive.intake.prearchive import Status

from .conftest import as_file, dicom_dataset, new_study, study_objects


@pytest.fixture
def receiving(ctx: Context) -> Iterator[Context]:
    """The archive with its receiver open and a rebuilder that waits for `tick`."""
    ctx.dicom_port, ctx.http_url = 0, "http://127.0.0.1:1"
    ctx.settings.set("sessionXmlRebuilderInterval", 1000)
    intake.start(ctx)
    yield ctx
    intake.stop(ctx)


def send(ctx: Context, objects: list[Dataset], *, called: str = "XNAT") -> list[int]:
    """Send by one association; return the status of each object."""
    entity = AE(ae_title="SENDER")
    for data in objects:
        entity.add_requested_context(data.SOPClassUID, data.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", ctx.dicom_port or 0, ae_title=called)
    assert association.is_established
    statuses = [association.send_c_store(data).Status for data in objects]
    association.release()
    return statuses


def settle(ctx: Context) -> None:
    """Let every session come to rest now."""
    runtime = intake.runtime_of(ctx)
    runtime.interval_minutes = 0
    runtime.tick()
    runtime.interval_minutes = None


def archived_names(ctx: Context, label: str) -> list[str]:
    session = items.find_experiment(ctx, label, "P")
    assert session is not None
    return [
        entry.path
        for scan in items.children(ctx, session, "scan")
        for resource in content.list_resources(ctx, [scan])
        for entry in content.list_files(ctx, resource)
    ]


def test_the_receiver_answers_an_echo(receiving: Context) -> None:
    entity = AE()
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", receiving.dicom_port or 0, ae_title="XNAT")
    assert association.send_c_echo().Status == 0
    association.release()


def test_an_unknown_called_title_is_rejected(receiving: Context) -> None:
    entity = AE()
    entity.add_requested_context(Verification)
    assert entity.associate("127.0.0.1", receiving.dicom_port or 0, ae_title="OTHER").is_rejected


@pytest.mark.requirement("E-62")
def test_objects_are_routed_by_comments_into_prearchive_then_archive(receiving: Context) -> None:
    objects = study_objects(PatientComments="Project:P Subject:A1B2 Session:A1B2_X")
    assert send(receiving, objects) == [0, 0, 0, 0]
    (row,) = prearchive.listing(receiving)
    assert (row.project, row.subject, row.label, row.status) == ("P", "A1B2", "A1B2_X", Status.RECEIVING)
    settle(receiving)
    assert prearchive.listing(receiving) == []
    names = sorted(archived_names(receiving, "A1B2_X"))
    assert names == sorted(file_name(data.SOPInstanceUID) for data in objects)
