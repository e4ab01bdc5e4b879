"""Small volumes and series shared by the tests of conversion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.people import Person, people
from kit.phantom import Volume, head
from kit.series import tilted, write_series

Copy = Callable[[str], list[Path]]


@pytest.fixture(scope="session")
def person() -> Person:
    return people(3, seed=7)[2]


@pytest.fixture(scope="session")
def ct() -> Volume:
    return head("ct", spacing=(9.0, 9.0, 18.0), seed=3)


@pytest.fixture(scope="session")
def mr() -> Volume:
    return head("mr", spacing=(9.0, 9.0, 18.0), seed=3)


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory, ct: Volume, mr: Volume, person: Person
) -> dict[str, Path]:
    """Whole series on disk, never to be changed: use `series` for a copy."""
    root = tmp_path_factory.mktemp("series")
    write_series(ct, None, root / "ct", person=person)
    write_series(mr, None, root / "mr", modality="MR", person=person)
    write_series(ct.data, tilted(ct.affine, 14.0), root / "tilted", person=person)
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def series(tmp_path: Path, written: dict[str, Path]) -> Copy:
    """Return a function that copies a whole series and lists its files in order of the slices."""

    def copy(name: str) -> list[Path]:
        target = tmp_path / f"{name}-copy"
        shutil.copytree(written[name], target)
        return sorted(target.iterdir())

    return copy


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
