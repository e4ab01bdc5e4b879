"""A linked table, looked at once more before it leaves the hospital."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lethe.clinical.dictionary import DROPPED, Dictionary
from lethe.clinical.issues import Issue, refuse
from lethe.clinical.rows import row_numbers
from lethe.clinical.table import CENTRE, PRID, read_table
from lethe.errors import Refused

_REMEDY = "Link the table first: lethe clinical link."
_FORM = re.compile(r"[0-9A-F]{4,32}")


@dataclass(frozen=True, slots=True)
class Linked:
    """What a linked table holds.

    Attributes
    ----------
    prids : frozenset of str
        One for each row.
    columns : int
    centres : frozenset of str
        Codes of the contributing centres; empty where the table has no such column.
    """

    prids: frozenset[str]
    columns: int
    centres: frozenset[str]


def check_linked(path: Path, dictionary: Dictionary, *, centre: str = "") -> Linked:
    """Read a table and refuse it unless `lethe.clinical.link_table` could have written it.

    Parameters
    ----------
    path : Path
        CSV.
    dictionary : Dictionary
    centre : str
        Code of the only centre whose rows may be in the table; empty: any.

    Raises
    ------
    Refused
        The first column is not ``prid``, a column is an identifier or free text or unknown, a cell is wrong,
        a PRID has not the form of one. Values are never named.
    """
    if path.suffix.lower() != ".csv":
        raise Refused("not-linked", "A linked table is a CSV file.", remedy=_REMEDY)
    table = read_table(path, dictionary, patient_column=PRID, centre=centre)
    names = list(table.columns)
    issues = [Issue("not-linked", "", 0, f"the first column is not {PRID}")] if names[0] != PRID else []
    issues += [
        Issue("identifier", name, 0, "a column that never leaves the hospital")
        for name in names
        if name in dictionary.variables and dictionary.variables[name].role in DROPPED
    ]
    issues += [
        Issue("prid-form", PRID, row, "not 4 to 32 upper-case hexadecimal digits")
        for row, text in zip(row_numbers(table), table[PRID], strict=True)
        if not _FORM.fullmatch(text)
    ]
    refuse(issues, remedy=_REMEDY)
    centres = frozenset(table[CENTRE]) - {""} if CENTRE in names else frozenset()
    return Linked(frozenset(table[PRID]), len(names), centres)
