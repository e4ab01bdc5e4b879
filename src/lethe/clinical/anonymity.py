"""Who stands alone: k-anonymity, sample uniqueness and small cells of a table.

The package of the field for this (pycanon) fixes the exact version of numpy, pandas and typer that it wants,
and can therefore not be installed beside anything else; a test compares these counts with what it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from lethe.clinical.dictionary import Dictionary, Role
from lethe.errors import Misconfigured

SMALL = 5


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """Groups of rows that agree in all quasi-identifiers.

    Attributes
    ----------
    groups : int
        Number of different combinations.
    smallest : int
        Size of the smallest group: the k of k-anonymity.
    unique : float
        Share of rows that stand alone.
    small : float
        Share of rows in groups below five.
    """

    groups: int
    smallest: int
    unique: float
    small: float


@dataclass(frozen=True, slots=True)
class SmallCells:
    """Cells of a table of counts that hold one to four patients.

    Attributes
    ----------
    variables : tuple of str
        One variable or two.
    cells : int
        Number of small cells.
    rows : int
        Patients in them.
    """

    variables: tuple[str, ...]
    cells: int
    rows: int


def uniqueness(table: pd.DataFrame, quasi: Sequence[str]) -> Uniqueness:
    """Count the rows that agree in all of `quasi`; a missing value is a value like others."""
    if not quasi:
        return Uniqueness(1, len(table), float(len(table) == 1), float(len(table) < SMALL))
    sizes = table.groupby(list(quasi), sort=False, dropna=False).size().to_numpy()
    total = int(sizes.sum())
    return Uniqueness(
        groups=len(sizes),
        smallest=int(sizes.min()),
        unique=float(sizes[sizes == 1].sum() / total),
        small=float(sizes[sizes < SMALL].sum() / total),
    )


def small_cells(table: pd.DataFrame, dictionary: Dictionary, quasi: Sequence[str]) -> list[SmallCells]:
    """Return what a published table of counts would give away, most patients first.

    Parameters
    ----------
    table : pandas.DataFrame
    dictionary : Dictionary
    quasi : sequence of str
        Variables that are also counted two by two.

    Returns
    -------
    list of SmallCells
        Of every categorical and outcome variable, and of every pair of `quasi`; those without a small cell
        are left out.
    """
    coded = [n for n in dictionary.with_role(Role.CATEGORICAL, Role.OUTCOME) if n in table.columns]
    looked_at: list[tuple[str, ...]] = [(name,) for name in coded]
    looked_at += list(combinations(quasi, 2))
    found = []
    for names in looked_at:
        sizes = table.groupby(list(names), sort=False, dropna=False).size().to_numpy()
        small = sizes[sizes < SMALL]
        if small.size:
            found.append(SmallCells(names, len(small), int(small.sum())))
    return sorted(found, key=lambda one: (-one.rows, one.variables))


def check_named(names: Sequence[str], *tables: pd.DataFrame) -> None:
    """Raise `Misconfigured` when one of `names` is not a column of every table."""
    for name in names:
        if not all(name in table.columns for table in tables):
            raise Misconfigured("risk-variable", f"Variable {name!r} is not in both tables.")
