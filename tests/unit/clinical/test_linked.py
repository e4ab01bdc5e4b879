"""Only a table that linking could have written leaves the hospital."""

import pytest

from lethe.clinical import Dictionary
from lethe.clinical.linked import check_linked
from lethe.errors import Refused


def written(folder, text, name="table.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_linked_table_is_told_by_rows_columns_and_centres(tmp_path):
    found = check_linked(written(tmp_path, "prid,centre,age\nA001,ZRH,70\nA002,ZRH,71\n"), Dictionary.load())
    assert (found.prids, found.columns, found.centres) == ({"A001", "A002"}, 3, {"ZRH"})


@pytest.mark.requirement("M-45", "A-26")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("centre,prid,age\nZRH,A001,70\n", "not-linked"),
        ("prid,patient_name,age\nA001,Muster,70\n", "identifier"),
        ("prid,age\nmuster.hans,70\n", "prid-form"),
        ("prid,age\nA001,70\nA001,71\n", "patient-duplicate"),
        ("patient_id,age\nA001,70\n", "patient-column"),
        ("prid,age,hobby\nA001,70,chess\n", "column-unknown"),
    ],
)
def test_what_is_not_linked_is_refused_and_no_value_is_told(tmp_path, text, code):
    with pytest.raises(Refused) as refused:
        check_linked(written(tmp_path, text), Dictionary.load())
    assert refused.value.code == code
    assert "uster" not in str(refused.value)


def test_a_workbook_is_no_linked_table(tmp_path):
    with pytest.raises(Refused, match="CSV"):
        check_linked(written(tmp_path, "x", "table.xlsx"), Dictionary.load())
