"""The table of requirements is that of the list and of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from requirements_table import PAGE, listed, named_by_tests, page

ROOT = Path(__file__).resolve().parents[3]
COUNTS = {"M": 95, "A": 92, "E": 87, "G": 14, "L": 16, "T": 15}


@pytest.fixture(scope="module")
def everything():
    return listed(ROOT)


@pytest.fixture(scope="module")
def tests():
    return named_by_tests(ROOT)


@pytest.mark.requirement("M-81")
def test_every_requirement_of_the_source_documents_is_listed(everything):
    wanted = [
        f"{letter}-{n:02d}" for letter, count in COUNTS.items() if letter != "T" for n in range(1, count + 1)
    ]
    wanted += [f"T-{n}" for n in range(1, COUNTS["T"] + 1)]
    assert sorted(everything.requirements) == sorted(wanted)
    assert set(everything.groups) == set(COUNTS)


def test_every_id_that_a_test_names_is_listed(everything, tests):
    assert sorted(set(tests) - set(everything.requirements)) == []


def test_what_no_test_names_says_why(everything, tests):
    silent = [
        name
        for name, one in everything.requirements.items()
        if name not in tests and one.word not in everything.words
    ]
    assert silent == []


def test_nothing_is_called_not_built_that_a_test_names(everything, tests):
    assert [
        name for name, one in everything.requirements.items() if name in tests and one.word == "not built"
    ] == []


def test_every_place_exists(everything):
    places = {one.place for one in everything.requirements.values() if one.place}
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
    built = [
        n for n, one in everything.requirements.items() if not one.place and one.word in (None, "untested")
    ]
    assert built == []


def test_the_page_is_up_to_date():
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == page(ROOT), "run scripts/make-requirements-table"
