"""Find any of several hundred strings in bytes, in the forms in which programs write text.

A regular expression over that many alternatives reads about 1 MB a second, one `bytes.find` per pattern
too little as well. Here four bytes of each pattern (its *anchor*) go into a table of 2**20 flags; numpy looks
up the four bytes at every position of the data, and only where the flag is set is a pattern compared.
"""

from __future__ import annotations

import base64
import json
import unicodedata
import urllib.parse
import xml.sax.saxutils
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lethe.errors import Misconfigured
from lethe.identity.lookup import escape_key

_BITS = 20
_MULTIPLIER = np.uint32(2654435761)  # golden ratio of 32 bits: spreads neighbouring values
_BLOCK = 1 << 18  # fits the cache of a core
_ANCHOR = 4
_TOKEN_BELOW = 6  # shorter strings count only as whole tokens: "4711" inside 847115 is no leftover
_WIDE = ("utf-16-le", "utf-16-be")


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: bytes  # ASCII letters in lower case, as the data are when compared
    index: int
    anchor: int  # position of the anchor in `text`
    step: int  # bytes per character
    token: bool


class Matcher:
    """Compiled search for `originals`; ASCII case is ignored, other letters in lower, upper, given case.

    Parameters
    ----------
    originals : sequence of str
        What must not be found. Blanks at both ends do not count; equal strings are searched once.

    Raises
    ------
    Misconfigured
        An original is empty.
    """

    def __init__(self, originals: Sequence[str]) -> None:
        found: dict[bytes, _Pattern] = {}
        for index, original in enumerate(originals):
            if not original.strip():
                raise Misconfigured("original-empty", f"Entry {index + 1} of the originals is empty.")
            for text, step in _forms(original.strip()):
                if text not in found:  # most forms of plain text are the same bytes
                    token = len(original.strip()) < _TOKEN_BELOW
                    found[text] = _Pattern(text, index, _anchor(text), step, token)
        self.longest = max(map(len, found), default=1)
        self._short = [p for p in found.values() if len(p.text) < _ANCHOR]
        self._by_gram: dict[int, list[_Pattern]] = {}
        for pattern in found.values():
            if len(pattern.text) >= _ANCHOR:
                gram = pattern.text[pattern.anchor : pattern.anchor + _ANCHOR]
                self._by_gram.setdefault(int.from_bytes(gram, "little"), []).append(pattern)
        self._grams = np.array(sorted(self._by_gram), dtype=np.uint32)
        self._flags = np.zeros(1 << _BITS, dtype=bool)
        self._flags[_hash(self._grams)] = True

    def scan(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield (index of the original, offset in bytes) of each occurrence in `data`."""
        lower = data.lower()
        for pattern in self._short:
            at = lower.find(pattern.text)
            while at >= 0:
                if _fits(pattern, lower, at):
                    yield pattern.index, at
                at = lower.find(pattern.text, at + 1)
        for position, gram in self._candidates(lower):
            for pattern in self._by_gram[gram]:
                at = position - pattern.anchor
                if at >= 0 and lower.startswith(pattern.text, at) and _fits(pattern, lower, at):
                    yield pattern.index, at

    def _candidates(self, data: bytes) -> Iterator[tuple[int, int]]:
        for start in range(0, len(data), _BLOCK):
            for phase in range(_ANCHOR):
                count = min(_BLOCK, len(data) - start - phase) // _ANCHOR
                if count <= 0:
                    continue
                words = np.frombuffer(data, "<u4", count, start + phase)
                hits = np.flatnonzero(self._flags.take(_hash(words)))
                if hits.size:
                    values = words[hits]
                    exact = np.isin(values, self._grams)
                    places = start + phase + _ANCHOR * hits[exact]
                    yield from zip(places.tolist(), values[exact].tolist(), strict=True)

    def mask(self, text: str) -> str:
        """Return `text`, or a placeholder when it holds one of the originals."""
        return "(name withheld)" if any(self.scan(text.encode("utf-8", "surrogateescape"))) else text


def _hash(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    hashed = words * _MULTIPLIER  # wraps around, as wanted
    hashed >>= np.uint32(32 - _BITS)
    return hashed


def _forms(original: str) -> Iterable[tuple[bytes, int]]:
    """Yield bytes (ASCII lower case) and bytes per character of every form that is searched."""
    composed, decomposed = (unicodedata.normalize(form, original) for form in ("NFC", "NFD"))
    cases = {case for text in (original, composed, decomposed) for case in (text, text.lower(), text.upper())}
    escaped = {
        *(json.dumps(case)[1:-1] for case in cases),
        *(escape_key(case) for case in cases),
        *(urllib.parse.quote(case, safe="") for case in cases),
        *(urllib.parse.quote_plus(case) for case in cases),
        *(xml.sax.saxutils.escape(case) for case in cases),
        *(case.encode("ascii", "xmlcharrefreplace").decode() for case in cases),
    }
    for text in sorted(cases | escaped):
        for codec in ("utf-8", "latin-1", *_WIDE):
            try:
                yield text.encode(codec).lower(), 2 if codec in _WIDE else 1
            except UnicodeEncodeError:
                continue  # this codec cannot hold the text, so no file in it can either
    for raw in (original.encode(), composed.encode()):
        yield from ((text, 1) for text in _base64(raw))


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield the characters that every base64 text holding `raw` must contain, for its three alignments."""
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw)
        sure = text[-(-8 * lead // 6) : 8 * (lead + len(raw)) // 6]  # characters made of bits of `raw` only
        if len(sure) >= 2 * _TOKEN_BELOW - 2:
            yield sure.lower()


def _anchor(text: bytes) -> int:
    """Return where the least common looking four bytes of `text` start."""
    places = range(max(1, len(text) - _ANCHOR + 1))
    return max(places, key=lambda at: _rarity(text[at : at + _ANCHOR]))


def _rarity(gram: bytes) -> int:
    common = b"\0 0123456789.-etaoinsr"
    return len(set(gram)) * 2 + sum(byte not in common for byte in gram) * 3 - gram.count(0)


def _fits(pattern: _Pattern, data: bytes, at: int) -> bool:
    """A short pattern counts only with no letter or digit beside it."""
    if not pattern.token:
        return True
    before = data[max(0, at - pattern.step) : at].strip(b"\0")
    after = data[at + len(pattern.text) : at + len(pattern.text) + pattern.step].strip(b"\0")
    return not (before.isalnum() or after.isalnum())
