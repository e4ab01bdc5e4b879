"""Where an object goes, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from lethe.archive.intake.routing import UNASSIGNED, Router, Rules, Targets, clean_label, pair
from lethe.errors import Misconfigured

WRITABLE = {"DEMO": "DEMO", "alias": "DEMO", "OTHER": "OTHER"}


def header(**values: str) -> Dataset:
    data = Dataset()
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def route(
    data: Dataset, rules: Rules | None = None, explicit: Targets | None = None, stored: Targets | None = None
):  # type: ignore[no-untyped-def]
    router = Router(WRITABLE.get, rules or Rules())
    found = router.route(data, explicit or Targets(), stored or Targets())
    return found.project, found.subject, found.session


NAMED = {"PatientName": "DOE^JOHN", "PatientID": "ID 7"}

NAME, ID = "DOE_JOHN", "ID_7"
TABLE = [
    ("patient comments", {"PatientComments": "Project: DEMO; Subject: S-1; Session: S-1_MR"},
     ("DEMO", "S-1", "S-1_MR")),
    ("commas, any case", {"PatientComments": "project:DEMO,SUBJECT:S1,session:E1"}, ("DEMO", "S1", "E1")),
    ("words around", {"PatientComments": "see Project:DEMO Subject:S1 thanks"}, ("DEMO", "S1", ID)),
    ("study comments", {"StudyComments": "Project:DEMO Subject:S2"}, ("DEMO", "S2", ID)),
    ("patient history", {"AdditionalPatientHistory": "Project:DEMO Session:E3"}, ("DEMO", NAME, "E3")),
    ("study description whole", {"StudyDescription": "DEMO"}, ("DEMO", NAME, ID)),
    ("study description is not searched in", {"StudyDescription": "for DEMO"}, (UNASSIGNED, NAME, ID)),
    ("accession number", {"AccessionNumber": "OTHER"}, ("OTHER", NAME, ID)),
    ("alias", {"StudyDescription": "alias"}, ("DEMO", NAME, ID)),
    ("an unknown project falls to the next", {"PatientComments": "Project:GONE", "StudyDescription": "DEMO"},
     ("DEMO", NAME, ID)),
    ("comments before description", {"PatientComments": "Project:OTHER", "StudyDescription": "DEMO"},
     ("OTHER", NAME, ID)),
    ("nothing known", {}, (UNASSIGNED, NAME, ID)),
    ("an empty pair takes no neighbour", {"PatientComments": "Project: Subject:S1"}, (UNASSIGNED, "S1", ID)),
    ("no name, no id", {"PatientName": "", "PatientID": "  "}, (UNASSIGNED, "", "dicom_upload")),
    ("outside of the id set", {"PatientComments": "Subject:a/b Session:ä.1"}, (UNASSIGNED, "a_b", "__1")),
]  # fmt: skip


@pytest.mark.requirement("E-62")
@pytest.mark.parametrize(("values", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_routing_table(values: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert route(header(**{**NAMED, **values})) == expected


def test_explicit_targets_win_over_stored_ones_and_both_over_the_header() -> None:
    data = header(PatientComments="Project:OTHER Subject:S9 Session:E9")
    stored = Targets("DEMO", "S1", "")
    assert route(data, stored=stored) == ("DEMO", "S1", "E9")
    assert route(data, stored=stored, explicit=Targets("OTHER", "", "E2")) == ("OTHER", "S1", "E2")


def test_rules_come_before_the_comments() -> None:
    rules = Rules.parse(
        "# by the scanner's name\n(0008,1010):DEMO_(.*)_X:1 t:a r:b\n(0008,1010):(\\w+)",
        "(0010,4000):.*Case (\\d+).*",
        "",
    )
    data = header(StationName="OTHER", PatientComments="Project:DEMO Case 12 today")
    assert route(data, rules) == ("OTHER", "12", "dicom_upload")


def test_a_rule_replaces_in_what_it_found() -> None:
    rules = Rules.parse("(0008,1030):Study (.*):1 t:demo r:DEMO")
    assert route(header(StudyDescription="Study demo"), rules)[0] == "DEMO"


@pytest.mark.parametrize(
    "line", ["0010,4000:x", "(0010,4000)", "(0010,4000):(", "(0010,4000):a:1", "(001,4):x"]
)
def test_a_broken_rule_is_misconfiguration(line: str) -> None:
    with pytest.raises(Misconfigured):
        Rules.parse(line)


@pytest.mark.parametrize(
    ("text", "wish"), [("AA:true", True), ("AA: false", False), ("aa:TRUE", True), ("", None)]
)
def test_the_wish_to_be_archived_at_once(text: str, wish: bool | None) -> None:
    assert Router(WRITABLE.get).route(header(PatientComments=text)).auto_archive is wish


@given(st.text(max_size=40))
@settings(derandomize=True, max_examples=200)
def test_any_comment_gives_labels_of_the_id_set(text: str) -> None:
    found = Router(WRITABLE.get).route(header(PatientComments=text, PatientName="A"))
    assert clean_label(found.session) == found.session != ""
    assert clean_label(found.subject) == found.subject
    assert pair(text, "Nowhere") == "" or "nowhere" in text.lower()
