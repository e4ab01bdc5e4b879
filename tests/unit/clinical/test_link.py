from datetime import datetime, timedelta

import pytest

from kit.tables import clinical_table
from lethe.clinical import Dictionary, Role, link_table, read_table, write_table
from lethe.clinical.dates import find_format, shift
from lethe.errors import Refused
from lethe.identity import Assignment
from lethe.identity.leftovers import search

from .conftest import GIVEN, PEOPLE, SHIFTS


def link(table, dictionary, given=GIVEN):
    return link_table(table, dictionary, given, patient_column="patient_id")


@pytest.mark.requirement("M-33", "M-45", "T-4")
def test_identifiers_and_free_text_are_gone_and_the_prid_comes_first(linked, dictionary, tmp_path):
    assert linked.columns[0] == "prid"
    dropped = dictionary.with_role(Role.IDENTIFIER, Role.FREE_TEXT)
    assert set(linked.columns).isdisjoint(dropped)
    assert len(linked.columns) == len(dictionary.variables) - len(dropped) + 1
    write_table(linked, tmp_path / "linked.csv")
    assert search([tmp_path], [text for person in PEOPLE for text in person.planted()]) == []


@pytest.mark.requirement("M-88")
def test_rows_are_in_the_order_of_the_prids_and_not_of_the_hospital(linked):
    assert linked["prid"].tolist() == sorted(given.prid for given in GIVEN.values())


@pytest.mark.requirement("M-47", "T-7", "A-29")
def test_every_date_of_a_patient_moves_by_the_one_offset_and_the_time_of_day_stays(table, linked, dictionary):
    moved = linked.set_index("prid")
    for _, row in table.iterrows():
        patient = row["patient_id"]
        for name in dictionary.with_role(Role.DATE):
            before, after = row[name], moved.loc[GIVEN[patient].prid, name]
            if not before:
                assert after == ""
            else:
                offset = datetime.fromisoformat(after) - datetime.fromisoformat(before)
                assert offset == timedelta(days=SHIFTS[patient])
                assert after[10:] == before[10:]


@pytest.mark.requirement("T-4")
def test_what_has_another_role_is_untouched(table, linked, dictionary):
    prids = [GIVEN[patient].prid for patient in table["patient_id"]]
    kept = [
        n
        for n, v in dictionary.variables.items()
        if v.role in (Role.OUTCOME, Role.TIMING, Role.CATEGORICAL, Role.NUMERIC)
    ]
    assert linked.set_index("prid").loc[prids, kept].to_numpy().tolist() == table[kept].to_numpy().tolist()


def test_a_patient_whom_the_session_does_not_know_is_refused_by_row(table, dictionary):
    known = {name: given for name, given in GIVEN.items() if name != PEOPLE[4].patient_id}
    with pytest.raises(Refused) as caught:
        link(table, dictionary, known)
    assert caught.value.code == "patient-unknown"
    assert "Column patient_id, row 6" in str(caught.value)
    assert PEOPLE[4].patient_id not in str(caught.value)


def test_two_patients_with_one_prid_are_refused(table, dictionary):
    with pytest.raises(Refused) as caught:
        link(table, dictionary, dict.fromkeys(GIVEN, Assignment("AAAA", 1)))
    assert caught.value.code == "prid-duplicate"


@pytest.mark.requirement("T-4")
def test_an_unknown_column_is_never_passed_on(table, dictionary):
    with pytest.raises(Refused) as caught:
        link(table.assign(shoe_size="43"), dictionary)
    assert caught.value.code == "column-unknown"


GERMAN = ("%d.%m.%Y", "%d.%m.%y")


def test_a_dictionary_may_declare_other_date_formats():
    assert find_format("d", ["", "28.02.2020"], [2, 3], GERMAN) == ("%d.%m.%Y", [])
    assert shift(["28.02.2020", ""], "%d.%m.%Y", [2, 5]) == ["01.03.2020", ""]


def test_days_and_months_that_could_be_exchanged_are_refused():
    form, issues = find_format("d", ["01/02/2020", "03/04/2021"], [2, 3], ("%d/%m/%Y", "%m/%d/%Y"))
    assert (form, issues[0].code) == ("", "date-ambiguous")
    assert find_format("d", ["01/02/2020", "13/04/2021"], [2, 3], ("%d/%m/%Y", "%m/%d/%Y"))[0] == "%d/%m/%Y"


def test_mixed_formats_are_refused_with_the_first_row_that_differs():
    _, issues = find_format("d", ["28.02.2020", "", "28.02.20"], [2, 3, 4], GERMAN)
    assert [(issue.code, issue.row) for issue in issues] == [("date-mixed", 4)]


def test_a_column_without_dates_is_no_problem():
    assert find_format("d", ["", ""], [2, 3], GERMAN) == ("", [])
    assert shift(["", ""], "", [1, 2]) == ["", ""]


def test_the_same_table_links_to_the_same_bytes(tmp_path):
    dictionary = Dictionary.load()
    for name in ("a.csv", "b.csv"):
        source = clinical_table(PEOPLE, tmp_path / f"source-{name}")
        write_table(
            link(read_table(source, dictionary, patient_column="patient_id"), dictionary), tmp_path / name
        )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_table_without_rows_is_refused(table, dictionary):
    with pytest.raises(Refused) as caught:
        link(table.iloc[:0], dictionary)
    assert caught.value.code == "table-empty"
