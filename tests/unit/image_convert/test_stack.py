"""Order and irregularity of planes, from positions and numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.image.frames import Frame, Instance
from lethe.image.stack import analyse

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def stack(places: Sequence[Sequence[float]], numbers: Sequence[int | None] | None = None) -> list[Instance]:
    """Return one instance per slice position."""
    return [
        Instance(
            path=Path(f"{n}.dcm"),
            sop_class="",
            sop_uid=str(n),
            series_uid="1",
            modality="CT",
            transfer_syntax="",
            image_type=(),
            frames=(
                Frame(
                    path=Path(f"{n}.dcm"),
                    index=0,
                    number=numbers[n] if numbers else n + 1,
                    rows=4,
                    columns=4,
                    position=tuple(place),
                    orientation=AXIAL,
                    spacing=(1.0, 1.0),
                ),
            ),
            colour=False,
            body_part="",
            conversion_type="",
            burned_in=False,
            declared_temporal=0,
            declared_images=0,
            thickness=None,
            between=None,
            enhanced=False,
            manufacturer="",
            declared_parts=1,
            declared_frames=1,
            pixels=None,
        )
        for n, place in enumerate(places)
    ]


def codes(instances: list[Instance]) -> set[str]:
    return {finding.code for finding in analyse(instances).findings}


@pytest.mark.requirement("L-13")
@given(
    count=st.integers(4, 60),
    spacing=st.floats(0.4, 10.0),
    seed=st.integers(0, 10**6),
    upwards=st.booleans(),
)
@settings(derandomize=True, max_examples=80)
def test_the_trembling_of_a_table_is_no_fault(count: int, spacing: float, seed: int, upwards: bool) -> None:
    rng = np.random.default_rng(seed)
    places = np.zeros((count, 3))
    places[:, 2] = np.arange(count) * spacing * (1 if upwards else -1)
    places += rng.uniform(-0.01, 0.01, places.shape)
    assert codes(stack(places.tolist())) <= {"gantry-tilt"}
    assert analyse(stack(places.tolist())).fatal == []


@pytest.mark.requirement("M-20")
@given(count=st.integers(5, 60), spacing=st.floats(0.4, 10.0), data=st.data())
@settings(derandomize=True, max_examples=80)
def test_a_slice_that_is_not_there_is_missed_even_when_the_numbers_were_closed(
    count: int, spacing: float, data: st.DataObject
) -> None:
    gone = data.draw(st.integers(1, count - 2))
    places = [(0.0, 0.0, n * spacing) for n in range(count) if n != gone]
    assert "missing-slices" in codes(stack(places))


@pytest.mark.requirement("L-13")
@pytest.mark.parametrize("stride", [2, 3])
def test_interleaved_numbering_is_no_fault(stride: int) -> None:
    order = [n for start in range(stride) for n in range(start, 24, stride)]
    numbers = [order.index(n) + 1 for n in range(24)]
    assert codes(stack([(0.0, 0.0, 2.0 * n) for n in range(24)], numbers)) == set()
    numbers[3], numbers[9] = numbers[9], numbers[3]
    assert codes(stack([(0.0, 0.0, 2.0 * n) for n in range(24)], numbers)) == {"order-contradiction"}


@pytest.mark.requirement("L-13")
def test_two_slice_distances_in_one_series_are_named() -> None:
    places = [(0.0, 0.0, 4.5 * n) for n in range(8)] + [(0.0, 0.0, 31.5 + 9.0 * n) for n in range(1, 9)]
    assert codes(stack(places)) & {"uneven-spacing", "missing-slices"}


def times(numbers: Sequence[int], marks: Sequence[int]) -> list[Instance]:
    """Return two time points of eight slices, with image numbers and temporal marks, time after time."""
    instances = stack([(0.0, 0.0, 2.0 * (n % 8)) for n in range(16)], numbers)
    return [
        replace(one, frames=(replace(one.frames[0], temporal=mark),))
        for one, mark in zip(instances, marks, strict=True)
    ]


def exchanged(values: Sequence[int], one: int, other: int) -> list[int]:
    changed = list(values)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


AS_SENT = list(range(1, 17))
SLICE_BY_SLICE = [2 * (n % 8) + n // 8 + 1 for n in range(16)]
BEGUN_AGAIN = [n % 8 + 1 for n in range(16)]
MARKS = [1] * 8 + [2] * 8


@pytest.mark.requirement("M-22", "L-13")
@pytest.mark.parametrize("numbers", [AS_SENT, SLICE_BY_SLICE, BEGUN_AGAIN])
def test_time_points_may_be_numbered_in_several_ways_but_not_against_their_places(numbers: list[int]) -> None:
    assert codes(times(numbers, MARKS)) == set()
    assert codes(times(exchanged(numbers, 3, 5), MARKS)) == {"order-contradiction"}
    assert codes(times(numbers, exchanged(MARKS, 3, 12))) == {"mixed-times"}


def numbered(numbers: Sequence[int | None]) -> set[str]:
    """Return what is said of slices in order of their places with these numbers."""
    return codes(stack([(0.0, 0.0, 2.0 * n) for n in range(len(numbers))], numbers))


@pytest.mark.requirement("M-20", "L-13")
def test_numbers_that_begin_again_are_no_fault_where_the_places_are_whole() -> None:
    parts = ([1, 2, 3, 4] * 2, [1, 2, 3, 4, 1, 2, 3], [1, 3, 2, 4] * 2, [1, 1, 2, 2, 3, 3], [7] * 8, [0] * 8)
    for numbers in parts:
        assert numbered(numbers) == {"numbers-begin-again"}, numbers
    assert numbered([None] * 8) == numbered([1, None, 3, 4]) == {"no-numbers"}


@pytest.mark.requirement("L-13")
def test_a_part_that_is_numbered_from_a_round_hundred_has_lost_nothing() -> None:
    assert numbered(list(range(101, 109))) == numbered(list(range(1001, 1009))) == set()
    for first in (2, 6, 105, 500):
        assert numbered(list(range(first, first + 8))) == {"first-slice-missing"}
    assert numbered(list(range(101, 301))) == {"first-slice-missing"}  # as many may be lost


@pytest.mark.requirement("M-20")
def test_numbers_that_repeat_without_order_are_named() -> None:
    disorder = (
        [1, 2, 3, 3, 4, 5],
        [1, 2, 4, 5] * 2,
        [2, 3, 4, 5] * 2,
        [1, 2, 3, 4, 2, 1, 4, 3],
        [1, 1, 3, 3],
    )
    for numbers in disorder:
        assert numbered(numbers) == {"repeated-numbers"}, numbers


@pytest.mark.requirement("L-13")
def test_positions_may_be_rounded_as_far_as_their_decimals_say() -> None:
    way = np.array([0.31, -0.42, 1.07])
    exact = np.outer(np.arange(40), way) + np.array([0.123, 45.678, -90.12])
    assert codes(stack(np.round(exact, 1).tolist())) == {"gantry-tilt"}
    moved = np.round(exact, 1)
    moved[20] += [0.0, 0.3, 0.0]
    assert codes(stack(moved.tolist())) & {"uneven-positions", "uneven-spacing"}
    # Two decimals that scatter by a tenth were not rounded.
    shaken = exact + np.random.default_rng(1).uniform(-0.14, 0.14, exact.shape)
    assert codes(stack(np.round(shaken, 2).tolist())) & {"uneven-positions", "uneven-spacing"}


@pytest.mark.requirement("L-13")
def test_the_scatter_of_thin_slices_is_no_tilt() -> None:
    places = np.outer(np.arange(14), [0.0, 0.0, 0.625])
    places += np.random.default_rng(2).uniform(-0.03, 0.03, places.shape)
    assert codes(stack(places.tolist())) == set()
