"""A session in one launch: each scan on its lane, one bad scan among good ones, what the report says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from kit import kinds, phantom
from kit.people import people
from lethe.command import prepare_session
from lethe.command.clean_header import COMMAND as CLEAN_HEADER
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
