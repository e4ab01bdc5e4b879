"""The hospital's data of this walk: the test kit's, or the user's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pydicom

from demo_walk.places import Places
from lethe.clinical import Dictionary, Role, read_table
from lethe.clinical.eligibility import RuleSet, select
from lethe.clinical.rows import row_numbers
from lethe.errors import Misconfigured, Refused
from lethe.files import write_json
from lethe.quality.preflight import Preflight, look

Progress = Callable[[int, int], None]
PATIENT_COLUMN = "patient_id"
OPT_OUT = "opt-out"
# shorter strings stand in any large file by chance; how many were too short is told
SHORTEST_SEARCHED = 6
_IDENTIFYING = ("PatientID", "PatientName", "AccessionNumber", "ReferringPhysicianName", "StudyID")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rows that belong into the collection, who refused, and why the others were left out."""

    table: pd.DataFrame
    refused: frozenset[str]
    excluded: int
    notes: tuple[str, ...]


def choose(table: pd.DataFrame, dictionary: Dictionary) -> Chosen:
    """Apply the eligibility rules; of a patient who refused neither row nor image may leave the hospital."""
    rules = RuleSet.load(dictionary)
    selection = select(table, dictionary, rules)
    told = selection.as_dict(rules)
    notes = [
        f"Left out of the clinical table: {count} rows ({told['reasons'][name]})."
        for name, count in told["excluded_by"].items()
        if count
    ]
    refusing = {row for row, names in selection.excluded if OPT_OUT in names}
    patients = zip(row_numbers(table), table[PATIENT_COLUMN], strict=True)
    refused = frozenset(patient.strip() for row, patient in patients if row in refusing)
    return Chosen(selection.table, refused, len(selection.excluded), tuple(notes))


@dataclass(frozen=True, slots=True)
class Source:
    """DICOM folder, table and what must never be found again."""

    dicom: Path
    found: Preflight
    chosen: Chosen
    dictionary: Dictionary
    planted: tuple[str, ...]
    too_short: int
    own: bool
    notes: tuple[str, ...] = ()

    @property
    def patients(self) -> list[str]:
        """Original patient IDs of images and table, each once, without those who refused."""
        every = dict.fromkeys([*self.found.patients, *self.chosen.table[PATIENT_COLUMN]])
        return [patient for patient in every if patient not in self.chosen.refused]


def check_same_input(places: Places, dicom: Path | None, table: Path | None) -> None:
    """Refuse to mix two inputs in one demo folder.

    Raises
    ------
    Refused
        The folder holds the walk of another input.
    """
    text = "test kit" if dicom is None else f"{dicom.resolve()}\n{table.resolve() if table else ''}"
    mark = hashlib.sha256(text.encode()).hexdigest()
    file = places.root / "input.json"
    if not file.exists():
        write_json(file, {"input": mark})
    elif json.loads(file.read_text())["input"] != mark:
        raise Refused(
            "other-input",
            "This demo folder already holds the walk of other data.",
            remedy="Name another folder with --dir.",
        )


def own_source(dicom: Path, table: Path, progress: Progress) -> Source:
    """Check and read the user's own data before anything is written.

    Raises
    ------
    Misconfigured, Refused
        The folder, an object or the table cannot be used; nothing was done.
    """
    if not table.is_file():
        raise Misconfigured("no-table", "The clinical table does not exist.", remedy="Check the path.")
    dictionary = Dictionary.load()
    rows = read_table(table, dictionary, patient_column=PATIENT_COLUMN)
    found = look(dicom, progress)
    values = _identifiers(found, rows, dictionary)
    long_enough = tuple(sorted(value for value in values if len(value) >= SHORTEST_SEARCHED))
    short = len(values) - len(long_enough)
    return Source(dicom, found, choose(rows, dictionary), dictionary, long_enough, short, own=True)


def _identifiers(found: Preflight, table: pd.DataFrame, dictionary: Dictionary) -> set[str]:
    values: set[str] = set()
    for path in found.objects:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_IDENTIFYING))
        for keyword in _IDENTIFYING:
            values.add(str(header.get(keyword, "")).strip())
    for name in table.columns:
        variable = dictionary.variables[name]
        if variable.role is Role.IDENTIFIER and variable.type != "date":
            values.update(str(value).strip() for value in table[name])
    return values - {"", "None", "nan"}
