import random
from collections import Counter
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.errors import Misconfigured
from lethe.identity import ShiftWindow, shifted


@pytest.mark.requirement("M-47", "T-7")
def test_every_day_of_the_closed_window_is_drawn_zero_among_them_and_equally_often():
    rng = random.Random(2)
    drawn = Counter(ShiftWindow().draw(rng) for _ in range(43_000))
    assert set(drawn) == set(range(-21, 22))
    assert all(800 < count < 1200 for count in drawn.values())


@settings(max_examples=60, derandomize=True)
@given(seed=st.integers(0, 2**32), days=st.integers(1, 400))
@pytest.mark.requirement("M-47")
def test_a_shift_lies_in_its_window(seed, days):
    assert ShiftWindow(days).draw(random.Random(seed)) in ShiftWindow(days)


@settings(max_examples=60, derandomize=True)
@given(
    first=st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)),
    second=st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)),
    days=st.integers(-21, 21),
)
@pytest.mark.requirement("T-7")
def test_intervals_and_times_of_day_survive(first, second, days):
    assert shifted(second, days) - shifted(first, days) == second - first
    assert shifted(first, days).time() == first.time()


def test_a_date_stays_a_date():
    assert shifted(date(2020, 2, 28), 1) == date(2020, 2, 29)


def test_a_window_without_a_day_is_refused():
    with pytest.raises(Misconfigured):
        ShiftWindow(0)
