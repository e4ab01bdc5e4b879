from __future__ import annotations

import os
from pathlib import Path

import pytest

from lethe.command.limits import (
    limit_threads,
    memory_limit,
    memory_limit_hit,
    processors,
    share_threads,
    workers,
)


@pytest.mark.parametrize(
    ("quota", "expected"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None)]
)
def test_the_cpu_limit_of_a_container_is_read_as_whole_processors(
    tmp_path: Path, quota: str, expected: int | None
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert processors(tmp_path) == (expected or len(os.sched_getaffinity(0)))


def test_the_cpu_limit_is_read_from_the_older_kernel_interface_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert processors(tmp_path) == 1


def test_without_a_limit_all_usable_processors_count(tmp_path: Path) -> None:
    assert processors(tmp_path) == len(os.sched_getaffinity(0))


def test_numeric_libraries_are_told_but_an_operators_choice_stays() -> None:
    environment = {"OMP_NUM_THREADS": "7"}
    limit_threads(environment, 2)
    assert environment["OMP_NUM_THREADS"] == "7"
    assert environment["OPENBLAS_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("name", "text", "hit"),
    [
        ("memory.events", "low 0\nmax 3\noom 1\noom_kill 1\n", True),
        ("memory.events", "low 0\nmax 3\noom 0\noom_kill 0\n", False),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
    ],
)
def test_a_kill_by_the_memory_limit_is_recognised(tmp_path: Path, name: str, text: str, hit: bool) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert memory_limit_hit(tmp_path) is hit


def test_without_counters_no_memory_kill_is_claimed(tmp_path: Path) -> None:
    assert not memory_limit_hit(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "2147483648\n", 1 << 31),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "1073741824\n", 1 << 30),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
    ],
)
def test_the_memory_limit_is_read_in_both_versions(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert memory_limit(tmp_path) == limit


def test_as_many_work_at_once_as_processors_memory_and_work_allow(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    most = processors(tmp_path)
    assert workers(10, 1 << 30, tmp_path) == most
    assert workers(1, 1 << 30, tmp_path) == 1
    (tmp_path / "memory.max").write_text(f"{3 << 29}\n")
    assert workers(10, 1 << 30, tmp_path) == 1
    assert workers(10, 1 << 40, tmp_path) == 1


def test_threads_are_divided_among_workers_but_each_has_one() -> None:
    environment: dict[str, str] = {}
    limit_threads(environment, 4)
    share_threads(environment, 2)
    assert set(environment.values()) == {"2"}
    share_threads(environment, 8)
    assert set(environment.values()) == {"1"}
