"""The type table: notation, schema, paths, documents."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from lethe.archive.problem import Problem
from lethe.archive.types import xml, xpath
from lethe.archive.types.node import parse
from lethe.archive.types.table import TYPES, is_a, scan_type, session_type, type_of
from lethe.archive.types.tree import Tree, to_json
from lethe.archive.types.xsd import schema
from lethe.errors import Misconfigured

SUBJECT = TYPES["xnat:subjectData"]
SCAN = TYPES["xnat:mrScanData"]


def put(xsi_type, kind, *pairs):
    data = {}
    for name, value in pairs:
        spot = xpath.find(kind, xsi_type, name)
        assert spot is not None, name
        xpath.put(data, spot, value)
    return data


def test_the_schema_is_valid_and_closed():
    etree.XMLSchema(etree.fromstring(schema().encode()))
    assert schema().count("<xs:schema ") == 1


def test_every_type_ends_in_a_root_that_is_in_the_table():
    for one in TYPES.values():
        assert one.lineage[0] == one.name
        assert all(name in TYPES for name in one.lineage)


@pytest.mark.parametrize(
    ("modality", "session", "scan"),
    [("MR", "mr", "mr"), ("CT", "ct", "ct"), ("PT", "pet", "pet"), ("XA", "xa", "xa"),
     ("ZZ", "otherDicom", "otherDicom"), ("SR", "otherDicom", "sr"), ("SEG", "otherDicom", "seg")],
)  # fmt: skip
def test_every_modality_has_types(modality, session, scan):
    assert session_type(modality) == f"xnat:{session}SessionData"
    assert scan_type(modality) == f"xnat:{scan}ScanData"
    assert session_type(modality) in TYPES
    assert scan_type(modality) in TYPES


def test_a_broken_notation_is_refused():
    with pytest.raises(Misconfigured):
        parse("a } b")
    with pytest.raises(Misconfigured):
        parse("a->b->c")


def test_paths_are_found_in_all_their_spellings():
    gender = "demographics/gender"
    for name in (
        "gender",
        "xnat:subjectData/demographics[@xsi:type=xnat:demographicData]/gender",
        "xnat:subjectData/demographics/gender",
        "xnat:SubjectData/DEMOGRAPHICS/Gender",
    ):
        assert xpath.find("subject", SUBJECT, name).path == gender, name
    assert xpath.find("subject", SUBJECT, "no_such_field") is None
    assert xpath.find("scan", SCAN, "xnat:mrScanData/parameters/voxelRes/x").path == "parameters/voxelRes/x"
    assert xpath.find("subject", SUBJECT, "xnat:subjectData/experiments/experiment/label") is None


def test_list_entries_are_found_by_name_whatever_the_letter_case():
    data = put(SUBJECT, "subject", ("xnat:subjectData/fields/field[name=Outcome]/field", "mRS 2"))
    assert data == {"fields/field": {"outcome": {"name": "outcome", "field": "mRS 2"}}}
    spot = xpath.find("subject", SUBJECT, "fields/field[name=OUTCOME]/field")
    assert xpath.get(data, spot) == "mRS 2"
    xpath.put(data, spot, "NULL")
    assert data == {}
    data = put(SCAN, "scan", ("xnat:mrScanData/parameters/addParam[name=a/b]/addField", "1"))
    assert data["parameters/addParam"]["a/b"]["addField"] == "1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gender", "hero"),
        ("handedness", "both"),
        ("age", "old"),
        ("dob", "31.12.1999"),
        ("weight", "heavy"),
        ("age", "4.5"),
    ],
)
def test_a_value_its_field_cannot_hold_is_refused_without_repeating_it(name, value):
    with pytest.raises(Problem) as refused:
        put(SUBJECT, "subject", (name, value))
    assert refused.value.status == 400
    assert value not in str(refused.value)


def test_values_are_kept_in_one_form():
    data = put(SUBJECT, "subject", ("dob", "05/31/1960"), ("age", "41.0"), ("weight", "80"), ("gender", "M"))
    assert data == {
        "demographics/dob": "1960-05-31",
        "demographics/age": "41",
        "demographics/weight": "80.0",
        "demographics/gender": "M",
    }


def test_documents_show_numbers_as_numbers_and_references_as_children():
    data = put(SUBJECT, "subject", ("age", "41"), ("group", "control"), ("fields/field[name=x]/field", "1"))
    document = to_json(Tree(SUBJECT, data))
    assert document["data_fields"] == {"group": "control"}
    fields = {child["field"]: child["items"][0]["data_fields"] for child in document["children"]}
    assert fields == {"demographics": {"age": 41}, "fields/field": {"name": "x", "field": "1"}}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).map(
    str.strip
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    note=TEXT.filter(lambda t: t and t != "NULL"),
    fields=st.dictionaries(
        TEXT.map(str.lower).filter(lambda t: bool(t) and t == t.strip()), TEXT, max_size=3
    ),
    tr=st.floats(0, 1e6),
)
def test_xml_round_trips_through_the_type_table(note, fields, tr):
    session = TYPES["xnat:mrSessionData"]
    data = {"note": note, "scanner": "A", "scanner/manufacturer": "B & <C>", "age": repr(tr)}
    if fields:
        data["fields/field"] = {key: {"name": key, "field": value} for key, value in fields.items()}
    found, back = xml.read(xml.write(Tree(session, {"label": "L", **data})))
    assert found is session
    assert back == {"label": "L", **data}


@pytest.mark.parametrize(
    "body",
    [
        b"<xnat:Subject",
        b"",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Subject>&a;</Subject>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Subject label="x">&b;</Subject>',
        b"<Unknown/>",
    ],
)
def test_xml_that_is_broken_or_has_entities_is_422(body):
    with pytest.raises(Problem) as refused:
        xml.read(body)
    assert refused.value.status == 422


def test_subtypes_know_their_ancestors():
    assert is_a("xnat:mrSessionData", "xnat:imageSessionData")
    assert not is_a("xnat:mrSessionData", "xnat:imageScanData")
    assert type_of("xnat:MRSESSIONDATA").name == "xnat:mrSessionData"


def test_types_of_the_plugin_have_a_schema_and_a_namespace_of_their_own():
    record = TYPES["lethe:clinicalData"]
    assert is_a(record.name, "xnat:subjectAssessorData")
    assert len(record.own) == 77
    assert len(TYPES["lethe:defaceQcData"].own) == 22
    text = schema("lethe")
    assert '<xs:element name="ClinicalData" type="lethe:clinicalData"/>' in text
    document = xml.write(Tree(record, {"label": "L", "note": "n", "mrs_3m": "2"})).decode()
    assert "<lethe:ClinicalData " in document
    assert "<xnat:note>n</xnat:note>" in document
    assert "<lethe:mrs_3m>2</lethe:mrs_3m>" in document
    assert xml.read(document.encode())[1] == {"label": "L", "note": "n", "mrs_3m": "2"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nihss_admission", "43"),
        ("nihss_admission", "-1"),
        ("inr", "nan"),
        ("remarks", "x" * 2001),
        ("sich", "1"),
    ],
)
def test_limits_of_the_record_hold_in_the_archive_and_values_are_not_repeated(name, value):
    with pytest.raises(Problem) as caught:
        put(TYPES["lethe:clinicalData"], "experiment", (f"lethe:clinicalData/{name}", value))
    assert name in str(caught.value)
    assert value not in str(caught.value)


def test_a_moment_is_kept_in_utc():
    record = TYPES["lethe:defaceQcData"]
    kept = put(record, "assessor", ("reviewed_at", "2026-05-31T10:30:00.5+02:00"))
    assert kept == {"reviewed_at": "2026-05-31T08:30:00"}
