"""What scrambling costs an analysis: how far means, spreads and correlations moved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lethe.clinical.dictionary import Dictionary, Role
from lethe.clinical.table import PRID

FEW = 20  # below, a correlation says nothing, and a change of the mean would tell a patient's noise
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Utility:
    """Relative changes; none of them is a value of a patient.

    Attributes
    ----------
    mean_change, spread_change : mapping of str to float
        Relative change of mean and standard deviation, for variables filled in at least 20 patients.
    largest_correlation_change : float
        Largest absolute change of Pearson's correlation between two variables.
    correlated_pairs : int
        Number of pairs of variables that were compared.
    """

    mean_change: dict[str, float]
    spread_change: dict[str, float]
    largest_correlation_change: float
    correlated_pairs: int

    def as_dict(self) -> dict[str, Any]:
        """Return the changes as JSON values."""
        return asdict(self)


def compare(linked: pd.DataFrame, released: pd.DataFrame, dictionary: Dictionary) -> Utility:
    """Compare the numeric variables before and after `scramble_table`.

    Parameters
    ----------
    linked, released : pandas.DataFrame
        The same patients before and after.

    Returns
    -------
    Utility
        Over patients whose value is a number before and after (a label of age is none).
    """
    names = [name for name in dictionary.with_role(Role.NUMERIC) if name in released.columns]
    before, after = (_numbers(table, names) for table in (linked, released))
    both = np.where(np.isnan(after), np.nan, before)
    mean_change, spread_change = {}, {}
    for place, name in enumerate(names):
        old, new = (values[:, place][~np.isnan(values[:, place])] for values in (both, after))
        if old.size >= FEW and old.mean() and old.std():
            mean_change[name] = round(float(new.mean() / old.mean() - 1), 4)
            spread_change[name] = round(float(new.std() / old.std() - 1), 4)
    moved = np.abs(_correlations(after) - _correlations(both))
    pairs = int(np.isfinite(moved).sum())
    largest = float(np.nanmax(moved)) if pairs else 0.0
    return Utility(mean_change, spread_change, round(largest, 4), pairs)


def _numbers(table: pd.DataFrame, names: list[str]) -> Values:
    """Return numbers, shape (rows, variables), rows in the order of the PRIDs."""
    ordered = table.sort_values(PRID)
    columns = [pd.to_numeric(ordered[name], errors="coerce").to_numpy(float) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(table), 0))


def _correlations(values: Values) -> Values:
    """Return the correlations above the diagonal, NaN where too few patients have both values."""
    matrix = pd.DataFrame(values).corr(min_periods=FEW).to_numpy()
    upper: Values = matrix[np.triu_indices(matrix.shape[0], 1)]
    return upper
