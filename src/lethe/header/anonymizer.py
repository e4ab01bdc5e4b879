"""Run a script on one file: read the header, apply the script, write the object whole or not at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lethe.errors import Quarantined
from lethe.files import atomic_writer
from lethe.header.calls import Abort, Skip
from lethe.header.elements import PrivateTag
from lethe.header.engine import Engine, Piece
from lethe.header.lookup import IntegerTable, LookupTable
from lethe.header.objectfile import (
    DEFLATED,
    EXPLICIT_LE,
    ObjectFile,
    file_head,
    known_transfer_syntax,
    read_object,
)
from lethe.header.private import PrivateDictionary, packaged
from lethe.header.raw import EXPLICIT, IMPLICIT, Dataset, Element, Syntax, element_head
from lethe.header.scope import Surroundings, inserts
from lethe.header.script import Rule, Script
from lethe.header.values import CHARACTER_SET, Reader
from lethe.header.view import Segment, View

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018


@dataclass(frozen=True)
class HeaderOutcome:
    """What became of one object.

    Parameters
    ----------
    status : str
        ``OK`` or ``QUARANTINE``; as CTP also ``SKIP`` (the original goes on) and ``ABORT`` (the thread dies).
    code, reason : str
        Why, in a word and in a sentence; never a value of the object.
    """

    status: str
    code: str = ""
    reason: str = ""


class Anonymizer:
    """A script ready to be applied to many objects.

    Parameters
    ----------
    script : Script
        The compiled script.
    lookup : LookupTable, optional
        The stage's lookup table.
    as_ctp : bool
        Reproduce CTP also where it fails open. The default quarantines there.
    integers : IntegerTable, optional
        Memory of `@integer`; a new one in memory by default.
    private : PrivateDictionary, optional
        Known private elements; the packaged table by default.
    clock : callable
        Gives the local time of `@date` and `@time`.
    """

    def __init__(
        self,
        script: Script,
        lookup: LookupTable | None = None,
        *,
        as_ctp: bool = False,
        integers: IntegerTable | None = None,
        private: PrivateDictionary | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.script = script
        self._lookup = lookup
        self._strict = not as_ctp
        self._integers = integers if integers is not None else IntegerTable()
        self._private = private if private is not None else packaged()
        self._clock = clock
        self._inserting = inserts(script.standard)

    def run(self, source: Path, target: Path) -> HeaderOutcome:
        """Apply the script to `source` and write `target`, whole or not at all.

        Parameters
        ----------
        source : Path
            A DICOM file; it is only read.
        target : Path
            The cleaned object. Its folder must exist. Nothing is written unless the status is ``OK``.

        Returns
        -------
        HeaderOutcome
        """
        with source.open("rb") as stream:
            cleaned = self.apply(View.of_file(stream))
            if isinstance(cleaned, HeaderOutcome):
                return cleaned
            return write_view(cleaned, target)

    @property
    def fingerprint(self) -> str:
        """What tells this script, with its parameters, from another."""
        return repr((self.script.source, sorted(self.script.parameters.items()), self._strict))

    def apply(self, source: View) -> View | HeaderOutcome:
        """Apply the script to the bytes of one object.

        Returns
        -------
        View or HeaderOutcome
            The cleaned object, or why there is none.
        """
        try:
            return self._clean(source)
        except Quarantined as outcome:
            return HeaderOutcome("QUARANTINE", outcome.code, str(outcome))
        except Skip:
            return self._skipped()
        except (Abort, RecursionError):
            return HeaderOutcome(
                "ABORT", "script-recursion", "A rule of the script refers to itself without end."
            )

    def _skipped(self) -> HeaderOutcome:
        if self._strict:
            return HeaderOutcome("QUARANTINE", "script-skip", "The script would pass the original object on.")
        return HeaderOutcome("SKIP", "script-skip", "CTP passes the original object on.")

    def _clean(self, view: View) -> View:
        source = read_object(view)
        if self._strict:
            _check(source)
        dataset = _with_charset(source.dataset)
        target, transfer_syntax = self._encoding(source)
        rules = self._rules(dataset)
        around = Surroundings(
            root=dataset,
            meta=source.meta,
            reader=Reader(self._private, strict=self._strict),
            elements=self.script.elements,
            parameters=self.script.parameters,
            rules=rules,
            inserting=self._inserting if rules is self.script.standard else inserts(rules),
            lookup=self._lookup,
            integers=self._integers,
            now=self._clock(),
            strict=self._strict,
        )
        engine = Engine(self.script, around, self._private, target)
        pieces = engine.run()
        tail = self._tail(engine, source)
        head = self._file_head(dataset, pieces, transfer_syntax)
        body = list(_merged(dataset.data, pieces))
        if source.transfer_syntax == DEFLATED:
            body = [_deflate(b"".join(body))]
        return View([head + b"".join(body), *_pixels(view, source, target), b"".join(tail)])

    def _rules(self, dataset: Dataset) -> Mapping[int, Rule]:
        if not self.script.private:
            return self.script.standard
        rules = dict(self.script.standard)
        for rule in self.script.private:
            tag = rule.tag.find(dataset) if isinstance(rule.tag, PrivateTag) else None
            if tag is not None:
                rules[tag] = rule
        return rules

    def _encoding(self, source: ObjectFile) -> tuple[Syntax, str]:
        if source.transfer_syntax:
            return source.dataset.syntax, source.transfer_syntax
        if source.dataset.syntax == IMPLICIT:
            return EXPLICIT, EXPLICIT_LE
        return source.dataset.syntax, EXPLICIT_LE if source.dataset.syntax.little else "1.2.840.10008.1.2.2"

    def _file_head(self, dataset: Dataset, pieces: list[tuple[int, Piece]], transfer_syntax: str) -> bytes:
        uids = dict.fromkeys((_SOP_CLASS, _SOP_INSTANCE), b"")
        for tag, piece in pieces:
            if tag in uids:
                raw = piece if isinstance(piece, bytes) else dataset.data[piece[0] : piece[1]]
                uids[tag] = raw[8:].rstrip(b" \0")
        if self._strict and not all(uids.values()):
            raise Quarantined(
                "no-sop-uid",
                "The object would have no SOP class or no SOP instance UID.",
                remedy="Repair it at its source.",
            )
        return file_head(uids[_SOP_CLASS], uids[_SOP_INSTANCE], transfer_syntax)

    def _tail(self, engine: Engine, source: ObjectFile) -> list[bytes]:
        """Decide on the elements after Pixel Data: their scripts are not evaluated, as in CTP."""
        out = []
        for element in source.after.elements:
            if self._tail_keeps(engine, source.after, element):
                piece = engine.copy(source.after, element)
                out.append(piece if isinstance(piece, bytes) else source.after.data[piece[0] : piece[1]])
        return out

    def _tail_keeps(self, engine: Engine, after: Dataset, element: Element) -> bool:
        tag = element.tag
        rule = engine.around.rules.get(tag)
        if self._strict:
            # what is not kept by name, or is a rule's business, has no place behind the pixels
            return rule is None and engine.apply(after, element) is not None
        switches = self.script.switches
        private = bool(tag & 0x10000)
        creator = private and 0x10 <= tag & 0xFFFF <= 0xFF
        if private and "privategroups" in switches:
            safe = self.script.keep_safe and (creator or self._private.safe(tag, after.creator(tag)))
            if not safe:
                return False
        if rule is None and "unspecifiedelements" in switches and not creator:
            return False
        return rule is None or not rule.expression.source.startswith("@remove()")


def write_view(cleaned: View, target: Path) -> HeaderOutcome:
    """Write an object whole or not at all."""
    try:
        with atomic_writer(target) as out:
            for chunk in cleaned.chunks():
                out.write(chunk)
    except Quarantined as outcome:
        return HeaderOutcome("QUARANTINE", outcome.code, str(outcome))
    return HeaderOutcome("OK")


def _pixels(view: View, source: ObjectFile, target: Syntax) -> list[Segment]:
    pixels = source.pixels
    if pixels is None:
        return []
    if source.transfer_syntax == DEFLATED:
        return [source.dataset.data[pixels.start : pixels.end]]
    if target == source.dataset.syntax:
        return view.slice(pixels.start, pixels.end)
    head = element_head(pixels.tag, "OB", pixels.stop - pixels.value, target)
    return [head, *view.slice(pixels.value, pixels.stop)]


def _check(source: ObjectFile) -> None:
    if source.transfer_syntax == DEFLATED:
        raise Quarantined(
            "deflated",
            "The object is stored in the deflated transfer syntax, in which CTP loses the pixels.",
            remedy="Store it uncompressed, then run again.",
        )
    if source.transfer_syntax and not known_transfer_syntax(source.transfer_syntax):
        raise Quarantined(
            "transfer-syntax",
            "The object has a transfer syntax that DICOM does not know.",
            remedy="Store it in a standard transfer syntax.",
        )
    for dataset in (source.dataset, source.after):
        if len(dataset.index) != len(dataset.elements):
            raise Quarantined(
                "doubled-element", "The object has an element twice.", remedy="Repair it at its source."
            )


def _with_charset(dataset: Dataset) -> Dataset:
    """Return the dataset with (0008,0005) set to ISO_IR 100 where it is absent."""
    if CHARACTER_SET in dataset.index:
        return dataset
    raw = element_head(CHARACTER_SET, "CS", 10, dataset.syntax) + b"ISO_IR 100"
    start = len(dataset.data)
    end = start + len(raw)
    element = Element(CHARACTER_SET, "CS", start, end - 10, end, end, False)
    position = sum(1 for other in dataset.elements if other.tag < CHARACTER_SET)
    elements = [*dataset.elements[:position], element, *dataset.elements[position:]]
    return Dataset(dataset.data + raw, elements, dataset.syntax)


def _merged(data: bytes, pieces: list[tuple[int, Piece]]) -> Iterator[bytes]:
    """Yield the pieces, neighbouring ranges of the input in one."""
    start = end = 0
    for _, piece in pieces:
        if isinstance(piece, bytes):
            if end > start:
                yield data[start:end]
            start = end = 0
            yield piece
        elif piece[0] == end and end > start:
            end = piece[1]
        else:
            if end > start:
                yield data[start:end]
            start, end = piece
    if end > start:
        yield data[start:end]


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    raw = packer.compress(data) + packer.flush()
    return raw + b"\0" * (len(raw) % 2)
