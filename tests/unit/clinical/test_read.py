import openpyxl
import pytest

from kit.people import people
from lethe.clinical import PRID, read_table
from lethe.errors import Misconfigured, Refused

from .conftest import put, save

SECRET = "Quellenbrunnli"


def read(path, dictionary):
    return read_table(path, dictionary, patient_column="patient_id")


def refused(path, dictionary, code, *words):
    with pytest.raises(Refused) as caught:
        read(path, dictionary)
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.requirement("M-39")
@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-8")])
def test_every_cell_is_read_as_the_text_it_is(tmp_path, rows, dictionary, delimiter, encoding):
    put(rows, "glucose", 2, "6.10")
    table = read(save(rows, tmp_path / "t.csv", delimiter, encoding), dictionary)
    assert list(table.columns) == rows[0]
    assert table.to_numpy().tolist() == rows[1:]


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("glucose", "6,1", "decimal-comma"),
        ("glucose", SECRET, "number"),
        ("glucose", "6.1 ", "number"),
        ("glucose", "1e1", "number"),
        ("glucose", "NaN", "number"),
        ("glucose", "٦", "number"),
        ("glucose", "600", "range"),
        ("age", "56.5", "number"),
        ("age", ">90", "number"),
        ("mrs_3m", "7", "code"),
        ("sex", "female", "code"),
        ("hypertension", "yes", "code"),
        ("onset_datetime", "2021-02-30 10:00", "date"),
        ("onset_datetime", "2021-2-3 10:00", "date"),
        ("onset_datetime", "2021-02-03 10:00+01:00", "date"),
        ("onset_datetime", "2021-02-03", "date"),
        ("onset_datetime", "0021-02-03 10:00", "date"),
        ("discharge_date", "03.02.2021", "date"),
        ("discharge_date", SECRET, "date"),
        ("onset_datetime", "2021-02-03T10:00", "date-mixed"),
    ],
)
def test_a_wrong_cell_is_named_by_column_and_row_and_never_by_value(
    tmp_path, rows, dictionary, column, text, code
):
    put(rows, column, 5, text)
    told = refused(save(rows, tmp_path / "t.csv"), dictionary, code, f"Column {column}, row 5:")
    assert text not in told


def test_an_age_of_the_label_is_allowed(tmp_path, rows, dictionary):
    put(rows, "age", 5, ">90 years")
    assert read(save(rows, tmp_path / "t.csv"), dictionary)["age"][3] == ">90 years"


@pytest.mark.requirement("A-79")
def test_a_patient_that_is_there_twice_is_refused(tmp_path, rows, dictionary):
    put(rows, "patient_id", 9, rows[3][0].lower() + " ")
    refused(save(rows, tmp_path / "t.csv"), dictionary, "patient-duplicate", "row 9")


def test_a_row_without_a_patient_is_refused(tmp_path, rows, dictionary):
    put(rows, "patient_id", 9, " ")
    refused(save(rows, tmp_path / "t.csv"), dictionary, "patient-missing", "row 9")


def test_a_table_without_the_patient_column_is_refused(tmp_path, rows, dictionary):
    cut = [row[1:] for row in rows]
    refused(save(cut, tmp_path / "t.csv"), dictionary, "patient-column", "patient_id")


@pytest.mark.requirement("T-4")
def test_an_unknown_column_is_refused_by_name(tmp_path, rows, dictionary):
    wider = [[*row, "x"] for row in rows]
    wider[0][-1] = "shoe_size"
    refused(save(wider, tmp_path / "t.csv"), dictionary, "column-unknown", "'shoe_size'")


def test_a_column_name_that_may_be_a_value_is_named_by_position(tmp_path, rows, dictionary):
    refused(
        save([["patient_id", SECRET, "12"], *([["a", "b", "c"]] * 1)], tmp_path / "t.csv"),
        dictionary,
        "column-unknown",
        "number 2",
        "number 3",
    )


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_table_is_refused(tmp_path, rows, dictionary, count):
    refused(save(rows[:count], tmp_path / "t.csv"), dictionary, "table-empty")


def test_another_encoding_is_refused_with_its_row(tmp_path, rows, dictionary):
    # the fourth invented person has letters beyond ASCII
    refused(
        save(rows, tmp_path / "t.csv", encoding="latin-1"), dictionary, "encoding", "Column number 3, row 5"
    )
    refused(save(rows, tmp_path / "u.csv", encoding="utf-16"), dictionary, "encoding")


def test_ragged_blank_and_torn_rows_are_refused(tmp_path, rows, dictionary):
    refused(save([*rows[:6], rows[6][:20], *rows[7:]], tmp_path / "a.csv"), dictionary, "csv-ragged", "Row 7")
    refused(
        save([*rows[:6], [*rows[6], "more"], *rows[7:]], tmp_path / "b.csv"), dictionary, "column-unnamed"
    )
    refused(
        save([*rows[:6], [""] * len(rows[0]), *rows[6:]], tmp_path / "c.csv"),
        dictionary,
        "row-blank",
        "Row 7",
    )
    (tmp_path / "d.csv").write_text('patient_id,age\n"open,5\n')
    refused(tmp_path / "d.csv", dictionary, "csv")
    assert len(read(save([*rows, [""] * len(rows[0]), []], tmp_path / "e.csv"), dictionary)) == 12


def test_a_doubled_column_is_refused(tmp_path, rows, dictionary):
    twice = [[*row, row[0]] for row in rows]
    refused(save(twice, tmp_path / "t.csv"), dictionary, "column-twice", "number 1")


def test_a_missing_file_and_another_kind_are_misconfigured(tmp_path, dictionary):
    with pytest.raises(Misconfigured):
        read(tmp_path / "absent.csv", dictionary)
    (tmp_path / "t.pdf").write_bytes(b"%PDF")
    with pytest.raises(Misconfigured):
        read(tmp_path / "t.pdf", dictionary)


def workbook(rows, path, dictionary, merge=""):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([float(text) if text.replace(".", "").isdigit() else text or None for text in row])
    if merge:
        book.active.merge_cells(merge)
    book.save(path)
    return path


def test_excel_gives_the_same_table_as_csv(tmp_path, rows, table, dictionary):
    read_back = read(workbook(rows, tmp_path / "t.xlsx", dictionary), dictionary)
    for name in table.columns:
        if table[name].str.fullmatch(r"[0-9.]+").all():
            assert [float(a) for a in table[name]] == [float(b) for b in read_back[name]]
        else:
            assert table[name].tolist() == read_back[name].tolist()


def test_merged_cells_formulas_and_error_values_are_refused(tmp_path, rows, dictionary):
    refused(
        workbook(rows, tmp_path / "m.xlsx", dictionary, merge="B6:B7"),
        dictionary,
        "excel-merged",
        "Column B, row 6",
    )
    put(rows, "age", 4, "=1+1")
    refused(workbook(rows, tmp_path / "f.xlsx", dictionary), dictionary, "excel-formula", "Column N, row 4")
    put(rows, "age", 4, "#DIV/0!")
    refused(workbook(rows, tmp_path / "e.xlsx", dictionary), dictionary, "excel-error", "Column N, row 4")
    (tmp_path / "n.xlsx").write_bytes(b"PK\x03\x04 nothing")
    refused(tmp_path / "n.xlsx", dictionary, "excel")


def test_a_linked_table_is_read_by_its_prid(tmp_path, linked, dictionary):
    rows = [list(linked.columns), *linked.to_numpy().tolist()]
    again = read_table(save(rows, tmp_path / "t.csv"), dictionary, patient_column=PRID)
    assert again.equals(linked)
    refused(tmp_path / "t.csv", dictionary, "patient-column")


def test_no_message_holds_a_planted_identifier(tmp_path, rows, dictionary):
    planted = [text for person in people(12) for text in person.planted()]
    for column in rows[0][1:]:
        spoilt = [list(row) for row in rows]
        for row in range(2, 8):
            put(spoilt, column, row, planted[row])
        told = complaint(save(spoilt, tmp_path / "t.csv"), dictionary)
        assert not any(text in told for text in planted)


def complaint(path, dictionary):
    try:
        read(path, dictionary)
    except Refused as problem:
        return str(problem)
    return ""
