"""How much a released table still reveals: attack it, and count who stands alone.

The attacker is an informed neighbour: knows the true values of some variables of a patient (from a
laboratory slip, say) and looks for the released row that lies nearest. Noise of at most 5 % narrows the
search more than it looks: with four laboratory values most patients of a collection of 2,500 are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lethe.clinical.anonymity import SmallCells, Uniqueness, check_named, small_cells, uniqueness
from lethe.clinical.dictionary import NUMBERS, Dictionary
from lethe.clinical.numeric import Values, columns
from lethe.clinical.steps import STEPS
from lethe.clinical.table import PRID
from lethe.errors import Misconfigured, Refused

_BLOCK = 256  # attacked rows at a time: keeps the distances of 10,000 rows below 30 MB
_ATTACKED = 2500  # PRIDs are random, so the first patients by PRID are a fair sample of a larger table


@dataclass(frozen=True, slots=True)
class Step:
    """What one further step would buy, and what it would cost.

    Attributes
    ----------
    name : str
    relinked : float
        Share of patients that would still be re-linked when the known variables went through the step.
    after : Uniqueness
        Groups by the quasi-identifiers when those that are numbers went through the step.
    loss : float
        Mean relative distance of a value of the known variables from the true one.
    correlation_change : float
        Largest change of a correlation between two known variables against the true one.
    """

    name: str
    relinked: float
    after: Uniqueness
    loss: float
    correlation_change: float


@dataclass(frozen=True, slots=True)
class RiskReport:
    """What an attacker gets out of a released table.

    Attributes
    ----------
    rows, attacked : int
        Patients in the table, and how many of them the attacker was tried on.
    known : tuple of str
        Variables whose true values the attacker knows.
    guess : float
        Share of patients found by blind guessing.
    unscrambled, relinked : float
        Share of patients whose own row lies nearest to what the attacker knows, had the true values been
        released, and as released.
    by_known : tuple of (int, float)
        The same as released for the first one, two, ... of the known variables.
    steps : tuple of Step
    quasi : tuple of str
        Quasi-identifiers of the uniqueness.
    before, after : Uniqueness
    small_before, small_after : tuple of SmallCells
    """

    rows: int
    attacked: int
    known: tuple[str, ...]
    guess: float
    unscrambled: float
    relinked: float
    by_known: tuple[tuple[int, float], ...]
    steps: tuple[Step, ...]
    quasi: tuple[str, ...]
    before: Uniqueness
    after: Uniqueness
    small_before: tuple[SmallCells, ...]
    small_after: tuple[SmallCells, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; they are shares and counts only."""
        return asdict(self)


def assess(
    linked: pd.DataFrame,
    released: pd.DataFrame,
    dictionary: Dictionary,
    *,
    known: Sequence[str],
    quasi: Sequence[str],
) -> RiskReport:
    """Attack a released table with the true values of the linked one.

    Parameters
    ----------
    linked, released : pandas.DataFrame
        Before and after `scramble_table`; the same patients.
    dictionary : Dictionary
    known : sequence of str
        Numeric variables that the attacker knows.
    quasi : sequence of str
        Variables by which a patient could be recognised.

    Raises
    ------
    Misconfigured
        A variable is not in the tables or not a number.
    Refused
        The tables do not hold the same patients.
    """
    check_named((*known, *quasi), linked, released)
    if not known or any(dictionary.variables[name].type not in NUMBERS for name in known):
        raise Misconfigured("risk-variable", "The attack needs numeric variables.")
    linked = linked.sort_values(PRID, ignore_index=True)
    released = released.sort_values(PRID, ignore_index=True)
    if linked[PRID].tolist() != released[PRID].tolist():
        raise Refused("risk-tables", "The two tables do not hold the same patients.")
    true, seen = columns(linked, known), columns(released, known)
    by_known = tuple((n, relinked(true[:, :n], seen[:, :n])) for n in range(1, len(known) + 1))
    return RiskReport(
        rows=len(linked),
        attacked=min(len(linked), _ATTACKED),
        known=tuple(known),
        guess=1 / len(linked),
        unscrambled=relinked(true, true),
        relinked=by_known[-1][1],
        by_known=by_known,
        steps=tuple(_step(name, true, seen, released, dictionary, quasi) for name in STEPS),
        quasi=tuple(quasi),
        before=uniqueness(linked, quasi),
        after=uniqueness(released, quasi),
        small_before=tuple(small_cells(linked, dictionary, quasi)),
        small_after=tuple(small_cells(released, dictionary, quasi)),
    )


def relinked(true: Values, seen: Values, attacked: int = _ATTACKED) -> float:
    """Return the share of rows whose own released row is the nearest one.

    Parameters
    ----------
    true, seen : numpy.ndarray, shape (patients, variables)
        What the attacker knows and what is released, NaN where missing; row i is patient i in both.
    attacked : int
        Only the first so many patients are looked for, among all rows.

    Returns
    -------
    float
        Distance is the largest relative difference of any variable. A row that shares the nearest place with
        others counts by its chance to be picked. That a value is missing is knowledge, too.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted, offered = np.log(np.abs(true[:attacked]) + 1e-9), np.log(np.abs(seen) + 1e-9)
    hits = 0.0
    for start in range(0, len(wanted), _BLOCK):
        block = wanted[start : start + _BLOCK]
        distance = _distance(block, offered)
        own = distance[np.arange(len(block)), np.arange(start, start + len(block))]
        limit = distance.min(axis=1) + 1e-12
        hits += float(((own <= limit) / (distance <= limit[:, None]).sum(axis=1)).sum())
    return hits / max(1, len(wanted))


def _distance(wanted: Values, offered: Values) -> Values:
    """Return the largest difference of any variable, shape (wanted rows, offered rows)."""
    distance = np.zeros((len(wanted), len(offered)))
    for column in range(wanted.shape[1]):
        known, shown = wanted[:, column, None], offered[None, :, column]
        gap = np.abs(known - shown)
        if np.isnan(gap).any():
            gap = np.where(np.isnan(known) != np.isnan(shown), np.inf, np.nan_to_num(gap, nan=0.0))
        np.maximum(distance, gap, out=distance)
    return distance


def _step(
    name: str,
    true: Values,
    seen: Values,
    released: pd.DataFrame,
    dictionary: Dictionary,
    quasi: Sequence[str],
) -> Step:
    changed = STEPS[name](seen)
    numeric = [one for one in quasi if dictionary.variables[one].type in NUMBERS]
    coarse = released[[*quasi]].copy()
    if numeric:
        values = STEPS[name](columns(released, numeric))
        for place, one in enumerate(numeric):
            # a label in place of a number (">90 years") is a band of its own already
            coarse[one] = np.where(np.isnan(values[:, place]), released[one], values[:, place].astype(str))
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.abs(changed - true) / np.abs(true)
    moved = np.abs(_correlations(changed) - _correlations(true))
    return Step(
        name,
        relinked(true, changed),
        uniqueness(coarse, quasi),
        round(float(np.mean(away[np.isfinite(away)])), 4) if np.isfinite(away).any() else 0.0,
        round(float(np.nanmax(moved)), 4) if np.isfinite(moved).any() else 0.0,
    )


def _correlations(values: Values) -> Values:
    matrix: Values = pd.DataFrame(values).corr().to_numpy()
    upper: Values = matrix[np.triu_indices(len(matrix), 1)]
    return upper
