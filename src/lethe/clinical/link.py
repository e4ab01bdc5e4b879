"""From the hospital's table to the intake project's: PRIDs in, identifiers and free text out, dates moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pandas as pd

from lethe.clinical import dates
from lethe.clinical.dictionary import DROPPED, Dictionary, Role
from lethe.clinical.issues import Issue, refuse
from lethe.clinical.rows import row_numbers
from lethe.clinical.table import PRID, structure
from lethe.errors import Refused


class Given(Protocol):
    """What a patient was given in the intake session (`lethe.identity.Assignment`)."""

    @property
    def prid(self) -> str: ...
    @property
    def shift_days(self) -> int: ...


def link_table(
    table: pd.DataFrame,
    dictionary: Dictionary,
    assignments: Mapping[str, Given],
    *,
    patient_column: str,
) -> pd.DataFrame:
    """Return the table under PRIDs.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read_table` gives it.
    dictionary : Dictionary
    assignments : mapping of original PatientID to Assignment
        Of the intake session that also made the lookup table of the images.
    patient_column : str
        Column with the original PatientID.

    Returns
    -------
    pandas.DataFrame
        First column ``prid``, then the kept columns in the order of the dictionary. Rows are sorted by
        PRID, as the order of the hospital's table would be a key.

    Raises
    ------
    Refused
        The table is empty, a column is unknown, a patient has no assignment, a date is invalid.
    """
    if table.empty:
        raise Refused(
            "table-empty", "No row is left to be linked.", remedy="See which were excluded and why."
        )
    refuse(structure(table, dictionary, patient_column))
    patients = [text.strip() for text in table[patient_column]]
    rows = row_numbers(table)
    strangers = [row for row, one in zip(rows, patients, strict=True) if one not in assignments]
    refuse(
        [
            Issue("patient-unknown", patient_column, row, "the patient has no PRID in this intake session")
            for row in strangers
        ],
        remedy="Add the patients to the session first, spelled as in the images.",
    )
    given = [assignments[patient] for patient in patients]
    if len({one.prid for one in given}) != len(given):
        raise Refused("prid-duplicate", "Two rows have the same PRID.")
    days = [one.shift_days for one in given]
    linked = {PRID: [one.prid for one in given]}
    for name, variable in dictionary.variables.items():
        if name in table.columns and variable.role not in DROPPED:
            cells = table[name].tolist()
            linked[name] = (
                _shifted(name, cells, rows, dictionary, days) if variable.role is Role.DATE else cells
            )
    return pd.DataFrame(linked, dtype=object).sort_values(PRID, ignore_index=True)


def _shifted(
    name: str, cells: list[str], rows: list[int], dictionary: Dictionary, days: list[int]
) -> list[str]:
    form, issues = dates.find_format(name, cells, rows, dictionary.formats[dictionary.variables[name].type])
    refuse(issues)
    return dates.shift(cells, form, days)
