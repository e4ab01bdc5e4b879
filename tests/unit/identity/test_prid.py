import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.errors import Misconfigured, Refused
from lethe.identity import PridPool


@pytest.mark.requirement("M-34", "M-38", "T-1")
def test_ten_thousand_prids_never_collide_and_are_four_upper_case_hexadecimal_digits():
    pool = PridPool()
    drawn = [pool.draw() for _ in range(10_000)]
    assert len(set(drawn)) == 10_000
    assert all(len(prid) == 4 and set(prid) <= set("0123456789ABCDEF") for prid in drawn)


@pytest.mark.requirement("M-35")
def test_two_pools_draw_different_prids_in_the_same_order_of_patients():
    first, second = PridPool(), PridPool()
    assert [first.draw() for _ in range(20)] != [second.draw() for _ in range(20)]


@settings(max_examples=12, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 300))
@pytest.mark.requirement("T-1")
def test_a_taken_prid_is_never_given_again(seed, count):
    first = PridPool(rng=random.Random(seed))
    taken = {first.draw() for _ in range(count)}
    second = PridPool(taken=taken, rng=random.Random(seed))
    assert taken.isdisjoint({second.draw() for _ in range(50)})


@pytest.mark.requirement("T-1")
def test_the_pool_refuses_above_its_occupancy():
    pool = PridPool(max_occupancy=0.001, rng=random.Random(1))
    for _ in range(65):
        pool.draw()
    with pytest.raises(Refused) as caught:
        pool.draw()
    assert caught.value.code == "prid-occupancy"


@pytest.mark.requirement("T-1")
def test_a_full_pool_still_finds_the_last_free_prid():
    every = {f"{value:04X}" for value in range(65536)}
    pool = PridPool(taken=every - {"BEEF"}, max_occupancy=1.0, rng=random.Random(3))
    assert pool.draw() == "BEEF"
    with pytest.raises(Refused):
        pool.draw()


@pytest.mark.requirement("T-1")
def test_every_value_is_about_equally_likely():
    pool = PridPool(rng=random.Random(5))
    drawn = [int(pool.draw(), 16) for _ in range(20_000)]
    quarters = [sum(value // 16384 == q for value in drawn) for q in range(4)]
    assert all(abs(count - 5000) < 300 for count in quarters)


@pytest.mark.requirement("T-1")
def test_wider_prids_are_a_setting():
    assert len(PridPool(width_bits=64).draw()) == 16


@pytest.mark.parametrize(
    "wrong",
    [{"width_bits": 8}, {"width_bits": 18}, {"max_occupancy": 0}, {"taken": {"abcd"}}, {"taken": {"12345"}}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(Misconfigured):
        PridPool(**wrong)
