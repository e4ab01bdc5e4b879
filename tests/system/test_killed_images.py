"""The image commands killed at many moments: the next run gives the same bytes and leaves nothing else."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.people import people
from unit.command.test_nifti_to_dicom import make_scan

pytestmark = pytest.mark.system
KILLS = {"deface": 1}  # which takes long
Program = Callable[[Path, Path], list[str]]


def lethe(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import lethe.cli; lethe.cli.main()", "image", *arguments]


def container(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import lethe.command; lethe.command.main()", *arguments]


PROGRAMS: dict[str, Program] = {
    "convert": lambda i, o: lethe("convert", f"{i}/dicom", f"{o}/nifti"),
    "deface": lambda i, o: lethe(
        *("deface", f"{i}/whole/image.nii.gz", f"{o}/image.nii.gz", "--mask-out", f"{o}/mask.nii.gz"),
        *("--report", f"{o}/report.json", "--pictures", f"{o}/pictures"),
    ),
    "rebuild": lambda i, o: lethe("rebuild", f"{i}/dicom", f"{i}/nifti", f"{o}/new", "--qc", f"{i}/qc"),
    "check": lambda i, o: lethe("check", f"{i}/dicom", "--sheet", f"{o}/sheet.png"),
    "dicom-to-nifti": lambda i, o: container("dicom-to-nifti", "--input", f"{i}/dicom", "--output", str(o)),
    "nifti-to-dicom": lambda i, o: container(
        *("nifti-to-dicom", "--input", f"{i}/dicom", "--nifti", f"{i}/nifti", "--qc", f"{i}/qc"),
        *("--output", str(o)),
    ),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a cleaned series, its image, the image without its face, and the verdict."""
    root = tmp_path_factory.mktemp("source")
    make_scan(root, people(1, seed=8)[0])
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Return files and folders, without the seconds that provenance tells."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if path.name != "provenance.json"
    }


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.mark.requirement("M-20", "M-27")
@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_run_after_a_killed_one_gives_the_same_and_leaves_nothing(
    source: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    program = PROGRAMS[name](source, out)
    for _ in range(2):  # the first one also fills the caches
        emptied(out)
        began = time.monotonic()
        subprocess.run(program, check=True, capture_output=True)
        took = time.monotonic() - began
    wanted = contents(out)
    chance = random.Random(name)
    for _ in range(KILLS.get(name, 4)):
        emptied(out)
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(took * chance.uniform(0.3, 1.0))
        process.kill()
        process.wait()
        time.sleep(0.3)  # the work of a container ends when it notices that its parent is gone
        if contents(out) != wanted:  # else it had come to its end
            again = subprocess.run(program, check=False, capture_output=True, text=True)
            assert again.returncode == 0, again.stderr
            assert contents(out) == wanted
