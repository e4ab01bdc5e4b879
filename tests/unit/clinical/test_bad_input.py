"""Every bad table that the verbs may meet: column and row are named, the value never, nothing is written."""

import os

import openpyxl
import pytest

from kit.people import people
from kit.tables import clinical_table

from .conftest import put, save

SECRET = "Quellenbrunnli"


def workbook(rows, path, merge):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.active.merge_cells(merge)
    book.save(path)
    return path


def unknown_column(rows, path):
    return save([[*rows[0], "shoe_size"], *([*row, SECRET] for row in rows[1:])], path)


def duplicate_patient(rows, path):
    put(rows, "patient_id", 9, rows[3][0])
    return save(rows, path)


def wrong_encoding(rows, path):
    return save(rows, path, encoding="latin-1")


def decimal_comma(rows, path):
    put(rows, "glucose", 4, "6,1")
    return save(rows, path)


def mixed_dates(rows, path):
    put(rows, "discharge_date", 7, "03.02.2021")
    return save(rows, path)


def merged_cells(rows, path):
    return workbook(rows, path.with_suffix(".xlsx"), "B6:B7")


def empty_table(rows, path):
    return save(rows[:1], path)


def other_centre(rows, path):
    put(rows, "centre", 10, "LIS")
    return save(rows, path)


def no_number(rows, path):
    put(rows, "creatinine", 3, SECRET)
    return save(rows, path)


BAD = {
    unknown_column: ("'shoe_size'",),
    duplicate_patient: ("patient_id", "row 9"),
    wrong_encoding: ("Column number 3", "row 5"),
    decimal_comma: ("glucose", "row 4"),
    mixed_dates: ("discharge_date", "row 7"),
    merged_cells: ("Column B", "row 6"),
    empty_table: ("no row below its header",),
    other_centre: ("centre", "row 10"),
    no_number: ("creatinine", "row 3"),
}


@pytest.mark.requirement("A-22", "M-11", "T-4")
@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("verb", ["check", "link"])
def test_a_bad_table_is_refused_by_column_and_row_and_nothing_is_written(tmp_path, rows, lethe, spoil, verb):
    for row in range(2, 14):
        put(rows, "centre", row, "ZRH")
    session = ("--session", tmp_path / "session", "--key", tmp_path / "key")
    if verb == "link":
        registry = clinical_table(people(12), tmp_path / "registry.csv")
        lethe("intake", "open", tmp_path / "session", "--key", tmp_path / "key")
        lethe("intake", "add", tmp_path / "session", "--key", tmp_path / "key", "--from", registry)
    table = spoil(rows, tmp_path / "table.csv")
    before = sorted(os.listdir(tmp_path))
    target = ("--html", tmp_path / "page.html") if verb == "check" else (*session, "--to", tmp_path / "out")
    told = lethe("clinical", verb, table, "--centre", "ZRH", *target, code=4, both=True)
    for word in BAD[spoil]:
        assert word.casefold() in told.casefold(), told
    for value in (SECRET, "6,1", "03.02.2021"):
        assert value not in told
    after = set(os.listdir(tmp_path)) - {"page.html"}  # the report of a check is what it is asked for
    assert sorted(after) == before


@pytest.mark.requirement("A-22")
def test_a_centre_that_the_dictionary_lacks_is_misconfigured(tmp_path, rows, lethe):
    lethe("clinical", "check", save(rows, tmp_path / "t.csv"), "--centre", "XXX", code=2)
