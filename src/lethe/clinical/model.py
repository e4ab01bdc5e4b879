"""A logistic model of outcome, fitted to the true and to the scrambled values: does the finding change?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
_EVENTS_PER_TERM = 10  # fewer make a model that nobody should read (Peduzzi et al., 1996)
_ROUNDS = 30
_SEPARATED = 15.0  # a coefficient beyond means that a predictor tells the outcome alone
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Term:
    """Odds ratio of one predictor per standard deviation: (low, ratio, high), interval of 95 %."""

    name: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class OutcomeModel:
    """The same model before and after.

    Attributes
    ----------
    outcome : str
        Variable; `codes` of it are the event.
    codes : tuple of str
    patients, events : int
        Patients with all values, and those with the event.
    terms : tuple of Term
    """

    outcome: str
    codes: tuple[str, ...]
    patients: int
    events: int
    terms: tuple[Term, ...]

    @property
    def largest_shift(self) -> float:
        """Largest change of a coefficient in units of its standard error before."""
        return max(
            float(
                abs(np.log(one.after[1] / one.before[1])) / (np.log(one.before[2] / one.before[0]) / (2 * _Z))
            )
            for one in self.terms
        )


def fit_both(
    outcome: str,
    codes: tuple[str, ...],
    names: tuple[str, ...],
    event: npt.NDArray[np.bool_],
    before: Values,
    after: Values,
) -> OutcomeModel | None:
    """Fit the model to both tables.

    Parameters
    ----------
    outcome, codes, names
        What is modelled, and the predictors.
    event : numpy.ndarray of bool, shape (patients,)
    before, after : numpy.ndarray, shape (patients, predictors)
        Without missing values.

    Returns
    -------
    OutcomeModel or None
        None with fewer than ten events (or non-events) per predictor, a predictor that never varies, or one
        that separates the outcomes.
    """
    rare = min(int(event.sum()), int((~event).sum()))
    spread = before.std(axis=0) if len(before) else np.zeros(len(names))
    if rare < _EVENTS_PER_TERM * len(names) or not spread.all():
        return None
    middle = before.mean(axis=0)
    fits = [fit(event, (values - middle) / spread) for values in (before, after)]
    if fits[0] is None or fits[1] is None:
        return None
    old, new = (_ratios(*one) for one in fits if one is not None)
    terms = tuple(Term(*one) for one in zip(names, old, new, strict=True))
    return OutcomeModel(outcome, codes, len(event), int(event.sum()), terms)


def fit(event: npt.NDArray[np.bool_], predictors: Values) -> tuple[Values, Values] | None:
    """Fit a logistic regression with intercept by Newton's method.

    Parameters
    ----------
    event : numpy.ndarray of bool, shape (n,)
    predictors : numpy.ndarray, shape (n, k)

    Returns
    -------
    (coefficients, standard errors) or None
        Shape (k,) each, without the intercept; None when there is no finite maximum.
    """
    design = np.column_stack([np.ones(len(event)), predictors])
    beta = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(-design @ beta))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (event - chance))
        except np.linalg.LinAlgError:
            return None
        beta += step
        if np.abs(beta).max() > _SEPARATED:
            return None
        if np.abs(step).max() < 1e-9:
            return beta[1:], np.sqrt(np.diag(np.linalg.inv(information)))[1:]
    return None


def _ratios(beta: Values, error: Values) -> list[tuple[float, float, float]]:
    """Return (low, ratio, high) per coefficient, three decimals."""
    columns = (np.exp(beta + shift * error).round(3) for shift in (-_Z, 0, _Z))
    return [(float(low), float(middle), float(high)) for low, middle, high in zip(*columns, strict=True)]
