"""A session in one launch: each scan on its lane, one bad scan among good ones, what the report says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from kit import kinds, phantom
from kit.people import people
from lethe.command import deface, prepare_session
from lethe.command.clean_header import COMMAND as CLEAN_HEADER
from lethe.command.model import Command, Done, Job
from lethe.command.prepare_session import COMMAND
from lethe.errors import Refused

from .conftest import Bench
from .test_rooms import COARSE, _from_the_hospital


@pytest.fixture(scope="module")
def perfusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series that stays DICOM, as it comes from a hospital: quick to work on."""
    folder = tmp_path_factory.mktemp("perfusion")
    person = people(1, seed=8)[0]
    raw = folder / "raw"
    raw.mkdir()
    kinds.write_perfusion(phantom.head("ct", spacing=COARSE), raw, person=person, times=4, slices=2)
    _from_the_hospital(raw, folder / "DICOM", person, folder / "lookup.properties")
    return folder / "DICOM"


@pytest.fixture
def session(bench: Bench, perfusion: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench whose input is a session of ten scans, the tenth of them letters."""
    monkeypatch.setattr(prepare_session, "_import_all", lambda: None)  # de-facing is not needed here
    monkeypatch.setattr(prepare_session, "share_threads", lambda environment, workers: None)
    for number in range(1, 11):
        shutil.copytree(perfusion, bench.source / "SCANS" / str(number) / "DICOM")
    for path in (bench.source / "SCANS/10/DICOM").rglob("*.dcm"):
        path.write_text("Dear colleague")
    (bench.source / "SCANS/11/SNAPSHOTS").mkdir(parents=True)
    (bench.source / "RESOURCES/NOTES").mkdir(parents=True)
    return bench


def _report(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bench.output / "report/report.json").read_text())
    return found


@pytest.mark.requirement("L-10", "L-13", "M-22")
def test_one_bad_scan_among_ten_stops_no_other_and_is_told_with_step_and_reason(session: Bench) -> None:
    assert session.run(COMMAND) == 0, session.err.getvalue()
    report = _report(session)
    assert report["verdict"] == "partly-prepared"
    *good, bad = report["scans"]
    assert [row["scan"] for row in good] == [str(number) for number in range(1, 10)]
    for row in good:
        assert (row["lane"], row["verdict"], row["failed"]) == ("header-only", "clean", None)
        assert row["resources"] == ["CONVERSION", "DICOM_CLEAN"]
    assert bad["failed"]["step"] == "dicom-to-nifti"
    assert bad["failed"]["sentence"]
    assert not (session.output / "scans/10").exists()
    assert "9 of 10 scans prepared, 1 failed" in session.out.getvalue()
    inputs = json.loads((session.output / "report/provenance.json").read_text())["inputs"]
    assert len(inputs) == 9 * 8


@pytest.mark.requirement("A-92")
def test_the_resources_of_a_scan_are_the_bytes_of_the_single_command(
    session: Bench, perfusion: Path, tmp_path: Path
) -> None:
    assert session.run(COMMAND) == 0
    single = Bench(perfusion, tmp_path / "single")
    single.output.mkdir()
    assert single.run(CLEAN_HEADER) == 0
    here, there = session.output / "scans/3/DICOM_CLEAN", single.output / "clean"
    files = [path.relative_to(there) for path in there.rglob("*") if path.is_file()]
    assert len(files) == 9
    for name in files:
        assert (here / name).read_bytes() == (there / name).read_bytes()


def test_a_session_without_dicom_and_one_without_any_good_scan_are_refused(
    session: Bench, tmp_path: Path
) -> None:
    for number in range(1, 10):
        shutil.rmtree(session.source / "SCANS" / str(number))
    assert session.run(COMMAND) == 4
    assert "No scan could be prepared" in session.err.getvalue()
    shutil.rmtree(session.source / "SCANS/10")
    assert session.run(COMMAND) == 4
    assert "No scan of the session has a DICOM resource" in session.err.getvalue()
    assert list(session.output.iterdir()) == []


def test_a_disk_that_runs_full_ends_the_launch_and_not_a_scan(
    session: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*_: object) -> None:
        raise Refused("converter-failed", "The converter wrote nothing.")

    monkeypatch.setattr(prepare_session, "perform", starved)
    monkeypatch.setattr(prepare_session, "is_full", lambda folder, size: True)
    assert session.run(COMMAND) == 5
    assert "disk of the output folder is full" in session.err.getvalue()
    assert list(session.output.iterdir()) == []


def test_a_scan_whose_process_is_killed_keeps_the_steps_it_had_finished(
    session: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = prepare_session.perform

    def perform(command: Any, job: Any) -> Any:
        if command.name == "clean-header" and job.input.parent.name == "2":
            os.kill(os.getpid(), 9)
        return real(command, job)

    monkeypatch.setattr(prepare_session, "perform", perform)
    assert session.run(COMMAND) == 0
    row = _report(session)["scans"][1]
    assert (row["failed"]["code"], row["resources"]) == ("killed", ["CONVERSION"])


# ---- scans that help one another --------------------------------------------------------------------------


class Rooms:
    """Stands in for the work on heads: verdicts by scan, first alone, then beside another scan."""

    def __init__(self, alone: dict[str, str], beside: dict[str, str], thickness: dict[str, float]) -> None:
        self.alone, self.beside, self.thickness = alone, beside, thickness
        self.notes: list[str] = []

    def perform(self, command: Command, job: Job) -> Done:
        scan = (job.input if command.name != "deface" else job.input.parent / "x").parent.name
        verdict = "deface"
        if command.name == "dicom-to-nifti":
            size = (1.0, 1.0, self.thickness.get(scan, 1.0))
            image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.diag([*size, 1.0]))
            nibabel.save(image, job.folder("nifti") / "image.nii.gz")
        if command.name == "deface":
            second = command is not deface.COMMAND
            verdict = (self.beside if second else self.alone)[scan]
            if verdict == "refused":
                raise Refused("small-volume", "It is too thin.")
            if verdict == "killed":
                os.kill(os.getpid(), 9)
            (job.folder("defaced") / "image.nii.gz").write_text(
                f"{verdict} {'beside' if second else 'alone'}"
            )
        return Done(verdict, [])


@pytest.mark.parametrize(
    ("alone", "beside", "verdict", "image"),
    [
        ("review", "pass", "pass", "pass beside"),
        ("review", "refused", "review", "review alone"),
        ("review", "killed", "review", "review alone"),
        ("refused", "pass", "pass", "pass beside"),
        ("refused", "review", "review", "review beside"),
        ("pass", "review", "pass", "pass alone"),  # thick, so it is looked at again
        ("pass", "pass", "pass", "pass beside"),
    ],
)
@pytest.mark.requirement("M-24")
def test_a_scan_with_doubts_takes_the_pose_of_the_finest_scan_of_its_frame_if_that_helps(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    alone: str,
    beside: str,
    verdict: str,
    image: str,
) -> None:
    rooms = Rooms({"1": "pass", "2": alone, "3": "review"}, {"2": beside}, {"1": 1.0, "2": 5.0, "3": 5.0})
    monkeypatch.setattr(prepare_session, "_import_all", lambda: None)
    monkeypatch.setattr(prepare_session, "share_threads", lambda environment, workers: None)
    monkeypatch.setattr(prepare_session, "perform", rooms.perform)
    for number, frame in (("1", "1.2.3"), ("2", "1.2.3"), ("3", "1.2.4")):  # the third shares with none
        folder = bench.source / "SCANS" / number / "DICOM"
        folder.mkdir(parents=True)
        dataset = pydicom.Dataset()
        dataset.FrameOfReferenceUID = frame
        pydicom.dcmwrite(folder / "a.dcm", dataset, implicit_vr=True, little_endian=True)
    assert bench.run(COMMAND) == 0, bench.err.getvalue()
    one, two, three = _report(bench)["scans"]
    assert (one["verdict"], three["verdict"]) == ("pass", "review")
    assert (two["verdict"], two["failed"]) == (verdict, None)
    assert (bench.output / "scans/2/NIFTI_DEFACED/image.nii.gz").read_text() == image
