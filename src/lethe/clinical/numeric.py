"""Cells as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Values = npt.NDArray[np.float64]


def column(cells: Sequence[str]) -> Values:
    """Return the cells as numbers, shape (rows,); NaN for an empty cell or a label in place of a number."""
    try:
        if "" not in cells:
            return np.fromiter(map(float, cells), np.float64, len(cells))
        return np.fromiter((float(text) if text else np.nan for text in cells), np.float64, len(cells))
    except ValueError:
        return pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(np.float64)


def columns(table: pd.DataFrame, names: Sequence[str]) -> Values:
    """Return variables as numbers, shape (rows, variables)."""
    if not names:
        return np.empty((len(table), 0))
    return np.column_stack([column(table[name].tolist()) for name in names])
