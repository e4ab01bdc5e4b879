"""Files are written whole or not at all."""

import os

import pytest

from lethe.errors import Misconfigured, Outcome, Quarantined, Refused, Unavailable
from lethe.files import atomic_writer, sha256_of, write_bytes, write_json


def test_a_failed_write_leaves_the_old_bytes_and_nothing_else(tmp_path):
    target = tmp_path / "a"
    write_bytes(target, b"old")

    def fail_half_way() -> None:
        with atomic_writer(target) as stream:
            stream.write(b"new")
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011  (the very error is raised above)
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a", {"b": 1, "a": [1, "é"]})
    write_json(tmp_path / "b", {"a": [1, "é"], "b": 1})
    assert sha256_of(tmp_path / "a") == sha256_of(tmp_path / "b")


def test_a_secret_file_is_secret_from_birth(tmp_path):
    write_bytes(tmp_path / "key", b"x", mode=0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_every_outcome_has_its_own_exit_code():
    codes = [family.exit_code for family in (Outcome, Misconfigured, Quarantined, Refused, Unavailable)]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
