"""Where CTP fails open, the default engine refuses or quarantines, with a name for it."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from lethe.errors import Misconfigured
from lethe.header import Anonymizer, LookupTable, bundled_script, load_lookup, load_script
from unit.header.objects import TABLE, clean, code, ct, rules, to_bytes, write

STROKE = load_script(bundled_script("stroke"))
FULL = '<r en="T" t="unspecifiedelements">x</r>'


def _script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.script"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.requirement("M-21")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<script><e en="T" t="00100020">X</e>', "script-malformed"),
        ("<script></script>", "script-empty"),
        ('<script><e en="F" t="00100020" n="">X</e></script>', "script-empty"),
        ('<script><e en="T" t="0010" n="">X</e></script>', "script-bad-tag"),
        ('<script><e en="T" t="00100020" n="">@hash(this,@NOPE)</e></script>', "script-undefined-parameter"),
        ('<script><e en="T" t="00100020" n="">@nosuch(this)</e></script>', "script-unknown-function"),
        ('<script><e en="T" t="00100020" n="">@keep</e></script>', "script-cut-short"),
        ('<script><e en="T" t="00100020" n="">@if(this,exists){@keep}{}</e></script>', "script-cut-short"),
        (
            '<script><e en="T" t="00100020" n="">@contents(PatientsName)</e></script>',
            "script-unknown-element",
        ),
        ('<script><e en="T" t="00100020" n="">@contents(this,"[")</e></script>', "script-regex"),
        ('<script><e en="T" t="00100020" n="">@skip()</e></script>', "script-skip"),
        ('<script><e en="T" t="00080018" n="">@hashuid(Trial,this)</e></script>', "script-uid-root"),
        ('<script><e en="T" t="00080018" n="">@hashuid(1.2,this,00080018)</e></script>', "script-cycle"),
        (
            '<script><e en="T" t="00100020" n="a">X</e><e en="T" t="00100020" n="b">Y</e></script>',
            "script-doubled-tag",
        ),
        ('<script><r en="T" t="nosuchrule">x</r></script>', "script-unknown-switch"),
    ],
)
def test_a_script_that_ctp_would_misread_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    path = _script(tmp_path, text)
    with pytest.raises(Misconfigured) as caught:
        load_script(path)
    assert caught.value.code == fault
    assert caught.value.remedy


def test_a_missing_script_is_refused_in_both_modes(tmp_path: Path) -> None:
    for as_ctp in (True, False):
        with pytest.raises(Misconfigured):
            load_script(tmp_path / "no.script", as_ctp=as_ctp)


def test_a_parameter_that_the_script_lacks_is_refused() -> None:
    with pytest.raises(Misconfigured):
        load_script(bundled_script("stroke"), parameters={"NOPE": "1"})


@pytest.mark.requirement("E-46")
@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("t.csv", "prid/PAT001,A1B2", "lookup-csv"),
        ("t.properties", "prid/PAT001=A1B2\nprid/PAT001=FFFF", "lookup-duplicate"),
        ("t.properties", "prid/PAT\\u00zz=1", "lookup-encoding"),
    ],
)
def test_a_lookup_table_that_would_mislead_is_refused(
    name: str, text: str, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        load_lookup(path)
    assert caught.value.code == fault
    assert "PAT001" not in str(caught.value)


@pytest.mark.requirement("M-21")
def test_a_patient_missing_from_the_table_is_quarantined() -> None:
    data = to_bytes(ct())
    assert code(clean(STROKE, data, LookupTable({"prid/OTHER": "0001"}))) == "lookup-miss"
    assert code(clean(STROKE, data, None)) == "lookup-miss"


def test_a_patient_without_shift_is_quarantined_and_not_left_without_dates() -> None:
    assert code(clean(STROKE, to_bytes(ct()), LookupTable({"prid/PAT001": "A1B2"}))) == "lookup-miss"
    bad = LookupTable({**TABLE, "shift/PAT001": "twelve"})
    assert code(clean(STROKE, to_bytes(ct()), bad)) == "date-shift"


def test_an_object_without_patient_is_quarantined() -> None:
    dataset = ct()
    del dataset.PatientID
    assert code(clean(STROKE, to_bytes(dataset))) == "lookup-miss"


@pytest.mark.parametrize("value", ["YES", "yes", "UNKNOWN"])
def test_what_says_it_carries_text_in_its_pixels_is_quarantined(value: str) -> None:
    assert code(clean(STROKE, to_bytes(ct(BurnedInAnnotation=value)))) == "script-quarantine"


@pytest.mark.parametrize(
    "sop_class",
    ["1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.1.3.10", "1.2.3"],
)
def test_captures_dose_sheets_and_foreign_classes_are_quarantined(sop_class: str) -> None:
    assert code(clean(STROKE, to_bytes(ct(SOPClassUID=sop_class)))) == "script-quarantine"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not-dicom"),
        (b"\0" * 4096, "not-dicom"),
        (b"hello world, this is no image", "not-dicom"),
        (to_bytes(ct())[:-3], "truncated"),
        (to_bytes(ct())[:200], "truncated"),
        (to_bytes(ct())[:330], "truncated"),
    ],
)
def test_what_is_no_whole_object_is_quarantined_by_name(data: bytes, fault: str) -> None:
    assert code(clean(STROKE, data)) == fault


def test_deflated_and_unknown_transfer_syntaxes_are_quarantined() -> None:
    buffer = BytesIO()
    dataset = ct()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    assert code(clean(STROKE, buffer.getvalue())) == "deflated"
    strange = to_bytes(ct()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0")
    assert code(clean(STROKE, strange)) == "transfer-syntax"


def _explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + struct.pack("<H", len(value)) + value


def _with(data: bytes, new: bytes, before: int) -> bytes:
    at = data.index(struct.pack("<HH", before >> 16, before & 0xFFFF))
    return data[:at] + new + data[at:]


def test_text_in_the_place_of_a_kept_number_is_quarantined() -> None:
    data = _with(to_bytes(ct()), _explicit(0x00189087, b"LO", b"SMITH^John"), 0x0020000D)
    assert code(clean(STROKE, data)) == "wrong-vr"


def test_an_element_there_twice_is_quarantined() -> None:
    data = _with(to_bytes(ct()), _explicit(0x00100020, b"LO", b"PAT001"), 0x0020000D)
    assert code(clean(STROKE, data)) == "doubled-element"


def test_an_unknown_vr_is_quarantined() -> None:
    data = _with(to_bytes(ct()), _explicit(0x00189087, b"ZZ", b"SMITH^John"), 0x0020000D)
    assert code(clean(STROKE, data)) == "unknown-vr"


def test_an_unknown_character_set_is_quarantined() -> None:
    data = to_bytes(ct()).replace(b"ISO_IR 100", b"ISO_XX 100")
    assert code(clean(STROKE, data)) == "unknown-charset"


def test_an_object_without_sop_instance_is_quarantined() -> None:
    dataset = ct()
    del dataset.SOPInstanceUID
    assert code(clean(STROKE, to_bytes(dataset))) == "no-sop-uid"


def test_an_opaque_sequence_is_not_passed() -> None:
    body = b"\xfe\xff\x00\xe0\x12\0\0\0" + _explicit(0x00100010, b"PN", b"SMITH^John")
    new = struct.pack("<HH", 0x0008, 0x1140) + b"UN\0\0" + struct.pack("<I", len(body)) + body
    data = _with(to_bytes(ct()), new, 0x00100010)
    assert code(clean(rules("00081140 @process()"), data)) == "not-a-sequence"
    assert code(clean(STROKE, data)) == code(clean(STROKE, data, as_ctp=True)) == "script-quarantine"


@pytest.mark.parametrize("rule", ["00080020 notadate", "00280010 many", "00080096 text"])
def test_a_write_that_ctp_refuses_is_not_left_as_the_original(rule: str) -> None:
    item = Dataset()
    item.PersonName = "SMITH"
    data = to_bytes(ct(ReferringPhysicianIdentificationSequence=[item]))
    assert code(clean(rules(rule), data)) == "write-refused"
    assert code(clean(rules(rule), data, as_ctp=True)) == "OK"


def test_skip_never_passes_the_original_on(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", ct())
    for as_ctp, status in ((False, "QUARANTINE"), (True, "SKIP")):
        outcome = Anonymizer(rules("00100020 @skip()"), as_ctp=as_ctp).run(source, tmp_path / "out.dcm")
        assert outcome.status == status
        assert not (tmp_path / "out.dcm").exists()


def test_what_nobody_knows_in_a_kept_group_is_removed() -> None:
    data = _with(to_bytes(ct()), _explicit(0x00280999, b"LO", b"SMITH^John"), 0x7FE00010)
    cleaned = clean(STROKE, data)
    assert isinstance(cleaned, bytes)
    assert b"SMITH" not in cleaned


def test_pixels_of_every_kind_are_copied_byte_for_byte() -> None:
    pixels = bytes(range(256)) * 2000  # longer than what is read at first
    dataset = ct(PixelData=pixels)
    dataset["PixelData"].VR = "OW"
    cleaned = clean(STROKE, to_bytes(dataset))
    assert isinstance(cleaned, bytes)
    assert pydicom.dcmread(BytesIO(cleaned)).PixelData == pixels


def test_a_header_longer_than_the_first_read_is_read_on() -> None:
    dataset = ct(PixelData=bytes(64))
    dataset["PixelData"].VR = "OW"
    dataset.add_new(0x00091010, "OB", bytes(300_000))
    dataset.add_new(0x00090010, "LO", "BIG")
    cleaned = clean(STROKE, to_bytes(dataset))
    assert isinstance(cleaned, bytes)
    assert len(cleaned) < 3000


def test_a_broken_file_meta_is_quarantined() -> None:
    data = bytearray(to_bytes(ct()))
    data[136:138] = b"\xff\xff"
    assert code(clean(STROKE, bytes(data))) in {"truncated", "broken-structure", "not-dicom", "unknown-vr"}


def test_the_table_never_shows_its_keys() -> None:
    assert "PAT001" not in repr(TABLE)
    assert UID("1.2.3") == "1.2.3"
