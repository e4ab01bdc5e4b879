"""Text the way Java sees it: trimming, number syntax, decimal printing.

The scripts run in RSNA CTP, which is a Java program; where a result depends on Java's own rules
(what counts as a blank, which text is an integer, how a float is printed) the rule is written here.
"""

from __future__ import annotations

import re
import struct

_BLANKS = "".join(map(chr, range(33)))
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_FLOAT = re.compile(r"[+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?)\Z")


def trim(text: str) -> str:
    """Drop every character up to U+0020 at both ends."""
    return text.strip(_BLANKS)


def trim_end(text: str) -> str:
    """Drop every character up to U+0020 at the end only."""
    return text.rstrip(_BLANKS)


def java_int(text: str, low: int = -(2**31), high: int = 2**31 - 1, base: int = 10) -> int | None:
    """Parse an integer by Java's syntax; None where Java would throw."""
    if base == 16:
        if not re.match(r"[+-]?[0-9a-fA-F]+\Z", text):
            return None
    elif not _INTEGER.match(text):
        return None
    number = int(text, base)
    return number if low <= number <= high else None


def java_float(text: str) -> float | None:
    """Parse a decimal by Java's syntax; None where Java would throw."""
    text = trim(text)
    if not _FLOAT.match(text):
        return None
    return float(text.rstrip("fFdD") if text[-1:] in "fFdD" and not text.endswith("Infinity") else text)


def print_double(number: float, digits: str | None = None) -> str:
    """Print a number as Java's ``Double.toString`` does."""
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    text = digits if digits is not None else repr(number)
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    figures = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(figures))
    figures = figures.rstrip("0")
    if not figures:
        return sign + "0.0"
    if -3 < point <= 7:
        if point <= 0:
            return f"{sign}0.{'0' * -point}{figures}"
        return f"{sign}{figures[:point].ljust(point, '0')}.{figures[point:] or '0'}"
    return f"{sign}{figures[0]}.{figures[1:] or '0'}E{point - 1}"


def print_float(number: float) -> str:
    """Print a 32 bit number as Java's ``Float.toString`` does: the fewest digits that come back."""
    if number != number or number in (float("inf"), float("-inf")):
        return print_double(number)
    for precision in range(1, 10):
        digits = f"{number:.{precision}g}"
        if struct.unpack("<f", struct.pack("<f", float(digits)))[0] == number:
            return print_double(number, digits)
    return print_double(number)
