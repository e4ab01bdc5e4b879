"""C-STORE and C-ECHO with real senders."""

from __future__ import annotations

import errno
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from lethe.archive import content, intake, items
from lethe.archive.context import Context
from lethe.archive.intake import http_scp, prearchive, scp
from lethe.archive.intake.folders import SessionFolder
from lethe.archive.intake.objects import file_name, same_content
from lethe.archive.intake.prearchive import Status
from lethe.archive.intake.runtime import receiver_rows
from lethe.archive.problem import Problem

from .conftest import as_file, new_study, study_objects


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


def stored_files(ctx: Context, label: str) -> list[Path]:
    session = items.find_experiment(ctx, label, "P")
    assert session is not None
    return [
        content.file_path(ctx, resource, entry)
        for scan in items.children(ctx, session, "scan")
        for resource in content.list_resources(ctx, [scan])
        for entry in content.list_files(ctx, resource)
    ]


ROUTED = {"PatientComments": "Project:P Subject:A1B2 Session:A1B2_X"}


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless])
def test_compressed_pixels_arrive_as_they_were_sent(receiving: Context, syntax: str, tmp_path: Path) -> None:
    (data,) = study_objects(1, 1, **ROUTED)
    data.PixelData = encapsulate([b"\x01\x02\x03\x04"])
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    data.file_meta.TransferSyntaxUID = syntax
    assert send(receiving, [data]) == [0]
    settle(receiving)
    sent = tmp_path / "sent.dcm"
    sent.write_bytes(as_file(data))
    (stored,) = stored_files(receiving, "A1B2_X")
    assert same_content(stored, sent)
    assert pydicom.dcmread(stored).file_meta.TransferSyntaxUID == syntax


def test_a_large_object_is_not_held_in_memory(receiving: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[int] = []
    original = scp._Spool.write

    def write(self: scp._Spool, data: object) -> int:
        grown.append(len(self.getvalue()))
        return original(self, data)

    monkeypatch.setattr(scp._Spool, "write", write)
    (data,) = study_objects(1, 1, rows=1024, **ROUTED)
    assert send(receiving, [data]) == [0]
    assert grown
    assert set(grown) == {0}


def test_an_object_sent_twice_is_there_once(receiving: Context) -> None:
    objects = study_objects(1, 2, **ROUTED)
    assert send(receiving, objects + objects) == [0, 0, 0, 0]
    settle(receiving)
    assert len(stored_files(receiving, "A1B2_X")) == 2
    assert send(receiving, objects) == [0, 0]
    settle(receiving)
    assert prearchive.listing(receiving) == []
    assert len(stored_files(receiving, "A1B2_X")) == 2


@pytest.mark.requirement("E-75")
def test_other_bytes_under_a_known_uid_are_refused_and_the_first_stay(receiving: Context) -> None:
    study = new_study()
    first = study_objects(1, 1, study, **ROUTED)
    other = study_objects(1, 1, study, ImageComments="other", **ROUTED)
    assert send(receiving, first + other) == [0, scp.DUPLICATE_OBJECT]
    settle(receiving)
    assert send(receiving, other) == [0]  # a new session of the prearchive, which then conflicts
    settle(receiving)
    (row,) = prearchive.listing(receiving)
    assert row.status == Status.CONFLICT
    (stored,) = stored_files(receiving, "A1B2_X")
    assert "ImageComments" not in pydicom.dcmread(stored)


def test_late_objects_join_the_archived_session(receiving: Context) -> None:
    objects = study_objects(2, 2, **ROUTED)
    send(receiving, objects[:1])
    settle(receiving)
    send(receiving, objects[1:])
    settle(receiving)
    assert len(stored_files(receiving, "A1B2_X")) == 4
    assert prearchive.listing(receiving) == []


def test_code_0_keeps_a_session_in_the_prearchive_until_somebody_archives_it(receiving: Context) -> None:
    receiving.store.set_setting("project.P.prearchive_code", "0")
    send(receiving, study_objects(1, 1, **ROUTED))
    settle(receiving)
    (row,) = prearchive.listing(receiving)
    assert row.status == Status.READY
    wish = {"PatientComments": "Project:P Subject:A1B2 Session:NOW AA:true"}
    send(receiving, study_objects(1, 1, **wish))
    settle(receiving)
    assert len(stored_files(receiving, "NOW")) == 1


def test_code_5_lets_new_bytes_replace_old_ones(receiving: Context) -> None:
    receiving.store.set_setting("project.P.prearchive_code", "5")
    study = new_study()
    for values in ({}, {"ImageComments": "other"}):
        send(receiving, study_objects(1, 1, study, **ROUTED, **values))
        settle(receiving)
    (stored,) = stored_files(receiving, "A1B2_X")
    assert pydicom.dcmread(stored).ImageComments == "other"


def test_without_a_project_an_object_waits_unassigned(receiving: Context) -> None:
    send(receiving, study_objects(1, 1))
    settle(receiving)
    (row,) = prearchive.listing(receiving)
    assert (row.project, row.status) == ("Unassigned", Status.READY)


def test_an_object_without_a_study_is_refused(receiving: Context) -> None:
    (data,) = study_objects(1, 1)
    del data.StudyInstanceUID
    assert send(receiving, [data]) == [scp.NOT_UNDERSTOOD]
    assert prearchive.listing(receiving) == []
    assert list((receiving.root / "tmp").iterdir()) == []


@pytest.mark.requirement("M-59")
def test_an_identifying_header_is_kept_aside_and_the_sender_is_told(receiving: Context) -> None:
    items.create_project(receiving, "Q_INTAKE", login="alice")
    objects = study_objects(1, 1, PatientComments="Project:Q_INTAKE", PatientBirthDate="19500101")
    assert send(receiving, objects) == [scp.NOT_AUTHORIZED]
    assert prearchive.listing(receiving) == []
    assert len(list((receiving.root / "quarantine" / "Q_INTAKE").glob("*.dcm"))) == 1


def test_a_broken_off_association_leaves_no_file(receiving: Context) -> None:
    (data,) = study_objects(1, 1, rows=1536, **ROUTED)
    entity = AE()
    entity.add_requested_context(data.SOPClassUID, data.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", receiving.dicom_port or 0, ae_title="XNAT")
    original = association.dul.send_pdu
    sent: list[object] = []

    def broken(primitive: object) -> None:
        sent.append(primitive)
        if len(sent) == 4:
            association.dul.socket.close()
        original(primitive)

    association.dul.send_pdu = broken
    association.network_timeout = 1
    association.dimse_timeout = 1
    association.send_c_store(data)
    association.abort()
    deadline = time.monotonic() + 30
    while list((receiving.root / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((receiving.root / "tmp").iterdir()) == []
    assert prearchive.listing(receiving) == []


def test_a_full_disk_is_told_and_nothing_is_acknowledged(
    receiving: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(SessionFolder, "place", full)
    assert send(receiving, study_objects(1, 1, **ROUTED)) == [scp.OUT_OF_RESOURCES]
    assert list((receiving.root / "tmp").iterdir()) == []


def test_the_configuration_of_receivers(receiving: Context) -> None:
    rows = receiver_rows(receiving)
    assert [(row["aeTitle"], row["port"]) for row in rows] == [("XNAT", receiving.dicom_port)]
    extra = {**http_scp.DEFAULTS, "aeTitle": "TRIAL", "port": receiving.dicom_port, "whitelistEnabled": True,
             "whitelist": ["SENDER"], "routingExpressionsEnabled": True,
             "projectRoutingExpression": "(0008,1010):(.*)"}  # fmt: skip
    http_scp.save(receiving, extra)
    runtime = intake.runtime_of(receiving)
    runtime.open_receivers()
    assert send(receiving, study_objects(1, 1, StationName="P"), called="TRIAL") == [0]
    (row,) = prearchive.listing(receiving)
    assert row.project == "P"
    entity = AE(ae_title="STRANGER")
    entity.add_requested_context(Verification)
    assert entity.associate("127.0.0.1", receiving.dicom_port or 0, ae_title="TRIAL").is_rejected
    with pytest.raises(Problem):
        http_scp.save(receiving, extra)


@pytest.mark.skipif(shutil.which("storescu") is None, reason="needs dcmtk")
def test_dcmtk_sends_a_folder(receiving: Context, tmp_path: Path) -> None:
    for index, data in enumerate(study_objects(2, 3, **ROUTED)):
        (tmp_path / f"{index}.dcm").write_bytes(as_file(data))
    command = ["storescu", "-aec", "XNAT", "127.0.0.1", str(receiving.dicom_port), "+sd", str(tmp_path)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    settle(receiving)
    assert len(stored_files(receiving, "A1B2_X")) == 6
