"""Further steps against linkage: rounding, banding, micro-aggregation of variables or of whole patients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Order = npt.NDArray[np.int64]
_GROUP = 5


def one_digit(values: Values) -> Values:
    """Round to one significant digit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** np.floor(np.log10(np.abs(values)))
        return np.where(values == 0, 0.0, np.round(values / scale) * scale)


def in_bands(values: Values, bands: int = 5) -> Values:
    """Replace each value by the median of its band; the bands hold equally many rows."""
    return _by_groups(values, lambda order: np.array_split(order, bands), np.median)


def in_groups(values: Values, size: int = _GROUP) -> Values:
    """Micro-aggregation: replace each value by the mean of a group of neighbours of at least `size`."""
    return _by_groups(values, lambda order: np.array_split(order, max(1, len(order) // size)), np.mean)


def together(values: Values, size: int = _GROUP) -> Values:
    """Micro-aggregation of patients: each group of `size` or more similar rows shares one row of means.

    Groups are found as in MDAV (Domingo-Ferrer and Torra, 2005): again and again around the row that lies
    farthest from the mean of what is left.

    Parameters
    ----------
    values : numpy.ndarray, shape (patients, variables)
        NaN where missing; missing values count as the variable's mean while rows are compared.
    size : int
        Smallest group.

    Returns
    -------
    numpy.ndarray, shape (patients, variables)
        A value stays missing only where the whole group misses it.
    """
    spread = np.nanstd(values, axis=0)
    scaled = np.nan_to_num((values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1))
    out = values.copy()
    left = np.arange(len(values))
    while left.size:
        if left.size < 2 * size:
            group = np.arange(left.size)
        else:
            middle = scaled[left].mean(axis=0)
            far = int(np.argmax(((scaled[left] - middle) ** 2).sum(axis=1)))
            gaps = ((scaled[left] - scaled[left[far]]) ** 2).sum(axis=1)
            group = np.argpartition(gaps, size - 1)[:size]
        rows = left[group]
        known = ~np.isnan(values[rows])
        count = known.sum(axis=0)
        sums = np.where(known, values[rows], 0).sum(axis=0)
        out[rows] = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
        left = np.delete(left, group)
    return out


def _by_groups(
    values: Values, split: Callable[[Order], list[Order]], middle: Callable[[Values], Any]
) -> Values:
    out = values.copy()
    present = np.flatnonzero(~np.isnan(values))
    for group in split(present[np.argsort(values[present], kind="stable")]):
        if group.size:
            out[group] = middle(values[group])
    return out


def _each(step: Callable[[Values], Values]) -> Callable[[Values], Values]:
    return lambda table: np.column_stack([step(column) for column in table.T])


STEPS: dict[str, Callable[[Values], Values]] = {
    "rounding to one significant digit": _each(one_digit),
    "five bands of equal size": _each(in_bands),
    "micro-aggregation of each variable in groups of five": _each(in_groups),
    "micro-aggregation of patients in groups of five": together,
}
