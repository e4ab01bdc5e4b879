"""Character sets: how text values are decoded and encoded again."""

from __future__ import annotations

import warnings
from functools import cache
from typing import NamedTuple

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

from lethe.errors import Quarantined

_DELIMITERS = {ord(c) for c in "\n\r\t\f\\^="}


class Charset(NamedTuple):
    """One value of (0008,0005), made ready for use."""

    codecs: tuple[str, ...]
    extended: bool

    def decode(self, raw: bytes) -> str:
        """Decode a value field; bytes the set does not have become U+FFFD."""
        if self.extended:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return str(decode_bytes(raw, list(self.codecs), _DELIMITERS))
        return raw.decode(self.codecs[0], "replace")

    def encode(self, text: str) -> bytes:
        """Encode text; characters that do not fit become ``?``, code extensions are never written."""
        return text.encode("ascii" if self.extended else self.codecs[0], "replace")

    def fits(self, text: str) -> bool:
        """Say whether `text` survives encoding."""
        return self.encode(text).decode("ascii" if self.extended else self.codecs[0], "replace") == text


LATIN1 = Charset(("latin-1",), False)
ASCII = Charset(("ascii",), False)


@cache
def charset_of(raw: bytes, *, strict: bool) -> Charset:
    """Return the character set that the value field of (0008,0005) names.

    Raises
    ------
    Quarantined
        `strict` is set and a term is not one of PS3.3 C.12.1.1.2.
    """
    terms = [term.strip(" \0") for term in raw.decode("latin-1").split("\\")]
    if terms == [""]:
        return ASCII
    if any(term and term not in python_encoding for term in terms):
        if not strict:
            return LATIN1
        raise Quarantined(
            "unknown-charset",
            "The object names a character set that DICOM does not have.",
            remedy="Correct (0008,0005) at its source.",
        )
    extended = len(terms) > 1 or terms[0].startswith("ISO 2022")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codecs = tuple(convert_encodings([term or "ISO_IR 6" for term in terms]))
    return Charset(codecs, extended)
