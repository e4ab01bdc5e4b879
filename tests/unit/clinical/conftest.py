from __future__ import annotations

import csv
import sys
from pathlib import Path

import pandas as pd
import pytest

from kit.people import people
from kit.tables import clinical_table
from lethe.cli import main
from lethe.clinical import Dictionary, link_table, read_table
from lethe.identity import Assignment

KEY = bytes(range(32))
PEOPLE = people(12)
SHIFTS = dict(
    zip((person.patient_id for person in PEOPLE), (-21, 21, 0, 1, -1, 7, -7, 20, 3, -3, 11, -12), strict=True)
)
GIVEN = {
    person.patient_id: Assignment(f"{(index * 40503 + 77) % 65536:04X}", SHIFTS[person.patient_id])
    for index, person in enumerate(PEOPLE)
}


@pytest.fixture(scope="session")
def dictionary() -> Dictionary:
    return Dictionary.load()


@pytest.fixture(scope="session")
def registry(tmp_path_factory) -> Path:
    return clinical_table(PEOPLE, tmp_path_factory.mktemp("registry") / "registry.csv")


@pytest.fixture(scope="session")
def table(registry, dictionary) -> pd.DataFrame:
    return read_table(registry, dictionary, patient_column="patient_id")


@pytest.fixture(scope="session")
def linked(table, dictionary) -> pd.DataFrame:
    return link_table(table, dictionary, GIVEN, patient_column="patient_id")


@pytest.fixture
def rows(registry) -> list[list[str]]:
    with registry.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def save(rows: list[list[str]], path: Path, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    return path


def put(rows: list[list[str]], column: str, row: int, text: str) -> None:
    """Set a cell; rows count as in a spreadsheet."""
    rows[row - 1][rows[0].index(column)] = text


@pytest.fixture
def lethe(monkeypatch, capsys):
    """Call the command line as the installed script does; nothing printed may name a patient."""

    def call(*arguments, code=0, both=False):
        monkeypatch.setattr(sys, "argv", ["lethe", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, err
        assert not any(text in out + err for person in PEOPLE for text in person.planted())
        return out + err if both else out

    return call
