"""The date shift of a patient: one number of whole days for table, DICOM, sidecar, label and file name.

The shift is whole days, not seconds: CTP and DICOM move dates (DA, DT) but cannot move times of day (TM),
so only whole days reach image and table alike, and every interval stays exactly what it was.
"""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from lethe.errors import Misconfigured

_Moment = TypeVar("_Moment", bound=date)


@dataclass(frozen=True, slots=True)
class ShiftWindow:
    """Closed interval of whole days around zero from which a shift is drawn.

    Parameters
    ----------
    days : int
        Half width; 21 means that each of the 43 values from -21 to +21, zero among them, is as likely.
    """

    days: int = 21

    def __post_init__(self) -> None:
        if self.days < 1:
            raise Misconfigured("shift-window", "The window must span at least one day.")

    def draw(self, rng: random.Random | None = None) -> int:
        """Return a shift in days, drawn uniformly."""
        return (rng or secrets.SystemRandom()).randint(-self.days, self.days)

    def __contains__(self, shift_days: int) -> bool:
        return -self.days <= shift_days <= self.days


def shifted(moment: _Moment, shift_days: int) -> _Moment:
    """Return a date or a date-time moved by whole days; the time of day stays.

    Examples
    --------
    >>> shifted(date(2021, 3, 1), -1)
    datetime.date(2021, 2, 28)
    """
    return moment + timedelta(days=shift_days)
