"""Which text can be written under which VR, cell by cell as recorded from CTP."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from lethe.header.raw import EXPLICIT, element_head
from lethe.header.view import View
from unit.header.exact import file_json
from unit.header.objects import clean, rules, to_bytes

ROWS = json.loads((Path(__file__).parents[2] / "data" / "ctp-write-rules.json").read_text("utf-8"))["rows"]
TAGS = {
    "AS": (0x00101010, b"065Y"),
    "AT": (0x00280009, b"\x18\x00\x63\x10"),
    "CS": (0x00100040, b"M "),
    "DA": (0x00080020, b"20210314"),
    "DS": (0x00101030, b"81.5"),
    "DT": (0x0008002A, b"20210314101530.000000+0100"),
    "FD": (0x00189087, b"\0\0\0\0\0\x44\x8f\x40"),
    "FL": (0x00189309, b"\0\0\0\x3f"),
    "IS": (0x00200013, b"1 "),
    "OB": (0x00420011, b"%PDF"),
    "OW": (0x00281201, b"\1\2\3\4"),
    "PN": (0x00100010, b"OLD^Name"),
    "SL": (0x00186020, b"\xfd\xff\xff\xff"),
    "SS": (0x00280120, b"\xfc\xff"),
    "TM": (0x00080030, b"101112"),
    "UI": (0x0020000E, b"1.2.840.1\0"),
    "UL": (0x00186016, b"\7\0\0\0"),
    "US": (0x00280010, b"\4\0"),
}


def _object() -> tuple[bytes, dict[str, Any]]:
    body = b"".join(
        element_head(tag, vr, len(raw), EXPLICIT) + raw
        for vr, (tag, raw) in sorted(TAGS.items(), key=lambda entry: entry[1][0])
    )
    data = to_bytes(Dataset()) + body
    return data, _values(data)


def _values(data: bytes) -> dict[str, Any]:
    return dict(file_json(BytesIO(data))["dataset"])


@pytest.mark.parametrize("text", ROWS, ids=[str(n) for n in range(len(ROWS))])
def test_a_text_is_written_emptied_or_refused_as_recorded(text: str) -> None:
    before, original = _object()
    script = rules(*(f"{tag:08x} {text.replace(chr(92), chr(92) * 2)}" for tag, _ in TAGS.values()))
    out = clean(script, before, as_ctp=True)
    assert isinstance(out, bytes)
    assert View([out]).size
    values = _values(out)
    wrong = {}
    for vr, recorded in ROWS[text].items():
        key = f"{TAGS[vr][0]:08X}"
        got = values[key]
        if recorded == "kept":
            right = got == original[key]
        elif recorded == "EMPTY":
            right = "Value" not in got
        elif text == "NaN" and vr in ("FL", "FD"):
            right = str(got["Value"][0]) == "nan"
        else:
            right = got.get("Value") == recorded
        if not right:
            wrong[vr] = (got, recorded)
    assert wrong == {}
