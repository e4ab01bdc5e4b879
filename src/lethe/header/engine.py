"""Apply a compiled script to one dataset: insert, then process each element of the original."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.datadict import dictionary_has_tag

from lethe.errors import Quarantined
from lethe.header.calls import KEEP, REMOVE
from lethe.header.charset import Charset, charset_of
from lethe.header.deid import code_items
from lethe.header.functions import evaluate
from lethe.header.names import insert_vr, plausible_vr
from lethe.header.private import PrivateDictionary
from lethe.header.raw import UNDEFINED, Dataset, Element, Syntax, element_head
from lethe.header.scope import METHOD_CODES, Scope, Surroundings
from lethe.header.script import Rule, Script
from lethe.header.text import trim
from lethe.header.values import CHARACTER_SET, encode

_ALWAYS_KEPT = frozenset([0x00080016, 0x00080018, 0x0020000D])
_NO_BLANK = frozenset(["DA", "DT", "TM", "US", "SS", "UL", "SL", "FL", "FD", "AT", "OB", "OW", "UN", "SQ"])
_PLAIN = frozenset(["LO", "LT", "SH"])
_ITEM_ENDS = {True: b"\xfe\xff\x0d\xe0\0\0\0\0", False: b"\xff\xfe\xe0\x0d\0\0\0\0"}
_SEQUENCE_ENDS = {True: b"\xfe\xff\xdd\xe0\0\0\0\0", False: b"\xff\xfe\xe0\xdd\0\0\0\0"}
Piece = bytes | tuple[int, int]
"""Part of an output: new bytes, or a range of the input's bytes."""


@dataclass
class Engine:
    """One script at work on one object.

    Parameters
    ----------
    script : Script
        The compiled script.
    around : Surroundings
        The object and what functions can see.
    private : PrivateDictionary
        Known private elements.
    target : Syntax
        Encoding of the output.
    """

    script: Script
    around: Surroundings
    private: PrivateDictionary
    target: Syntax

    def __post_init__(self) -> None:
        self._charset: Charset = self.around.reader.charset(self.around.root)
        switches = self.script.switches
        self._no_private = "privategroups" in switches
        self._no_unspecified = "unspecifiedelements" in switches
        self._no_overlays = "overlays" in switches
        self._no_curves = "curves" in switches

    def run(self) -> list[tuple[int, Piece]]:
        """Return the elements of the output with their tags, in order."""
        root = self.around.root
        inserted = self._insertions()
        out = self._dataset(root)
        if inserted:
            out = sorted(out + inserted, key=lambda piece: piece[0])
        return out

    # inserting -----------------------------------------------------------------------------------

    def _insertions(self) -> list[tuple[int, Piece]]:
        root = self.around.root
        out: list[tuple[int, Piece]] = []
        for tag, rule in self.around.inserting.items():
            if tag in root.index:
                continue
            if tag == METHOD_CODES:
                text = trim(evaluate(rule.expression, Scope(self.around, root, tag)))
                if text not in ("", KEEP, REMOVE):
                    out.append((tag, self._sequence(tag, self._codes(text, []), undefined=False)))
                continue
            piece = self._insertion(tag, rule)
            if piece is not None:
                out.append((tag, piece))
        return out

    def _insertion(self, tag: int, rule: Rule) -> bytes | None:
        vr = insert_vr(tag)
        if vr == "SQ":
            calls = rule.expression.calls()
            second = calls[1].name if len(calls) > 1 else ""
            if second == "call":
                evaluate(rule.expression, Scope(self.around, self.around.root, tag))
            return self._sequence(tag, [], undefined=False) if second == "require" else None
        if tag & 0x10000 and tag & 0xFFFF > 0xFF:
            vr = self.private.vr(tag, self.around.root.creator(tag)) or "UN"
        text = evaluate(rule.expression, Scope(self.around, self.around.root, tag))
        result = trim(text)
        if result in (KEEP, REMOVE):
            return None
        if result == "@empty()" or (result.startswith("@blank(") and result.endswith(")")):
            return element_head(tag, _plain("") if vr == "UN" else vr, 0, self.target)
        field = self._field(tag, vr, result)
        if field is None:
            self._refuse_write(tag)
            return None
        return self._element(tag, *field)

    # processing ----------------------------------------------------------------------------------

    def _dataset(self, dataset: Dataset) -> list[tuple[int, Piece]]:
        out: list[tuple[int, Piece]] = []
        for element in dataset.elements:
            piece = self.apply(dataset, element)
            if piece is not None:
                out.append((element.tag, piece))
        return out

    def apply(self, dataset: Dataset, element: Element) -> Piece | None:
        """Return what becomes of one element; None where it is removed."""
        tag = element.tag
        rule = self.around.rules.get(tag)
        if rule is None:
            private = bool(tag & 0x10000)
            if private and self._no_private and not self._kept(dataset, tag):
                return None
            if self._no_unspecified and not self._kept(dataset, tag):
                return None
        if self._no_overlays and tag >> 24 == 0x60:
            return None
        if rule is None:
            return self._unscripted(dataset, element)
        return self._scripted(dataset, element, rule)

    def _unscripted(self, dataset: Dataset, element: Element) -> Piece | None:
        if self.around.strict and self._no_unspecified and not element.tag & 0x10000:
            if not dictionary_has_tag(element.tag):
                return None  # CTP keeps what nobody knows in groups 0028 and 7FE0
            return self._checked(element, self.copy(dataset, element))
        return self.copy(dataset, element)

    def _checked(self, element: Element, kept: Piece) -> Piece | None:
        """Return what is kept, unless its value representation is not what its tag stands for."""
        if not self.around.strict or plausible_vr(element.tag, element.vr):
            return kept
        if element.vr == "UN":
            return None  # nobody can say what it holds
        raise Quarantined(
            "wrong-vr",
            f"{_show(element.tag)} has a value representation that it cannot have.",
            remedy="Repair it at its source.",
        )

    def _kept(self, dataset: Dataset, tag: int) -> bool:
        group = tag >> 16
        if tag in _ALWAYS_KEPT or group in self.script.keep_groups or group in (0x0028, 0x7FE0):
            return True
        private = bool(tag & 0x10000)
        if private and self.script.keep_safe and self._safe(dataset, tag):
            return True
        if private and self._no_private:
            return False
        family = group >> 8
        return (family == 0x60 and not self._no_overlays) or (family == 0x50 and not self._no_curves)

    def _safe(self, dataset: Dataset, tag: int) -> bool:
        return 0x10 <= tag & 0xFFFF <= 0xFF or self.private.safe(tag, dataset.creator(tag))

    def _scripted(self, dataset: Dataset, element: Element, rule: Rule) -> Piece | None:
        tag = element.tag
        scope = Scope(self.around, dataset, tag)
        constant = rule.expression.constant
        text = evaluate(rule.expression, scope) if constant is None else constant
        if tag == METHOD_CODES:
            return self._method_codes(dataset, element, trim(text))
        result = trim(text)
        if REMOVE in result:
            return None
        kept = self._processed(dataset, element) if scope.processed else None
        if kept is None:
            kept = self.copy(dataset, element)
        if result == KEEP:
            return kept if scope.processed else self._checked(element, kept)
        if result in ("", "@empty()"):
            return self._emptied(dataset, element, kept)
        if result.startswith("@blank("):
            digits = "".join(c for c in result.partition(")")[0] if c.isdigit())
            return self._blanked(dataset, element, min(int(digits or 0), 55), kept)
        return self._written(dataset, element, result, kept)

    def _emptied(self, dataset: Dataset, element: Element, kept: Piece) -> Piece:
        if element.vr == "SQ" and dataset.items(element):
            return self._refused(element.tag, kept)
        return element_head(element.tag, self._write_vr(dataset, element, ""), 0, self.target)

    def _blanked(self, dataset: Dataset, element: Element, count: int, kept: Piece) -> Piece:
        vr = self._write_vr(dataset, element, " " * count)
        if vr in _NO_BLANK:
            return self._refused(element.tag, kept)
        raw = b" " * (count + count % 2)
        return self._element(element.tag, vr, raw)

    def _written(self, dataset: Dataset, element: Element, text: str, kept: Piece) -> Piece:
        field = self._field(element.tag, self._write_vr(dataset, element, text), text)
        if field is None:
            return self._refused(element.tag, kept)
        if element.tag == CHARACTER_SET and dataset.parent is None:
            self._charset = charset_of(field[1], strict=self.around.strict)
        return self._element(element.tag, *field)

    def _field(self, tag: int, vr: str, text: str) -> tuple[str, bytes] | None:
        """Return VR and value field for a text, None where it is refused.

        A private element takes any text: as it is, not split, in the text VR of its length.
        """
        private = bool(tag & 0x10000) and tag & 0xFFFF > 0xFF and vr != "SQ"
        raw = None if private and vr in _PLAIN else encode(vr, text, self._charset, little=self.target.little)
        if raw is None and private:
            raw = self._charset.encode(text)
            return vr if vr in _PLAIN else _plain(text), raw + b" " * (len(raw) % 2)
        return None if raw is None else (vr, raw)

    def _write_vr(self, dataset: Dataset, element: Element, text: str) -> str:
        tag = element.tag
        if not tag & 0x10000 or tag & 0xFFFF <= 0xFF:
            return element.vr
        if element.vr == "SQ":
            return "SQ"
        return self.private.vr(tag, dataset.creator(tag)) or _plain(text)

    def _refused(self, tag: int, kept: Piece) -> Piece:
        self._refuse_write(tag)
        return kept

    def _refuse_write(self, tag: int) -> None:
        if self.around.strict:
            raise Quarantined(
                "write-refused",
                f"The text that the script gives for {_show(tag)} cannot be written there.",
                remedy="Change the rule; CTP would leave the original value.",
            )

    # sequences -----------------------------------------------------------------------------------

    def _processed(self, dataset: Dataset, element: Element) -> Piece | None:
        if element.vr != "SQ":
            if self.around.strict and element.stop > element.value:
                raise Quarantined(
                    "not-a-sequence",
                    f"{_show(element.tag)} hides a sequence that cannot be opened.",
                    remedy="Repair its value representation at its source.",
                )
            return None
        items = [
            (b"".join(self._bytes(item.dataset, self._dataset(item.dataset))), item.undefined)
            for item in dataset.items(element)
        ]
        return self._sequence(element.tag, items, undefined=element.undefined)

    def _sequence(self, tag: int, items: list[tuple[bytes, bool]], *, undefined: bool) -> bytes:
        little = self.target.little
        body = []
        for content, open_ended in items:
            length = UNDEFINED if open_ended else len(content)
            body.append(_item_head(length, little))
            body.append(content)
            if open_ended:
                body.append(_ITEM_ENDS[little])
        value = b"".join(body)
        head = element_head(tag, "SQ", UNDEFINED if undefined else len(value), self.target)
        return head + value + (_SEQUENCE_ENDS[little] if undefined else b"")

    def _method_codes(self, dataset: Dataset, element: Element, text: str) -> Piece | None:
        if text == REMOVE:
            return None
        if text in ("", KEEP):
            return self.copy(dataset, element)
        if element.vr != "SQ":  # no item can be appended to it; only `reset` makes a new sequence
            if "reset" not in map(str.strip, text.split("/")):
                return self._refused(element.tag, self.copy(dataset, element))
            return self._sequence(element.tag, self._codes(text, []), undefined=False)
        old = [
            (b"".join(self._bytes(item.dataset, self._copied(item.dataset))), item.undefined)
            for item in dataset.items(element)
        ]
        items = self._codes(text, old)
        return self._sequence(element.tag, items, undefined=element.undefined)

    def _codes(self, text: str, old: list[tuple[bytes, bool]]) -> list[tuple[bytes, bool]]:
        return code_items(text, old, self.target, as_ctp=not self.around.strict)

    def _copied(self, dataset: Dataset) -> list[tuple[int, Piece]]:
        return [(element.tag, self.copy(dataset, element)) for element in dataset.elements]

    # bytes ---------------------------------------------------------------------------------------

    def _bytes(self, dataset: Dataset, pieces: list[tuple[int, Piece]]) -> list[bytes]:
        return [
            piece if isinstance(piece, bytes) else dataset.data[piece[0] : piece[1]] for _, piece in pieces
        ]

    def _element(self, tag: int, vr: str, raw: bytes) -> bytes:
        try:
            return element_head(tag, vr, len(raw), self.target) + raw
        except OverflowError:
            raise Quarantined(
                "too-long", "A value is too long for its value representation.", remedy="Change the rule."
            ) from None

    def copy(self, dataset: Dataset, element: Element) -> Piece:
        """Return an element as it is, in the encoding of the output."""
        if self.target == dataset.syntax:
            return element.start, element.end
        if element.vr == "SQ":
            items = [
                (b"".join(self._bytes(item.dataset, self._copied(item.dataset))), item.undefined)
                for item in dataset.items(element)
            ]
            return self._sequence(element.tag, items, undefined=element.undefined)
        vr = "UN" if element.tag & 0x10000 and element.tag & 0xFFFF > 0xFF else element.vr
        return self._element(element.tag, vr, dataset.raw(element))


def _show(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _plain(text: str) -> str:
    """Return the VR of a private element that nobody knows."""
    return "LO" if len(text) <= 64 else "LT"


def _item_head(length: int, little: bool) -> bytes:
    head = b"\xfe\xff\x00\xe0" if little else b"\xff\xfe\xe0\x00"
    return head + length.to_bytes(4, "little" if little else "big")
