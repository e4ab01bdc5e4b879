"""A benchmark that was stopped goes on where it was, with the same table."""

from __future__ import annotations

from pathlib import Path

from bench_parts.image_accept import Accepted
from bench_parts.image_table import OURS, QUICKSHEAR, Result, keep, kept


def test_finished_cases_are_read_again_without_the_one_that_was_being_written(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    assert kept(file) == []
    one = Result("head", "5 mm", OURS, "pass", accepted=Accepted(identity=0.7, after={"+20": {"dlib": 0.1}}))
    other = Result("head", "noise", QUICKSHEAR, before=[{"mtcnn": 1.0}])
    keep(file, [one])
    with file.open("a") as stream:
        stream.write('[{"head": "hal')
    assert kept(file) == [one]
    keep(file, [other])
    assert kept(file) == [one, other]
    assert kept(None) == []
