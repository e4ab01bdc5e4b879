import csv
import json

import pytest

from lethe.clinical import read_table
from lethe.clinical.check import check_table
from lethe.clinical.describe import as_redcap
from lethe.clinical.eligibility import RuleSet
from lethe.clinical.page import as_page
from lethe.clinical.redcap import Mapping
from lethe.errors import Misconfigured, Refused

from .conftest import put, save

FOLLOW_UP = {"followup_date", "mrs_3m", "mrs_3m_mode", "death_3m", "home_3m", "death_date"}


@pytest.fixture
def raw(rows):
    """The registry as REDCap exports it raw: record_id, one row per event, forms with their state."""
    names = rows[0]
    out = [["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]]
    out[0] += [*names, "baseline_complete"]
    for number, row in enumerate(rows[1:], 1):
        cells = dict(zip(names, row, strict=True))
        for event in ("baseline_arm_1", "month_3_arm_1"):
            late = event.startswith("month")
            shown = [cells[name] if (name in FOLLOW_UP) == late else "" for name in names]
            out.append([str(number), event, "", "", *shown, "2"])
    return out


def labelled(raw, dictionary):
    """The same export with labels in place of names and codes."""
    heads = {
        "record_id": "Record ID",
        "redcap_event_name": "Event Name",
        "redcap_repeat_instrument": "Repeat Instrument",
        "redcap_repeat_instance": "Repeat Instance",
        "baseline_complete": "Complete?",
    }
    out = [[heads.get(name) or dictionary.variables[name].label for name in raw[0]]]
    for row in raw[1:]:
        cells = []
        for name, text in zip(raw[0], row, strict=True):
            codes = dictionary.variables[name].codes if name in dictionary.variables else {}
            meaning = codes.get(text, text)
            cells.append({"yes": "Yes", "no": "No"}.get(meaning, meaning))
        out.append(cells)
    return out


def read(path, dictionary, mapping=None):
    return read_table(path, dictionary, patient_column="patient_id", mapping=mapping)


@pytest.mark.requirement("M-40", "A-22")
def test_a_raw_export_gives_the_same_table_as_the_registry(tmp_path, raw, table, dictionary):
    got = read(save(raw, tmp_path / "r.csv"), dictionary)
    assert got.to_numpy().tolist() == table.to_numpy().tolist()
    assert list(got.columns) == list(table.columns)
    assert list(got.index) == list(range(2, 26, 2))  # a record begins in every other row


@pytest.mark.requirement("M-40")
def test_a_labelled_export_gives_the_same_table_as_the_registry(tmp_path, raw, table, dictionary):
    export = labelled(raw, dictionary)
    export[0].append("Complete?")  # one for every form
    got = read(
        save([*export[:1], *([*row, "Complete"] for row in export[1:])], tmp_path / "l.csv"), dictionary
    )
    assert got.to_numpy().tolist() == table.to_numpy().tolist()


def test_labels_of_the_dictionary_are_unique(dictionary):
    labels = [variable.label for variable in dictionary.variables.values()]
    assert len(set(labels)) == len(labels)


def test_the_printed_data_dictionary_begins_with_the_record_identifier(dictionary):
    assert as_redcap(dictionary).splitlines()[1].startswith("patient_id,")


def test_a_mapping_translates_names_codes_and_events(tmp_path, raw, table, dictionary):
    raw[0][raw[0].index("sex")] = "geschlecht"
    place = raw[0].index("geschlecht")
    for row in raw[1:]:
        row[place] = {"F": "1", "M": "2"}.get(row[place], row[place])
    at = {name: raw[0].index(name) for name in ("nihss_admission", "nihss_24h")}
    for early, late in zip(raw[1::2], raw[2::2], strict=True):
        late[at["nihss_admission"]] = early[at["nihss_24h"]]  # one field in two events
    for row in raw:
        del row[at["nihss_24h"]]
        row.append("no")
    raw[0][-1] = "screening_note"
    (tmp_path / "m.yaml").write_text(
        "record: record_id\n"
        "columns: {sex: geschlecht, nihss_admission: nihss_admission, nihss_24h: nihss_admission}\n"
        "events: {nihss_admission: baseline_arm_1, nihss_24h: month_3_arm_1}\n"
        "codes: {sex: {1: F, 2: M}}\n"
        "ignore: [screening_note]\n"
    )
    mapping = Mapping.load(tmp_path / "m.yaml", dictionary)
    got = read(save(raw, tmp_path / "r.csv"), dictionary, mapping)
    assert got[list(table.columns)].to_numpy().tolist() == table.to_numpy().tolist()


@pytest.mark.parametrize(("policy", "expected"), [("first", "6.1"), ("last", "7.2"), ("", None)])
def test_of_repeated_instances_the_mapping_says_which_counts(tmp_path, raw, dictionary, policy, expected):
    put(raw, "glucose", 2, "6.1")
    for number, text in ((1, "6.1"), (2, "7.2")):
        again = [""] * len(raw[0])
        again[:4] = ["1", "baseline_arm_1", "laboratory", str(number)]
        again[raw[0].index("glucose")] = text
        raw.append(again)
    path = save(raw, tmp_path / "r.csv")
    if expected:
        assert read(path, dictionary, Mapping(instance=policy))["glucose"].iloc[0] == expected
        return
    with pytest.raises(Refused) as caught:
        read(path, dictionary)
    assert caught.value.code == "redcap-conflict"
    assert "Column glucose, row 27: another value than in row 2" in str(caught.value)
    assert "7.2" not in str(caught.value)


@pytest.mark.requirement("A-22")
def test_a_fault_is_told_by_the_row_of_the_export_in_which_it_stands(tmp_path, raw, dictionary):
    put(raw, "mrs_3m", 5, "9")  # the second record's row of month 3
    put(raw, "glucose", 6, "6,1")
    put(raw, "opt_out", 8, "1")
    report = check_table(save(raw, tmp_path / "r.csv"), dictionary, RuleSet.load(dictionary))
    assert [(one.row, one.column) for one in report.issues] == [(5, "mrs_3m"), (6, "glucose")]
    assert report.excluded == ((8, ("opt-out",)),)
    assert as_page(report, "x").count("<svg") > 3
    json.dumps(report.as_dict())


def test_rows_without_a_record_and_exports_without_one_are_refused(tmp_path, raw, dictionary):
    raw[4][0] = ""
    with pytest.raises(Refused) as caught:
        read(save(raw, tmp_path / "r.csv"), dictionary)
    assert "Row 5" in str(caught.value)
    cut = [
        row[1 : 4 + raw[0][4:].index("patient_id")] + row[5 + raw[0][4:].index("patient_id") :] for row in raw
    ]
    with pytest.raises(Misconfigured):
        read(save(cut, tmp_path / "c.csv"), dictionary)


def test_an_unknown_field_is_refused_until_the_mapping_leaves_it_out(tmp_path, raw, dictionary):
    wider = [[*row, "x"] for row in raw]
    wider[0][-1] = "shoe_size"
    path = save(wider, tmp_path / "r.csv")
    with pytest.raises(Refused) as caught:
        read(path, dictionary)
    assert caught.value.code == "column-unknown"
    assert "shoe_size" in str(caught.value)
    assert len(read(path, dictionary, Mapping(ignore=frozenset({"shoe_size"})))) == 12


@pytest.mark.parametrize(
    "text",
    [
        "columns: {shoe_size: x}",
        "events: [a]",
        "codes: {sex: {1: Z}}",
        "instance: middle",
        "colums: {}",
        "- a",
        "columns: {sex: absent}",
        "record: absent",
        "{",
    ],
)
def test_a_mapping_that_does_not_fit_is_misconfigured(tmp_path, raw, dictionary, text):
    (tmp_path / "m.yaml").write_text(text)
    path = save(raw, tmp_path / "r.csv")
    with pytest.raises(Misconfigured):
        read(path, dictionary, Mapping.load(tmp_path / "m.yaml", dictionary))
    with pytest.raises(Misconfigured):
        Mapping.load(tmp_path / "none.yaml", dictionary)


def test_an_export_of_our_own_project_with_one_event_needs_no_mapping(tmp_path, rows, table, dictionary):
    wide = [
        [*rows[0], "demographics_complete", "redcap_data_access_group"],
        *([*r, "2", "zrh"] for r in rows[1:]),
    ]
    got = read(save(wide, tmp_path / "r.csv"), dictionary)
    assert got.to_numpy().tolist() == table.to_numpy().tolist()
    with (tmp_path / "r.csv").open(newline="") as stream:
        assert len(next(csv.reader(stream))) == len(table.columns) + 2
