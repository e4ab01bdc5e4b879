"""The test kit tells the truth about itself, and the command line does what the library does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

from kit import cranium, vendor
from kit.people import Person
from kit.phantom import Tissue, Volume, draw, head
from lethe.cli.image import app
from lethe.errors import Misconfigured, Outcome, Refused
from lethe.image.frames import dicom_files


def test_the_phantom_is_the_same_for_the_same_seed_and_has_a_face() -> None:
    first, second, other = (head("ct", spacing=(6, 6, 8), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.data, second.data)
    assert not np.array_equal(first.data, other.data)
    labels, canvas, _ = draw(spacing=(4, 4, 4))
    brain = (labels == Tissue.GREY) | (labels == Tissue.WHITE)
    litres = brain.sum() * 64e-6
    assert 0.8 < litres < 1.6
    nose = (labels != Tissue.AIR) & (np.abs(canvas.x) < 6) & (canvas.y > 100)
    assert nose.any()
    assert not brain[:, int(canvas.shape[1] * 0.87) :].any()


def test_every_planted_identifier_is_in_every_object(
    written: dict[str, Path], person: Person, tmp_path: Path
) -> None:
    sample = vendor.write_sample("mr-toshiba", tmp_path / "sample", person=person)[0]
    for path in (next(written["ct"].iterdir()), sample):
        with_text = pydicom.dcmread(path, stop_before_pixels=True).to_json()
        for word in (person.patient_id, person.family, person.birth_date, person.address, person.accession):
            assert word in with_text


def test_without_the_debian_client_the_reason_is_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fetched = cranium.fetch(tmp_path / "cache")
    assert fetched.volume is None
    assert "apt-get" in fetched.reason


@pytest.mark.requirement("T-9")
def test_the_command_line_names_the_lane(written: dict[str, Path]) -> None:
    result = CliRunner().invoke(app, ["lane", str(written["ct"]), "--output", "json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["lane"] == "deface"


@pytest.mark.requirement("M-20")
def test_the_command_line_converts_and_a_dry_run_keeps_nothing(
    written: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "nifti"
    dry = CliRunner().invoke(app, ["convert", str(written["mr"]), str(target), "--dry-run"])
    assert dry.exit_code == 0
    assert not target.exists()
    wet = CliRunner().invoke(app, ["convert", str(written["mr"]), str(target), "--output", "json"])
    assert json.loads(wet.stdout)["conservation"]["conserved"] is True
    assert sorted(path.name for path in target.iterdir()) == ["image.json", "image.nii.gz"]


def test_folders_may_be_named_from_where_one_stands(
    written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(written["mr"], tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["convert", "in", "out/of/here"]).exit_code == 0
    assert len(list((tmp_path / "out/of/here").iterdir())) == 2


def test_a_refusal_reaches_the_shell_as_one_line_and_exit_code_four(
    tmp_path: Path, ct: Volume, person: Person
) -> None:
    from kit.series import write_series

    write_series(ct.data[:, :, :1], ct.affine, tmp_path / "one", person=person)
    result = CliRunner().invoke(app, ["convert", str(tmp_path / "one"), str(tmp_path / "out")])
    assert isinstance(result.exception, Refused)
    done = subprocess.run(
        [sys.executable, "-c", "import lethe.cli; lethe.cli.main()", "image", "convert", "one", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4
    assert "one-slice" in done.stderr
    assert person.family not in done.stderr


def _study(root: Path, written: dict[str, Path], kind: str) -> Path:
    """Write an input that cannot be converted."""
    folder = root / "in"
    if kind == "mixed modalities":
        shutil.copytree(written["ct"], folder / "a")
        shutil.copytree(written["mr"], folder / "b")
        for path in (folder / "b").iterdir():
            dataset = pydicom.dcmread(path)
            dataset.SeriesInstanceUID = "1.2.3"
            dataset.save_as(path)
    elif kind != "not there":
        shutil.copytree(written["ct"], folder)
        files = sorted(folder.iterdir())
        if kind == "truncated":
            files[3].write_bytes(files[3].read_bytes()[:900])
        else:
            for path in files:
                path.unlink()
        if kind == "no DICOM":
            (folder / "notes.txt").write_text("nothing")
    return folder


@pytest.mark.requirement("E-73")
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("not there", "no-input-folder"),
        ("empty", "no-dicom"),
        ("no DICOM", "no-dicom"),
        ("truncated", "corrupt-instance"),
        ("mixed modalities", "several-series"),
    ],
)
def test_bad_input_is_named_and_leaves_no_folder_behind(
    tmp_path: Path, written: dict[str, Path], kind: str, code: str
) -> None:
    source, target = _study(tmp_path, written, kind), tmp_path / "new" / "nifti"
    for line in (["convert", str(source), str(target)], ["lane", str(source)]):
        outcome = CliRunner().invoke(app, line).exception
        assert isinstance(outcome, Outcome)
        assert outcome.code == code
        assert outcome.remedy
    assert not (tmp_path / "new").exists()


@pytest.mark.requirement("E-73")
def test_results_of_two_runs_never_mix(tmp_path: Path, written: dict[str, Path]) -> None:
    target = tmp_path / "nifti"
    assert CliRunner().invoke(app, ["convert", str(written["mr"]), str(target)]).exit_code == 0
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    outcome = CliRunner().invoke(app, ["convert", str(written["ct"]), str(target)]).exception
    assert isinstance(outcome, Misconfigured)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


@pytest.mark.requirement("E-73")
def test_a_folder_that_cannot_be_read_is_no_folder_without_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    real = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("b"):
            raise PermissionError(13, "no")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(Refused, match="cannot be read"):
        dicom_files(tmp_path / "a")
