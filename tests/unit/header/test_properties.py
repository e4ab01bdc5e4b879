"""Laws that hold for every text: keys survive their file, UIDs stay legal, dates keep their intervals."""

from __future__ import annotations

import re
import struct
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.header import dates, hashes
from lethe.header.charset import charset_of
from lethe.header.expression import parse
from lethe.header.lookup import read_lookup
from lethe.header.properties import escape_key
from lethe.header.text import print_double, print_float
from lethe.header.values import encode

TEXT = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, blacklist_characters="\x7f\x85\xa0\xad"), min_size=1
)
EVERY = settings(derandomize=True, deadline=None, max_examples=150)


@EVERY
@given(TEXT)
def test_an_escaped_key_is_found_again(key: str) -> None:
    assert read_lookup(f"prid/{escape_key(key)}=A1B2\n").find("prid", key) == "A1B2"


@EVERY
@given(st.text(), st.sampled_from(["2.25", "1.2.826.0.1.3680043.10", "1.2.3."]))
def test_a_hashed_uid_is_a_legal_uid(text: str, root: str) -> None:
    uid = hashes.uid(root, text)
    assert len(uid) <= 64
    assert re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", uid)


@EVERY
@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.integers(-2000, 2000))
def test_a_shift_is_the_same_as_the_calendars(day: date, days: int) -> None:
    assert dates.shift(day.strftime("%Y%m%d"), days) == (day + timedelta(days=days)).strftime("%Y%m%d")


@EVERY
@given(st.dates(date(1600, 1, 1)), st.dates(date(1600, 1, 1)), st.integers(-21, 21))
def test_intervals_survive_a_shift(first: date, second: date, days: int) -> None:
    moved = [dates.parse(dates.shift(f"{d:%Y%m%d}".zfill(8), days) or "") for d in (first, second)]
    assert moved[0] is not None
    assert moved[1] is not None
    assert dates.to_day(*moved[0][:3]) - dates.to_day(*moved[1][:3]) == (first - second).days


@EVERY
@given(st.text(max_size=40))
def test_any_script_text_compiles(text: str) -> None:
    expression = parse(text)
    assert expression.source == text
    assert isinstance(expression.calls(), list)


@EVERY
@given(
    st.text(max_size=30),
    st.sampled_from(["LO", "PN", "SH", "LT", "CS", "DA", "DT", "TM", "US", "FL", "AT", "IS"]),
)
def test_a_written_value_field_has_even_length(text: str, vr: str) -> None:
    raw = encode(vr, text, charset_of(b"ISO_IR 192", strict=True), little=True)
    assert raw is None or len(raw) % 2 == 0


@EVERY
@given(st.floats(allow_nan=False))
def test_printed_numbers_come_back(number: float) -> None:
    assert float(print_double(number)) == number


@EVERY
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_short_floats_are_printed_short(number: float) -> None:
    assert len(print_float(number).lstrip("-").replace(".", "").replace("E", "")) <= 16
    assert struct.pack("<f", float(print_float(number))) == struct.pack("<f", number)


@settings(EVERY, max_examples=15)
@given(st.text(max_size=40), TEXT)
def test_what_was_encrypted_can_be_read_by_who_has_the_key(text: str, key: str) -> None:
    assert hashes.decrypt(hashes.encrypt(text, key), key) == text
