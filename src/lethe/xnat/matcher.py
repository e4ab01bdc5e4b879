"""Matchers: the bodies of Jayway JSONPath filters, evaluated over the JSON of one object.

XNAT evaluates ``$[?(<matcher>)]`` with the Java library Jayway. Its filter language is larger than RFC 9535:
``in``, ``nin``, ``contains``, ``anyof``, ``noneof``, ``subsetof``, ``size``, ``empty``, ``=~`` and the path
functions ``length()`` and ``size()``. Here the filter is read by a small parser and each path in it
(``@.resources[*].label``) by python-jsonpath.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lethe.errors import Refused

Json = Mapping[str, Any]
Test = Callable[[Json], bool]
Value = Callable[[Json], object]


class _Missing:
    """The value of a path that leads nowhere."""


_MISSING = _Missing()
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
    | (?P<regex>/(?:\\.|[^/\\])+/[a-zA-Z]*)
    | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
    | (?P<op>&&|\|\||==|!=|<=|>=|=~|<|>|!|\(|\)|\[|\]|,)
    | (?P<path>[@$])
    | (?P<word>[A-Za-z]+)
    )""",
    re.VERBOSE,
)
_FUNCTION = re.compile(r"\.(length|size)\(\)$")
_CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def matches(matcher: str, document: Json) -> bool:
    """Tell whether an object satisfies a matcher.

    Parameters
    ----------
    matcher : str
        Filter body such as ``'DICOM' in @.resources[*].label``; empty matches everything.
    document : mapping
        JSON of the object.

    Raises
    ------
    Refused
        ``matcher-syntax``: the matcher cannot be read.
    """
    return not matcher.strip() or compile_matcher(matcher)(document)


def compile_matcher(matcher: str) -> Test:
    """Return the matcher as a function of an object's JSON."""
    return _Parser(matcher).parse()


def _unreadable(matcher: str) -> Refused:
    return Refused(
        "matcher-syntax",
        f"The matcher {matcher!r} cannot be read.",
        remedy="Write a JSONPath filter such as @.label == 'DICOM'.",
    )


class _Parser:
    """Recursive descent over ``or``, ``and``, ``not``, comparison, operand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.at = 0

    def parse(self) -> Test:
        test = self._any()
        if self.at != len(self.tokens):
            raise _unreadable(self.text)
        return test

    def _tokens(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        text = self.text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise _unreadable(self.text)
            kind, end = found.lastgroup, found.end()
            start = found.start(kind)
            if kind == "path":
                end = _path_end(text, start)
            tokens.append(_Token(kind, text[start:end]))
            at = end
        return tokens

    def _peek(self, *texts: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].text in texts

    def _take(self) -> _Token:
        if self.at >= len(self.tokens):
            raise _unreadable(self.text)
        self.at += 1
        return self.tokens[self.at - 1]

    def _expect(self, text: str) -> None:
        if self._take().text != text:
            raise _unreadable(self.text)

    def _any(self) -> Test:
        tests = [self._all()]
        while self._peek("||"):
            self._take()
            tests.append(self._all())
        return lambda document: any(test(document) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._peek("&&"):
            self._take()
            tests.append(self._one())
        return lambda document: all(test(document) for test in tests)

    def _one(self) -> Test:
        if self._peek("!"):
            self._take()
            inner = self._one()
            return lambda document: not inner(document)
        if self._peek("("):
            self._take()
            inner = self._any()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        left = self._operand()
        if not self._at_operator():
            return lambda document: left(document) not in (_MISSING, [])
        name = self._take().text.lower()
        right = self._operand()
        compare = _COMPARE[name]
        return lambda document: compare(left(document), right(document))

    def _at_operator(self) -> bool:
        if self.at >= len(self.tokens):
            return False
        return self.tokens[self.at].text.lower() in _COMPARE

    def _operand(self) -> Value:
        token = self._take()
        if token.kind == "path":
            return _path_value(token.text, self.text)
        if token.text == "[":
            return self._list()
        value = self._constant(token)
        return lambda _: value

    def _list(self) -> Value:
        items: list[object] = []
        while not self._peek("]"):
            items.append(self._constant(self._take()))
            if self._peek(","):
                self._take()
        self._expect("]")
        return lambda _: items

    def _constant(self, token: _Token) -> object:
        if token.kind == "string":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        if token.kind == "number":
            return json.loads(token.text)
        if token.kind == "regex":
            return _pattern(token.text, self.text)
        if token.kind == "word" and token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        raise _unreadable(self.text)


def _path_end(text: str, start: int) -> int:
    """Return where the path that starts at `start` ends: brackets count, blanks outside them do not."""
    at, depth, quote = start + 1, 0, ""
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif depth and char in "'\"":
            quote = char
        elif char in "[(" and (depth or char == "[" or text[at : at + 2] == "()"):
            depth += 1
        elif char in "])" and depth:
            depth -= 1
        elif not depth and not (char.isalnum() or char in "._-*"):
            break
        at += 1
    return at


def _path_value(path: str, matcher: str) -> Value:
    # imported here: it makes a third of the time that the command line needs to start
    from jsonpath import JSONPathError
    from jsonpath import compile as compile_path

    function = _FUNCTION.search(path)
    body = "$" + (path[1 : function.start()] if function else path[1:])
    body = re.sub(r"\.([A-Za-z_][\w]*(?:-[\w]+)+)", r"['\1']", body)  # @.scan-type
    try:
        compiled = compile_path(body)
    except JSONPathError as error:
        raise _unreadable(matcher) from error
    single = compiled.singular_query()  # type: ignore[union-attr]

    def value(document: Json) -> object:
        found = compiled.findall(document)
        result: object = (found[0] if found else _MISSING) if single else found
        if not function:
            return result
        return len(result) if isinstance(result, list | str | dict) else _MISSING

    return value


def _pattern(text: str, matcher: str) -> re.Pattern[str]:
    body, _, letters = text[1:].rpartition("/")
    flags = re.NOFLAG
    for letter in letters.lower():
        flags |= {"i": re.IGNORECASE, "s": re.DOTALL, "m": re.MULTILINE, "x": re.VERBOSE}.get(
            letter, re.NOFLAG
        )
    try:
        return re.compile(body.replace(r"\/", "/"), flags)
    except re.error as error:
        raise _unreadable(matcher) from error


def _list_of(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is _MISSING else [value]


def _equal(left: object, right: object) -> bool:
    if left is _MISSING or isinstance(left, bool) is not isinstance(right, bool):  # 1 is not true
        return False
    return left == right


def _below(left: Any, right: Any) -> bool:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return bool((numbers or (isinstance(left, str) and isinstance(right, str))) and left < right)


def _contains(left: object, right: object) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return any(_equal(item, right) for item in _list_of(left))


def _in(left: object, right: object) -> bool:
    return left is not _MISSING and any(_equal(left, item) for item in _list_of(right))


def _anyof(left: object, right: object) -> bool:
    return any(_in(item, right) for item in _list_of(left))


def _size(left: object, right: object) -> bool:
    return isinstance(left, list | str) and len(left) == (len(right) if isinstance(right, list) else right)


def _full_match(left: object, right: object) -> bool:
    return isinstance(right, re.Pattern) and isinstance(left, str) and right.fullmatch(left) is not None


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _below,
    ">": lambda left, right: _below(right, left),
    "<=": lambda left, right: _below(left, right) or _equal(left, right),
    ">=": lambda left, right: _below(right, left) or _equal(left, right),
    "=~": _full_match,
    "in": _in,
    "nin": lambda left, right: not _in(left, right),
    "contains": _contains,
    "anyof": _anyof,
    "noneof": lambda left, right: not _anyof(left, right),
    "subsetof": lambda left, right: all(_in(item, right) for item in _list_of(left)),
    "size": _size,
    "empty": lambda left, right: isinstance(left, list | str) and (not left) is right,
}
