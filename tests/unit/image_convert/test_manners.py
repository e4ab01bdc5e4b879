"""Good manners of the image commands on odd folders, names and disks."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lethe.cli._target import target_folder, tidy, words_for_the_disk
from lethe.cli.image import app
from lethe.command.outputs import PREFIX, clear, workplace
from lethe.errors import Misconfigured, Outcome, Refused, Unavailable
from lethe.image.converter import Run
from lethe.image.frames import dicom_files
from lethe.image.lane import decide
from lethe.image.series import read_evidence


def refusal(*arguments: object) -> Outcome:
    outcome = CliRunner().invoke(app, [str(argument) for argument in arguments]).exception
    assert isinstance(outcome, Outcome), outcome
    assert outcome.remedy
    return outcome


@pytest.mark.requirement("L-13", "E-73")
def test_a_link_that_leads_nowhere_may_have_been_a_slice(tmp_path: Path, written: dict[str, Path]) -> None:
    shutil.copytree(written["ct"], tmp_path / "in")
    assert CliRunner().invoke(app, ["lane", str(tmp_path / "in")]).exit_code == 0
    (tmp_path / "in" / "0099.dcm").symlink_to("nowhere")
    assert refusal("lane", tmp_path / "in").code == "corrupt-instance"
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "0001.dcm").symlink_to("nowhere")
    assert refusal("lane", tmp_path / "alone").code == "corrupt-instance"


def test_what_windows_puts_into_folders_is_no_object(tmp_path: Path, written: dict[str, Path]) -> None:
    shutil.copytree(written["ct"], tmp_path / "in")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (tmp_path / "in" / name).write_bytes(b"x")
    assert CliRunner().invoke(app, ["lane", str(tmp_path / "in")]).exit_code == 0


@pytest.mark.requirement("M-22", "M-24")
def test_objects_found_several_times_are_no_perfusion(tmp_path: Path, written: dict[str, Path]) -> None:
    folder = tmp_path / "in"
    shutil.copytree(written["ct"], folder)
    (folder / "back").symlink_to("../in")
    assert len(dicom_files(folder)) == len(list(written["ct"].iterdir()))
    for copy in "abcd":
        shutil.copytree(written["ct"], folder / copy)
    assert decide(read_evidence(dicom_files(folder))).lane == "deface"
    assert refusal("convert", folder, tmp_path / "out").code == "doubled-instance"


@pytest.mark.requirement("E-73")
def test_a_file_where_a_folder_is_meant_and_the_reverse_are_named(
    tmp_path: Path, written: dict[str, Path]
) -> None:
    file = sorted(written["ct"].iterdir())[0]
    assert "is a file" in refusal("lane", file).sentence
    image = tmp_path / "image.nii"
    image.write_bytes(b"x")
    assert refusal("deface", image, tmp_path).code == "output-is-folder"
    assert refusal("deface", image, tmp_path / "out.nii", "--pictures", image).code == "output-is-file"
    assert refusal("deface", written["ct"], image).code == "output-is-file"
    assert refusal("check", written["ct"], "--sheet", tmp_path / "no" / "sheet.png").code == "no-folder"


@pytest.mark.requirement("M-24")
def test_an_image_of_an_earlier_run_does_not_pass_for_the_result_of_a_failed_one(tmp_path: Path) -> None:
    source, target, mask, report = (tmp_path / n for n in ("in.nii", "out.nii", "mask.nii", "report.json"))
    source.write_bytes(b"no image")
    for old in (target, mask, report):
        old.write_bytes(b"old")
    (tmp_path / ".out.nii.0123abcd.partial").write_bytes(b"half")
    said = refusal("deface", source, target, "--mask-out", mask, "--report", report)
    assert said.code == "not-nifti"
    assert [path.name for path in tmp_path.iterdir()] == ["in.nii"]


def test_only_half_written_files_of_these_outputs_are_tidied_up(tmp_path: Path) -> None:
    names = [".out.nii.0123abcd.partial", ".other.nii.0123abcd.partial", ".out.nii.partial", "out.nii"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    tidy(tmp_path / "out.nii", None, tmp_path / "none" / "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
    tidy(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[2:])


def _wrapped(number: int) -> OSError:
    """Return an error as pydicom passes it on: of the same kind, without its number."""
    error = OSError("With tag ... got exception")
    error.__cause__ = OSError(number, os.strerror(number))
    return error


@pytest.mark.requirement("E-73")
@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, Unavailable, "output-full"),
        (errno.EFBIG, Unavailable, "output-full"),
        (errno.EROFS, Misconfigured, "output-not-writable"),
        (errno.EACCES, Misconfigured, "output-not-writable"),
    ],
)
def test_what_the_system_says_about_a_disk_is_told_in_words(
    tmp_path: Path, number: int, kind: type[Outcome], code: str
) -> None:
    with pytest.raises(kind) as told, words_for_the_disk(tmp_path):
        raise _wrapped(number)
    assert told.value.code == code
    assert told.value.remedy


def test_other_errors_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"), words_for_the_disk(tmp_path):
        raise OSError(errno.EIO, "Input/output error")


def test_a_run_killed_while_it_put_files_in_place_is_taken_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with target_folder(out, dry_run=False) as folder:
        (folder / "a").write_bytes(b"new")
    assert [path.name for path in out.iterdir()] == ["a"]
    (out / f"{PREFIX}01").mkdir()
    (out / f"{PREFIX}01.json").write_text('["a", "../outside"]')
    (tmp_path / "outside").write_bytes(b"")
    clear(out)
    assert list(out.iterdir()) == []
    assert (tmp_path / "outside").exists()


def test_the_folder_of_a_run_that_goes_on_is_not_taken(tmp_path: Path) -> None:
    with workplace(tmp_path) as work:
        (work / "x").write_bytes(b"")
        with pytest.raises(Misconfigured, match="Another run"), target_folder(tmp_path, dry_run=False):
            pass
        assert (work / "x").exists()


@pytest.mark.requirement("E-73")
def test_a_converter_killed_for_want_of_memory_is_no_fault_of_the_series(
    tmp_path: Path, written: dict[str, Path]
) -> None:
    with Run(dicom_files(written["ct"]), tmp_path) as run:
        run._process.kill()
        run._process.wait()
        run._process.returncode = -9
        with pytest.raises(Unavailable, match="memory"):
            run.images()


def test_a_dry_run_of_the_check_writes_no_picture(tmp_path: Path, written: dict[str, Path]) -> None:
    words = ["check", str(written["ct"]), "--sheet", str(tmp_path / "sheet.png")]
    for more, files in ((["--dry-run"], []), ([], ["sheet.png"])):
        assert CliRunner().invoke(app, words + more).exit_code == 0
        assert [path.name for path in tmp_path.iterdir()] == files


def test_a_refusal_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(Refused), target_folder(tmp_path / "a" / "b", dry_run=False):
        raise Refused("code", "Sentence.", remedy="Remedy.")
    assert list(tmp_path.iterdir()) == []
