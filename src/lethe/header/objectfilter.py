"""The filter language: conditions on an object, as the stages of CTP use them.

Terms such as ``Modality.equals("CT")`` are joined with ``*`` (and, binds tighter), ``+`` (or), ``!`` and
parentheses. CTP takes a malformed filter as false; here it is refused unless `as_ctp` is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lethe.errors import Misconfigured
from lethe.header.elements import Elements, locate
from lethe.header.objectfile import ObjectFile, read_object
from lethe.header.private import packaged
from lethe.header.regex import BadRegex, compile_java, matches
from lethe.header.text import java_float, trim
from lethe.header.values import Reader
from lethe.header.view import View

_COMMENT = re.compile(r'("[^"]*")|//[^\n]*')
_BARE_HEX = re.compile(r"[0-9a-fA-F]{5,8}\Z")


class _Malformed(ValueError):
    """The filter's text is no filter."""


def _number(text: str) -> float | None:
    return java_float("".join(c for c in text if "0" <= c <= "9" or c == "."))


def _less(value: str, text: str) -> bool:
    left, right = _number(value), _number(text)
    return left is not None and right is not None and left < right


def _whole(value: str, text: str) -> bool:
    try:
        return matches(text, value)
    except BadRegex:
        return False


METHODS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda value, text: value == text,
    "equalsIgnoreCase": lambda value, text: value.lower() == text.lower(),
    "contains": lambda value, text: text in value,
    "containsIgnoreCase": lambda value, text: text.lower() in value.lower(),
    "startsWith": lambda value, text: value.startswith(text),
    "startsWithIgnoreCase": lambda value, text: value.lower().startswith(text.lower()),
    "endsWith": lambda value, text: value.endswith(text),
    "endsWithIgnoreCase": lambda value, text: value.lower().endswith(text.lower()),
    "matches": _whole,
    "isLessThan": _less,
    "isGreaterThan": lambda value, text: _less(text, value),
}


@dataclass(frozen=True)
class _Term:
    name: str
    method: str
    text: str


@dataclass(frozen=True)
class _Node:
    """``and``, ``or`` or ``not`` of other conditions; a constant has no parts."""

    kind: str
    parts: tuple[_Node | _Term, ...] = ()


class _Parser:
    """Reads a filter from left to right."""

    def __init__(self, text: str) -> None:
        self._text = _COMMENT.sub(lambda found: found[1] or "", text)
        self._at = 0
        self.cut = False

    def parse(self) -> _Node | _Term:
        node = self._either()
        if self._peek() and not self.cut:
            raise _Malformed
        return node

    def _peek(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _either(self) -> _Node | _Term:
        parts = [self._both()]
        while not self.cut and self._peek() == "+":
            self._at += 1
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _Node("or", tuple(parts))

    def _both(self) -> _Node | _Term:
        parts = [self._factor()]
        while not self.cut and self._peek() == "*":
            self._at += 1
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else _Node("and", tuple(parts))

    def _factor(self) -> _Node | _Term:
        sign = self._peek()
        if sign == "!":
            self._at += 1
            if self._peek() == "!":
                raise _Malformed
            return _Node("not", (self._factor(),))
        if sign == "(":
            self._at += 1
            inner = self._either()
            if self._peek() == ")":
                self._at += 1
            elif not self.cut:
                if self._peek():
                    raise _Malformed
                self.cut = True
            return inner
        return self._term()

    def _term(self) -> _Node | _Term:
        dot = self._text.find(".", self._at)
        name = trim(self._text[self._at :] if dot < 0 else self._text[self._at : dot])
        if dot < 0:
            self._at = len(self._text)
            return self._constant(name)
        self._at = dot + 1
        if name in ("true", "false"):
            return self._constant(name)
        if not name or name[0] == "(" or _BARE_HEX.match(name):
            raise _Malformed
        opening = self._text.find("(", self._at)
        if opening < 0:
            raise _Malformed
        method = trim(self._text[self._at : opening])
        self._at = opening + 1
        return _Term(name, method, self._quoted())

    @staticmethod
    def _constant(name: str) -> _Node:
        if name not in ("true", "false"):
            raise _Malformed
        return _Node(name)

    def _quoted(self) -> str:
        if self._peek() != '"':
            raise _Malformed
        end = self._text.find('"', self._at + 1)
        if end < 0:
            raise _Malformed
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        if self._peek() == ")":
            self._at += 1
        else:
            self.cut = True
        return text


@dataclass(frozen=True)
class ObjectFilter:
    """A compiled filter.

    Parameters
    ----------
    text : str
        The filter script.
    as_ctp : bool
        Take it as CTP does: malformed is false, unknown elements read as empty.

    Raises
    ------
    Misconfigured
        The filter is malformed, has an unknown method or names an unknown element.
    """

    text: str
    as_ctp: bool = False
    _root: _Node | _Term | None = field(init=False, repr=False, compare=False)
    _elements: Elements = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_elements", Elements({}))
        parser = _Parser(self.text)
        try:
            root: _Node | _Term | None = parser.parse()
        except _Malformed:
            root = None
        object.__setattr__(self, "_root", root)
        if not self.as_ctp:
            if root is None or parser.cut:
                raise Misconfigured(
                    "filter-malformed",
                    "The filter is malformed; CTP takes it as false.",
                    remedy="Correct it.",
                )
            self._check(root)

    def _check(self, node: _Node | _Term) -> None:
        if isinstance(node, _Node):
            for part in node.parts:
                self._check(part)
            return
        if node.method not in METHODS:
            raise Misconfigured("filter-method", f"The filter language has no method {node.method!r}.")
        if not self._elements.parse(node.name).known:
            raise Misconfigured(
                "filter-element",
                f"The dictionary has no element {node.name!r}; it reads as empty.",
                remedy="Write [gggg,eeee].",
            )
        if node.method == "matches":
            try:
                compile_java(node.text)
            except BadRegex:
                raise Misconfigured(
                    "filter-regex", "A regular expression of the filter is malformed."
                ) from None

    def matches(self, view: View) -> bool:
        """Say whether an object fulfils the filter.

        Raises
        ------
        Quarantined
            The bytes are no DICOM object.
        """
        return self.holds(read_object(view))

    def holds(self, source: ObjectFile) -> bool:
        """Say whether an object that is already read fulfils the filter."""
        if self._root is None:
            return False
        return self._evaluate(self._root, source, Reader(packaged(), strict=not self.as_ctp))

    def _evaluate(self, node: _Node | _Term, source: ObjectFile, reader: Reader) -> bool:
        if isinstance(node, _Term):
            method = METHODS.get(node.method)
            return method is not None and method(self._value(node.name, source, reader), node.text)
        results = (self._evaluate(part, source, reader) for part in node.parts)
        if node.kind == "and":
            return all(results)
        if node.kind == "or":
            return any(results)
        return not next(results) if node.kind == "not" else node.kind == "true"

    def _value(self, name: str, source: ObjectFile, reader: Reader) -> str:
        place = locate(self._elements.parse(name), source.dataset, None)
        if place is None:
            return ""
        dataset, tag = place
        if tag >> 16 == 2:
            return source.meta.get(tag, "")
        return reader.text(dataset, tag) or ""


def load_filter(path: Path, *, as_ctp: bool = False) -> ObjectFilter:
    """Read a filter from a file.

    Raises
    ------
    Misconfigured
        The file is missing (CTP would create one that lets everything through), or the filter is malformed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(
            "filter-missing",
            "The filter cannot be read; CTP would let every object through.",
            remedy="Name an existing UTF-8 file.",
        ) from None
    return ObjectFilter(text, as_ctp)
