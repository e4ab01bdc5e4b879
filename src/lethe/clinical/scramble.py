"""Scramble a linked table by role; outcomes, timings and categories leave byte for byte.

A numeric value is multiplied by a factor in [0.95, 1.05] that is a function of the collection's noise key,
the PRID and the variable alone: a later release of the same patient carries the same noise, so that
averaging releases teaches nothing. Who has neither the key nor the true value cannot compute it.

Arithmetic is exact: a column is held as whole numbers of its smallest decimal, so that the bound
``20 * |x' - x| <= |x|`` is tested without rounding error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lethe.clinical.cells import check_column
from lethe.clinical.dictionary import DROPPED, Dictionary, Role, Variable
from lethe.clinical.issues import Issue, refuse
from lethe.clinical.numeric import column
from lethe.clinical.report import ScrambleReport, VariableReport
from lethe.clinical.rows import row_numbers
from lethe.clinical.table import PRID, structure
from lethe.clinical.utility import compare
from lethe.errors import Misconfigured

INVERSE_BOUND = 20  # 1 / 0.05
_PRID_FORM = re.compile(r"[0-9A-F]{4,32}")
_EXACT = 2**52  # whole numbers below this are exact as floating point

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scrambled:
    """A released table and what was done to it."""

    table: pd.DataFrame
    report: ScrambleReport


def scramble_table(table: pd.DataFrame, dictionary: Dictionary, *, noise_key: bytes) -> Scrambled:
    """Return the released form of a linked table.

    Parameters
    ----------
    table : pandas.DataFrame
        As `lethe.clinical.link_table` gives it: text, column ``prid``, dates shifted.
    dictionary : Dictionary
    noise_key : bytes
        32 bytes, the same for every release of the collection.

    Returns
    -------
    Scrambled
        Columns in the order of the dictionary, rows sorted by PRID.

    Raises
    ------
    Misconfigured
        The noise key has another length.
    Refused
        The table is not linked, still has an identifier or free text, has a column without a role, or a
        cell that its variable does not allow.
    """
    if len(noise_key) != 32:
        raise Misconfigured(
            "noise-key", "A noise key has 32 bytes.", remedy="Use the collection's noise.key."
        )
    _refuse_unlinked(table, dictionary)
    table = table.sort_values(PRID, ignore_index=True)
    prids = table[PRID].tolist()
    released, reports = {PRID: prids}, []
    for name, variable in dictionary.variables.items():
        if name in table.columns:
            cells, told = _release(variable, table[name].tolist(), prids, noise_key)
            released[name] = cells
            reports.append(told)
    out = pd.DataFrame(released, dtype=object)
    utility = compare(table, out, dictionary)
    return Scrambled(
        out, ScrambleReport(dictionary.name, dictionary.version, len(prids), tuple(reports), utility)
    )


def factors(noise_key: bytes, prids: Sequence[str], variable: str) -> npt.NDArray[np.float64]:
    """Return the factor of each patient for one variable, shape (patients,), within [0.95, 1.05]."""
    tail = b"\0" + variable.encode()
    # keyed BLAKE2b (RFC 7693) is a pseudo-random function by itself, in one call a cell
    digests = b"".join(
        [blake2b(prid.encode() + tail, key=noise_key, digest_size=8).digest() for prid in prids]
    )
    unit = np.frombuffer(digests, ">u8").astype(np.float64) / 2**64
    return 1 + (2 * unit - 1) / INVERSE_BOUND


def _refuse_unlinked(table: pd.DataFrame, dictionary: Dictionary) -> None:
    refuse(
        [
            Issue(
                "not-linked", name, 0, f"role {dictionary.variables[name].role} may not be in a linked table"
            )
            for name in table.columns
            if name in dictionary.variables and dictionary.variables[name].role in DROPPED
        ],
        remedy="Link the table first: lethe clinical link.",
    )
    refuse(structure(table, dictionary, PRID), remedy="Link the table first: lethe clinical link.")
    rows = row_numbers(table)
    bad = [row for row, prid in zip(rows, table[PRID], strict=True) if not _PRID_FORM.fullmatch(prid)]
    refuse([Issue("prid-form", PRID, row, "not a PRID") for row in bad])
    for name in table.columns:
        if name != PRID:
            refuse(check_column(dictionary.variables[name], table[name].tolist(), rows, dictionary))


def _release(
    variable: Variable, cells: list[str], prids: list[str], noise_key: bytes
) -> tuple[list[str], VariableReport]:
    filled = len(cells) - cells.count("")
    if variable.role is not Role.NUMERIC:
        done = "shifted" if variable.role is Role.DATE else "kept"
        return cells, VariableReport(variable.name, variable.role, done, filled)
    label = variable.ceiling_label
    out = list(cells)
    rows = [row for row, text in enumerate(cells) if text]
    if variable.ceiling is not None:
        over = {row for row in rows if cells[row] == label or Decimal(cells[row]) >= variable.ceiling}
        for row in over:
            out[row] = label  # decided on the true value, never on a scrambled one
        rows = [row for row in rows if row not in over]
    texts = [cells[row] for row in rows]
    new, told = scramble_cells(
        variable, texts, factors(noise_key, [prids[row] for row in rows], variable.name)
    )
    for row, text in zip(rows, new, strict=True):
        out[row] = text
    labelled = filled - len(rows)
    return out, VariableReport(variable.name, variable.role, "scrambled", filled, labelled=labelled, **told)


def scramble_cells(
    variable: Variable, texts: Sequence[str], factor: npt.NDArray[np.float64]
) -> tuple[list[str], dict[str, Any]]:
    """Scramble numbers of one variable.

    Parameters
    ----------
    variable : Variable
        Role numeric; gives resolution, range and ceiling.
    texts : sequence of str, shape (n,)
        Plain decimal numbers, none empty.
    factor : numpy.ndarray, shape (n,)
        Multipliers.

    Returns
    -------
    list of str
        Numbers written with the decimals of the resolution; the old text where nothing changed.
    dict
        ``changed``, ``rounded_back``, ``zeros``, ``clipped`` (counts) and ``largest_change`` (relative).
    """
    if not texts or variable.resolution is None:
        return list(texts), {}
    shown = _decimals(str(variable.resolution.normalize()))
    places = max(shown, max(map(_decimals, set(texts))))
    true = _whole(variable.name, texts, places)
    step = int(variable.resolution.scaleb(places))
    drawn = np.rint(true * factor / step).astype(np.int64) * step
    low, high = _limits(variable, places, step)
    clipped = np.clip(drawn, low, high)
    # rounding or clipping may break the bound: one step towards the true value always mends it, if any does
    nearer = clipped - np.sign(clipped - true) * step
    new = np.where(_within(clipped, true), clipped, np.where(_within(nearer, true), nearer, true))
    changed = new != true
    shown_new = (new // 10 ** (places - shown)).tolist()
    written = [
        _text(value, shown) if differs else text
        for value, differs, text in zip(shown_new, changed.tolist(), texts, strict=True)
    ]
    size = np.abs(new - true)[changed] / np.abs(true)[changed]
    return written, {
        "changed": int(changed.sum()),
        "rounded_back": int((~changed & (true != 0)).sum()),
        "zeros": int((true == 0).sum()),
        "clipped": int((clipped != drawn).sum()),
        "largest_change": float(size.max()) if size.size else 0.0,
    }


def _within(new: Whole, true: Whole) -> npt.NDArray[np.bool_]:
    within: npt.NDArray[np.bool_] = INVERSE_BOUND * np.abs(new - true) <= np.abs(true)
    return within


def _limits(variable: Variable, places: int, step: int) -> tuple[int, int]:
    """Return the lowest and highest multiple of `step` inside the valid range (and below the ceiling)."""
    one = Decimal(step)
    low, high = -_EXACT, _EXACT
    if variable.minimum is not None:
        low = int((variable.minimum.scaleb(places) / one).to_integral_value(ROUND_CEILING)) * step
    if variable.maximum is not None:
        high = int((variable.maximum.scaleb(places) / one).to_integral_value(ROUND_FLOOR)) * step
    if variable.ceiling is not None:
        high = min(
            high, int((variable.ceiling.scaleb(places) / one).to_integral_value(ROUND_CEILING) - 1) * step
        )
    return low, high


def _decimals(text: str) -> int:
    return len(text) - text.index(".") - 1 if "." in text else 0


def _whole(name: str, texts: Sequence[str], places: int) -> Whole:
    scaled = column(texts) * 10.0**places
    if np.abs(scaled).max() >= _EXACT:
        raise Misconfigured("precision", f"Column {name}: numbers are too long to be scrambled exactly.")
    return np.rint(scaled).astype(np.int64)


def _text(value: int, places: int) -> str:
    if not places:
        return str(value)
    digits = f"{abs(value):0{places + 1}d}"
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
