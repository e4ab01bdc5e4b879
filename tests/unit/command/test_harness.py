from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from lethe.command.model import Done, Job
from lethe.command.outputs import PREFIX, place
from lethe.errors import Misconfigured, Quarantined, Refused, Unavailable
from lethe.files import sha256_of

from .conftest import Bench, command_doing


def _good(job: Job) -> Done:
    (job.folder("first") / "image.nii.gz").write_bytes(b"voxels")
    job.say("half way")
    return Done("pass", [{"name": "object-1", "sha256": "0" * 64}])


def test_a_run_that_succeeds_puts_whole_folders_in_place_and_nothing_else(bench: Bench) -> None:
    assert bench.run(command_doing(_good)) == 0
    assert bench.written() == ["first/image.nii.gz", "second/provenance.json"]
    assert sorted(path.name for path in bench.output.iterdir()) == ["first", "second"]


@pytest.mark.requirement("A-92", "T-13")
def test_provenance_names_versions_inputs_outputs_and_verdict(bench: Bench) -> None:
    bench.run(command_doing(_good))
    record = json.loads((bench.output / "second/provenance.json").read_text())
    digest = sha256_of(bench.output / "first/image.nii.gz")
    assert record["outputs"] == [{"name": "first/image.nii.gz", "sha256": digest}]
    assert record["command"] == "trial"
    assert record["verdict"] == "pass"
    assert record["image_digest"] is None
    assert set(record) == {
        *("command", "command_version", "library_version", "image_digest", "parameters"),
        *("inputs", "outputs", "verdict", "seconds"),
    }


def test_two_runs_give_the_same_bytes(bench: Bench, tmp_path: Path) -> None:
    other = Bench(bench.source, tmp_path / "again")
    other.output.mkdir()
    bench.run(command_doing(_good))
    other.run(command_doing(_good))
    assert bench.written() == other.written()
    for name in bench.written():
        assert (bench.output / name).read_bytes() == (other.output / name).read_bytes()


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Misconfigured("a-code", "A sentence."), 2),
        (Quarantined("a-code", "A sentence."), 3),
        (Refused("a-code", "A sentence."), 4),
        (Unavailable("a-code", "A sentence."), 5),
    ],
)
def test_an_outcome_ends_with_its_exit_code_its_sentence_and_an_empty_output(
    bench: Bench, failure: Exception, code: int
) -> None:
    def work(job: Job) -> Done:
        (job.folder("first") / "half").write_bytes(b"partial")
        raise failure

    assert bench.run(command_doing(work)) == code
    assert list(bench.output.iterdir()) == []
    for stream in (bench.out, bench.err):
        assert "A sentence. [a-code]" in stream.getvalue().splitlines()[-1]


def test_an_unexpected_error_shows_kind_and_place_but_never_its_message(bench: Bench) -> None:
    def work(job: Job) -> Done:
        raise ValueError("MUSTERMANN^ERIKA")

    assert bench.run(command_doing(work)) == 1
    said = bench.out.getvalue() + bench.err.getvalue()
    assert "ValueError at harness.py line" in said
    assert "MUSTERMANN" not in said
    assert list(bench.output.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_words(bench: Bench, number: int) -> None:
    def work(job: Job) -> Done:
        raise OSError(number, "no space", "/secret/name")

    assert bench.run(command_doing(work)) == 5
    assert "disk of the output folder is full" in bench.err.getvalue()
    assert "secret" not in bench.err.getvalue()


def test_a_disk_that_is_smaller_than_the_input_is_said_before_the_work_begins(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.source / "object.dcm").write_bytes(b"12345")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=4))
    assert bench.run(command_doing(_good)) == 5
    assert "disk of the output folder is full" in bench.err.getvalue()
    assert bench.written() == []


def test_a_refusal_on_a_disk_that_ran_full_is_told_as_a_full_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.source / "object.dcm").write_bytes(b"12345")
    free = iter([5, 0])
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=next(free)))

    def work(job: Job) -> Done:
        raise Refused("converter-failed", "The converter wrote nothing.")

    assert bench.run(command_doing(work)) == 5


def test_a_memory_error_is_said_in_words(bench: Bench) -> None:
    def work(job: Job) -> Done:
        raise MemoryError

    assert bench.run(command_doing(work)) == 5
    assert "memory limit was reached" in bench.err.getvalue()


def test_an_output_that_already_holds_files_is_left_alone(bench: Bench) -> None:
    (bench.output / "first").mkdir()
    assert bench.run(command_doing(_good)) == 2
    assert "already holds files" in bench.err.getvalue()


def test_a_missing_input_and_a_missing_output_are_named(bench: Bench) -> None:
    bench.source.rmdir()
    assert bench.run(command_doing(_good)) == 2
    bench.source.mkdir()
    bench.output.rmdir()
    assert bench.run(command_doing(_good)) == 2
    assert bench.err.getvalue().splitlines() == [
        "failed: An input folder does not exist. Mount the resource there. [input-missing]",
        "failed: The output folder does not exist. Mount a writable folder there. [output-missing]",
    ]


def test_what_a_killed_run_left_is_removed_by_the_next(bench: Bench) -> None:
    leftover = bench.output / f"{PREFIX}dead"
    leftover.mkdir()
    (leftover / "half").write_bytes(b"partial")
    assert bench.run(command_doing(_good)) == 0
    assert not leftover.exists()


def test_two_runs_never_share_an_output_folder(bench: Bench) -> None:
    def work(job: Job) -> Done:
        inner = Bench(bench.source, bench.output)
        assert inner.run(command_doing(_good)) == 2
        assert "Another run writes" in inner.err.getvalue()
        return _good(job)

    assert bench.run(command_doing(work)) == 0


def test_libraries_put_temporary_files_into_the_work_folder(bench: Bench) -> None:
    before = (tempfile.gettempdir(), os.environ.get("TMPDIR"))

    def work(job: Job) -> Done:
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).is_relative_to(bench.output)
        return _good(job)

    assert bench.run(command_doing(work)) == 0
    assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == before


def test_an_output_folder_without_files_is_not_left_behind(bench: Bench) -> None:
    def work(job: Job) -> Done:
        job.folder("first")
        return Done("header-only", [])

    assert bench.run(command_doing(work)) == 0
    assert sorted(path.name for path in bench.output.iterdir()) == ["second"]


def test_if_one_folder_cannot_be_moved_the_others_are_taken_back(tmp_path: Path) -> None:
    staging, output = tmp_path / "staging", tmp_path / "output"
    (staging / "first").mkdir(parents=True)
    output.mkdir()
    with pytest.raises(FileNotFoundError):
        place(staging, output, ["first", "absent"])
    assert list(output.iterdir()) == []
    assert (staging / "first").is_dir()


def test_progress_lines_carry_seconds_and_counting_is_not_chatty(bench: Bench) -> None:
    times = iter(range(1000))

    def work(job: Job) -> Done:
        for done in range(1, 101):
            job.say.count(done, 100, "objects")
        return _good(job)

    bench.run(command_doing(work), clock=lambda: next(times) / 4)
    lines = bench.out.getvalue().splitlines()
    counting = [line for line in lines if "objects" in line]
    assert len(counting) < 20
    assert counting[-1].endswith("s  100 of 100 objects")
    assert all(line[:7].strip().replace(".", "").isdigit() and line[7:11] == " s  " for line in lines)
