"""Bad input on the demo's own options: one clear sentence, a remedy, nothing half done."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from kit.people import people
from kit.tables import clinical_table
from system.conftest import run_demo

pytestmark = pytest.mark.system


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    clinical_table(people(3), path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), folder / "1.dcm")
    return folder


def check(process: subprocess.CompletedProcess[str], folder: Path, code: str, status: int) -> None:
    assert process.returncode == status, process.stdout + process.stderr
    lines = [line for line in process.stderr.splitlines() if line.strip()]
    text = " ".join(lines)
    assert f"[{code}]" in text
    assert "Traceback" not in text
    left = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    assert left == []


def test_missing_folder(tmp_path, table):
    demo = tmp_path / "demo"
    run = run_demo(demo, "--dicom", str(tmp_path / "nowhere"), "--table", str(table))
    check(run, demo, "no-folder", 2)


def test_folder_without_dicom(tmp_path, table):
    demo, empty = tmp_path / "demo", tmp_path / "empty"
    empty.mkdir()
    (empty / "letter.txt").write_text("Dear colleague")
    check(run_demo(demo, "--dicom", str(empty), "--table", str(table)), demo, "no-dicom", 4)


def test_corrupt_slice(tmp_path, table, images):
    demo = tmp_path / "demo"
    data = (images / "1.dcm").read_bytes()
    (images / "Mueller_Hans.dcm").write_bytes(data[:-5000])
    run = run_demo(demo, "--dicom", str(images), "--table", str(table))
    check(run, demo, "damaged-object", 4)
    assert "Mueller" not in run.stderr + run.stdout


def test_table_without_the_patient_column(tmp_path, table, images):
    demo = tmp_path / "demo"
    table.write_text(table.read_text().replace("patient_id", "number", 1))
    run = run_demo(demo, "--dicom", str(images), "--table", str(table))
    assert run.returncode in (2, 4)
    assert "patient_id" in run.stderr.replace("\n", " ")
    assert not demo.exists()


def test_table_missing(tmp_path, images):
    demo = tmp_path / "demo"
    run = run_demo(demo, "--dicom", str(images), "--table", str(tmp_path / "none.csv"))
    check(run, demo, "no-table", 2)


def test_one_option_without_the_other(tmp_path, images):
    demo = tmp_path / "demo"
    check(run_demo(demo, "--dicom", str(images)), demo, "options", 2)


@pytest.mark.parametrize("option", ["--http", "--dicom-port"])
def test_busy_port(tmp_path, option):
    demo = tmp_path / "demo"
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        check(run_demo(demo, option, str(holder.getsockname()[1])), demo, "port-busy", 4)


def test_a_second_demo_on_a_running_one(walked, server):
    run = run_demo(walked.folder)
    assert run.returncode == 5
    assert "[archive-in-use]" in run.stderr.replace("\n", "")


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 16 MiB, where this machine lets us mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "lethe-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_disk_space(small_disk):
    demo = small_disk / "demo"
    check(run_demo(demo), demo, "disk-space", 4)


def test_a_demo_folder_is_not_used_for_other_data(tmp_path, table, images):
    demo = tmp_path / "demo"
    demo.mkdir()
    (demo / "input.json").write_text('{"input": "something else"}')
    run = run_demo(demo, "--dicom", str(images), "--table", str(table))
    assert run.returncode == 4
    assert "[other-input]" in run.stderr.replace("\n", "")
