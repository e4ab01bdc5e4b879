"""What scrambling costs an analysis: means, quantiles, correlations and a model of outcome."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lethe.clinical.dictionary import Dictionary, Role
from lethe.clinical.model import OutcomeModel, fit_both
from lethe.clinical.numeric import Values, columns
from lethe.clinical.table import PRID

FEW = 20  # below, a correlation says nothing, and a change of the mean would tell a patient's noise
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's correlation of two variables before and after."""

    first: str
    second: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """Absolute change."""
        return abs(self.after - self.before)


@dataclass(frozen=True, slots=True)
class Utility:
    """Changes of aggregates; none of them is a value of a patient.

    Attributes
    ----------
    mean_change, spread_change : mapping of str to float
        Relative change of mean and standard deviation, for variables filled in at least 20 patients.
    quantile_change : mapping of str to tuple of float
        Relative change of the quantiles 10, 25, 50, 75 and 90 %; 0 where the quantile is 0.
    correlations : tuple of Correlation
        Every pair that at least 20 patients have, most changed first.
    model : OutcomeModel or None
        The dictionary's model of outcome, None when there are too few patients for it.
    """

    mean_change: dict[str, float]
    spread_change: dict[str, float]
    quantile_change: dict[str, tuple[float, ...]]
    correlations: tuple[Correlation, ...]
    model: OutcomeModel | None

    @property
    def largest_correlation_change(self) -> float:
        """Largest absolute change of a correlation."""
        return max((one.change for one in self.correlations), default=0.0)

    @property
    def correlated_pairs(self) -> int:
        """Number of pairs of variables that were compared."""
        return len(self.correlations)

    def as_dict(self) -> dict[str, Any]:
        """Return the changes as JSON values; of the correlations the twenty that changed most."""
        return {
            "mean_change": self.mean_change,
            "spread_change": self.spread_change,
            "quantiles": list(QUANTILES),
            "quantile_change": self.quantile_change,
            "correlated_pairs": self.correlated_pairs,
            "largest_correlation_change": round(self.largest_correlation_change, 4),
            "correlations": [asdict(one) for one in self.correlations[:_SHOWN]],
            "model": None if self.model is None else asdict(self.model),
        }


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
    linked, released = (table.sort_values(PRID) for table in (linked, released))
    names = [name for name in dictionary.with_role(Role.NUMERIC) if name in released.columns]
    before, after = (columns(table, names) for table in (linked, released))
    both = np.where(np.isnan(after), np.nan, before)
    means, spreads, quantiles = {}, {}, {}
    for place, name in enumerate(names):
        old, new = (values[:, place][~np.isnan(values[:, place])] for values in (both, after))
        if old.size >= FEW and old.mean() and old.std():
            means[name] = round(float(new.mean() / old.mean() - 1), 4)
            spreads[name] = round(float(new.std() / old.std() - 1), 4)
            quantiles[name] = _moved(*(np.quantile(values, QUANTILES) for values in (old, new)))
    return Utility(
        means, spreads, quantiles, _correlations(names, both, after), _model(linked, released, dictionary)
    )


def _moved(old: Values, new: Values) -> tuple[float, ...]:
    change = (new - old) / np.where(old == 0, 1, np.abs(old))
    return tuple(float(one) for one in np.where(old == 0, 0, change).round(4))


def _correlations(names: list[str], before: Values, after: Values) -> tuple[Correlation, ...]:
    old, new = (pd.DataFrame(values).corr(min_periods=FEW).to_numpy() for values in (before, after))
    found = [
        Correlation(names[i], names[j], round(float(old[i, j]), 4), round(float(new[i, j]), 4))
        for i, j in zip(*np.triu_indices(len(names), 1), strict=True)
        if np.isfinite(old[i, j]) and np.isfinite(new[i, j])
    ]
    return tuple(sorted(found, key=lambda one: -one.change))


def _model(linked: pd.DataFrame, released: pd.DataFrame, dictionary: Dictionary) -> OutcomeModel | None:
    told = dictionary.model
    if told is None or not {told.outcome, *told.predictors} <= set(released.columns):
        return None
    names = list(told.predictors)
    before, after = columns(linked, names), columns(released, names)
    outcome = linked[told.outcome].to_numpy()
    complete = ~np.isnan(before).any(axis=1) & ~np.isnan(after).any(axis=1) & (outcome != "")
    event = np.isin(outcome[complete].astype(str), told.codes)
    return fit_both(told.outcome, told.codes, told.predictors, event, before[complete], after[complete])
