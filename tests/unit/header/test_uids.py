"""UIDs: equal within a patient, and out of reach for whoever knows the original ones."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from lethe.header import LookupTable, Script, bundled_script, load_lookup, load_script
from lethe.header.hashes import number
from lethe.identity import IntakeSession
from unit.header.objects import SALT, TABLE, clean, code, ct, rules, to_bytes

PROFILES = [load_script(bundled_script(name)) for name in ("stroke", "strict")]
KEYWORDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def _cleaned(script: Script, table: LookupTable = TABLE, **attributes: object) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = "1.2.3.4.5"
    given = {"FrameOfReferenceUID": "1.2.3.9", "SourceImageSequence": [reference], **attributes}
    out = clean(script, to_bytes(ct(**given)), table)
    assert isinstance(out, bytes), out
    return pydicom.dcmread(BytesIO(out))


@pytest.fixture
def table(tmp_path: Path) -> LookupTable:
    session = IntakeSession.open(tmp_path / "session", key_file=tmp_path / "key", rng=random.Random(1))
    session.assign(["PAT001"])
    session.write_lookup_table(tmp_path / "lookup.properties")
    again = IntakeSession.open(tmp_path / "session", key_file=tmp_path / "key", rng=random.Random(2))
    assert again.assign(["PAT001"]) == session.assignments
    return load_lookup(tmp_path / "lookup.properties")


@pytest.mark.requirement("M-35", "M-36", "M-88")
@pytest.mark.parametrize("script", PROFILES, ids=["stroke", "strict"])
def test_a_uid_cannot_be_computed_from_the_original_and_everything_public(script: Script) -> None:
    out = _cleaned(script)
    originals = {
        "SOPInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3.4",
        "SeriesInstanceUID": "1.2.3.4.1",
    }
    for keyword, original in originals.items():
        public = ("", "A1B2", "PAT001", "SMITH^John", "-12", "@remove()")
        for before in public:
            for after in public:
                assert number(before + original + after) not in str(out[keyword].value)
        assert str(out[keyword].value) == "2.25." + number(f"{original}{SALT}@remove()")
    assert SALT not in str(out)


@pytest.mark.requirement("M-28")
@pytest.mark.parametrize("script", PROFILES, ids=["stroke", "strict"])
def test_one_original_uid_is_one_uid_in_every_object_and_item_of_a_patient(
    script: Script, table: LookupTable
) -> None:
    first = _cleaned(script, table)
    second = _cleaned(script, table, SOPInstanceUID="1.2.3.4.6", IssuerOfPatientID="SMITH CLINIC")
    for keyword in KEYWORDS[1:]:
        assert first[keyword].value == second[keyword].value
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert second.SourceImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert "IssuerOfPatientID" not in second
    assert first == _cleaned(script, table)


@pytest.mark.requirement("M-36")
def test_two_sessions_give_one_object_different_uids(tmp_path: Path) -> None:
    tables = []
    for place in ("a", "b"):
        session = IntakeSession.open(tmp_path / place, key_file=tmp_path / f"{place}.key")
        session.assign(["PAT001"])
        session.write_lookup_table(tmp_path / f"{place}.properties")
        tables.append(load_lookup(tmp_path / f"{place}.properties"))
    one, other = (_cleaned(PROFILES[0], table) for table in tables)
    assert all(one[keyword].value != other[keyword].value for keyword in KEYWORDS)


@pytest.mark.requirement("M-36")
@pytest.mark.parametrize("script", PROFILES, ids=["stroke", "strict"])
def test_a_patient_without_a_salt_is_quarantined(script: Script) -> None:
    table = LookupTable({key: value for key, value in TABLE.items() if not key.startswith("salt/")})
    assert code(clean(script, to_bytes(ct()), table)) == "lookup-miss"


def test_as_ctp_a_failing_third_argument_gives_the_argument_list() -> None:
    script = rules("00080018 @hashuid(1.2,this,00100021)", "00100021 @lookup(00100020,nothing)")
    out = clean(script, to_bytes(ct()), as_ctp=True)
    assert isinstance(out, bytes)
    assert pydicom.dcmread(BytesIO(out)).SOPInstanceUID == "(1.2,this,00100021)"
    assert code(clean(script, to_bytes(ct()))) == "lookup-miss"
