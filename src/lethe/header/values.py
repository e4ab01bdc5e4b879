"""The text that a function sees when it reads an element, and the bytes a text becomes."""

from __future__ import annotations

import struct

from lethe.header.charset import ASCII, Charset, charset_of
from lethe.header.private import PrivateDictionary
from lethe.header.raw import Dataset, Element
from lethe.header.text import java_float, java_int, print_double, print_float, trim, trim_end

CHARACTER_SET = 0x00080005
_TEXT = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
_CODE = frozenset(["AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"])
_ONE = frozenset(["LT", "ST", "UT", "UR"])
_TRAIL = frozenset(["PN", "LT", "ST", "UT"])
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_RANGES = {
    "US": (0, 0xFFFF),
    "SS": (-0x8000, 0x7FFF),
    "UL": (0, 0xFFFFFFFF),
    "SL": (-0x80000000, 0x7FFFFFFF),
    "UV": (0, 2**64 - 1),
    "SV": (-(2**63), 2**63 - 1),
}


class Reader:
    """Reads values as text.

    Parameters
    ----------
    private : PrivateDictionary
        VRs of private elements by creator.
    strict : bool
        Quarantine an object that names an unknown character set.
    """

    def __init__(self, private: PrivateDictionary, *, strict: bool) -> None:
        self._private = private
        self._strict = strict

    def charset(self, dataset: Dataset) -> Charset:
        """Return the character set in force in `dataset`."""
        here: Dataset | None = dataset
        while here is not None:
            element = here.index.get(CHARACTER_SET)
            if element is not None:
                return charset_of(here.raw(element), strict=self._strict)
            here = here.parent
        return charset_of(b"ISO_IR 100", strict=False)

    def text(self, dataset: Dataset, tag: int) -> str | None:
        """Return the contents of an element; None where it is absent or a sequence."""
        element = dataset.index.get(tag)
        if element is None or element.vr == "SQ":
            return None
        known = dataset.texts.get(tag)
        if known is None:
            known = dataset.texts[tag] = self._read(dataset, element)
        return known

    def _read(self, dataset: Dataset, element: Element) -> str:
        raw = dataset.raw(element)
        if element.tag & 0x10000 and element.tag & 0xFFFF > 0xFF:
            creator = dataset.creator(element.tag)
            vr = self._private.vr(element.tag, creator)
            if creator == "CTP" or vr in _TEXT or vr in _CODE:
                return self.charset(dataset).decode(raw)
            if vr is not None and vr in _NUMBERS:
                vr = {"UL": "SL", "SS": "US"}.get(vr, vr)
                return _numbers(vr, raw, dataset.syntax.little)
        vr = element.vr
        if vr in _TEXT:
            text = self.charset(dataset).decode(raw)
            if vr == "PN":
                return "\\".join(map(_person_read, trim_end(text).split("\\")))
            return trim_end(text) if vr in _TRAIL else trim(text)
        if vr in _CODE:
            text = raw.decode("latin-1")
            return trim(text.replace("\0", "") if vr == "UI" else text)
        if vr in _NUMBERS:
            return _numbers(vr, raw, dataset.syntax.little)
        return _binary(vr, raw, dataset.syntax.little)


def _person_read(name: str) -> str:
    groups = [group.rstrip("^") for group in name.split("=")]
    while len(groups) > 1 and not groups[-1]:
        groups.pop()
    return "=".join(groups)


def _numbers(vr: str, raw: bytes, little: bool) -> str:
    code = _NUMBERS[vr]
    size = struct.calcsize(code)
    count = len(raw) // size
    values = struct.unpack(f"{'<' if little else '>'}{count}{code}", raw[: count * size])
    if vr == "FL":
        return "\\".join(map(print_float, values))
    if vr == "FD":
        return "\\".join(map(print_double, values))
    return "\\".join(map(str, values))


def _binary(vr: str, raw: bytes, little: bool) -> str:
    order = "<" if little else ">"
    if vr == "AT":
        words = struct.unpack(f"{order}{len(raw) // 2}H", raw[: len(raw) // 2 * 2])
        return "\\".join(f"{a:04X}{b:04X}" for a, b in zip(words[::2], words[1::2], strict=False))
    if vr == "OW":
        words = struct.unpack(f"{order}{len(raw) // 2}H", raw[: len(raw) // 2 * 2])
        return "\\".join(f"{word:04X}" for word in words)
    return "\\".join(f"{byte:02X}" for byte in raw)


def split_values(text: str) -> list[str]:
    """Split at backslashes; empty values at the end are dropped."""
    values = text.split("\\")
    while values and not values[-1]:
        values.pop()
    return values


def encode(vr: str, text: str, charset: Charset, *, little: bool) -> bytes | None:
    """Return the value field for `text` under `vr`, padded to even length.

    Returns
    -------
    bytes or None
        None where CTP refuses the text for this VR.
    """
    if text == "":
        return b""
    if vr in _ONE:
        return _even(charset.encode(trim_end(text)) if vr in _TEXT else ASCII.encode(trim(text)), b" ")
    values = split_values(text)
    if vr == "PN":
        names = [_person_write(value) for value in values]
        if any(name is None for name in names):
            return None
        return _even(charset.encode("\\".join(name or "" for name in names)) or b" ", b" ")
    if vr in _TEXT:
        return _even(charset.encode("\\".join(map(trim, values))), b" ")
    if vr in _CODE:
        values = [trim(value) for value in values]
        check = {"DA": _date, "TM": _time, "DT": _datetime}.get(vr)
        if check is not None and not all(map(check, values)):
            return None
        return _even("\\".join(values).encode("latin-1", "replace"), b"\0" if vr == "UI" else b" ")
    if vr == "AT":
        return _encode_tags(values, little)
    if vr in _NUMBERS:
        return _encode_numbers(vr, values, little)
    return None


def _even(raw: bytes, pad: bytes) -> bytes:
    return raw + pad if len(raw) % 2 else raw


def _person_write(name: str) -> str | None:
    groups = name.split("=")
    if len(groups) > 3:
        return None
    out = []
    for group in groups:
        parts = group.split("^")
        if len(parts) > 5:
            parts = [*parts[:4], parts[-1]]
        out.append("^".join(map(trim, parts)).rstrip("^"))
    while len(out) > 1 and not out[-1]:
        out.pop()
    return "=".join(out)


def _encode_numbers(vr: str, values: list[str], little: bool) -> bytes | None:
    numbers: list[float] = []
    for value in values:
        if vr in ("FL", "FD"):
            number: float | None = java_float(value)
        else:
            low, high = _RANGES[vr]
            number = java_int(trim(value), low, high)
        if number is None:
            return None
        numbers.append(number)
    try:
        return struct.pack(f"{'<' if little else '>'}{len(numbers)}{_NUMBERS[vr]}", *numbers)
    except OverflowError:
        infinite = [n if abs(n) < 3.4028235677973366e38 else n * float("inf") for n in numbers]
        return struct.pack(f"{'<' if little else '>'}{len(numbers)}{_NUMBERS[vr]}", *infinite)


def _encode_tags(values: list[str], little: bool) -> bytes | None:
    out = b""
    for value in values:
        number = java_int(trim(value), base=16)
        if number is None:
            return None
        number &= 0xFFFFFFFF
        out += struct.pack("<HH" if little else ">HH", number >> 16, number & 0xFFFF)
    return out


def _is_int(text: str) -> bool:
    return java_int(text) is not None


def _date(text: str) -> bool:
    return len(text) >= 7 and _is_int(text[:4]) and _is_int(text[4:6]) and _is_int(text[6:])


def _time(text: str) -> bool:
    if not _is_int(text[:2]) or len(text) < 4:
        return False
    rest = text[2:].removeprefix(":")
    if len(rest) < 2 or not _is_int(rest[:2]):
        return False
    rest = rest[2:].removeprefix(":")
    return rest == "" or java_float(rest) is not None


def _datetime(text: str) -> bool:
    if len(text) >= 5 and text[-5] in "+-":
        text = text[:-5]
    if len(text) < 4 or not _is_int(text[:4]):
        return False
    rest = text[4:]
    for _ in range(4):
        if not rest:
            return True
        if rest[0] in "-.:":
            rest = rest[1:]
        if len(rest) < 2 or not _is_int(rest[:2]):
            return False
        rest = rest[2:]
    if rest[:1] and rest[0] in "-.:":
        rest = rest[1:]
    return rest == "" or java_float(rest) is not None
