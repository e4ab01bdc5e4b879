"""Measures in words: every name is one that reports use, and every value keeps its unit."""

from __future__ import annotations

import inspect

import pytest

from lethe.image.deface import engine, judge, words


def test_every_measure_with_words_is_one_that_reports_hold() -> None:
    source = inspect.getsource(judge.as_numbers) + inspect.getsource(engine)
    assert [name for name in words._MEASURES if f'"{name}"' not in source] == []


@pytest.mark.parametrize(
    ("measures", "told"),
    [
        ({"front_moved": 0.977}, {"eyes, nose and mouth moved back by 8 mm or more": "97.7%"}),
        ({"clearance_mm": None, "brain_changed": 0}, {"brain voxels changed": "0"}),
        ({"removed_ml": 229.2, "of_no_interest": 1}, {"tissue removed": "229.2 ml"}),
        ({"scales": [1.0, 1.1, 1.2]}, {"size against the average head": "1.0 x 1.1 x 1.2"}),
    ],
)
def test_measures_are_told_with_their_unit_and_unknown_ones_are_left_out(
    measures: dict[str, object], told: dict[str, str]
) -> None:
    assert words.readable(measures) == told
