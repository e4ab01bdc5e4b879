"""The expression language of an element rule: literal text mixed with ``@name(arguments)`` calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lethe.header.text import trim

_CLAUSES = {"if": 2, "select": 2, "append": 1}


@dataclass(frozen=True)
class Call:
    """One function call.

    Parameters
    ----------
    name : str
        Function name without ``@``.
    arguments : tuple of str
        Raw arguments, trimmed, one backslash level removed.
    clauses : tuple of Expression
        The ``{...}`` parts that follow `if`, `select` and `append`.
    """

    name: str
    arguments: tuple[str, ...]
    clauses: tuple[Expression, ...] = ()

    @property
    def literal(self) -> str:
        """The argument list as text, which a failing function writes."""
        return "(" + ",".join(self.arguments) + ")"


@dataclass(frozen=True)
class Expression:
    """A compiled element script.

    Parameters
    ----------
    source : str
        The text of the script.
    parts : tuple
        Literal text and calls, in order.
    complete : bool
        False when an ``@`` without parentheses or an open one ended evaluation early.
    """

    source: str
    parts: tuple[str | Call, ...]
    complete: bool = True

    @cached_property
    def always(self) -> bool:
        """Whether the script inserts an absent element."""
        return bool(self.parts) and isinstance(self.parts[0], Call) and self.source.startswith("@always()")

    @cached_property
    def only(self) -> str | None:
        """The name of the single call without clauses that the script consists of, ``@always()`` aside."""
        parts = self.parts[1:] if self.always else self.parts
        if len(parts) == 1 and isinstance(parts[0], Call) and not parts[0].clauses:
            return parts[0].name
        return None

    @cached_property
    def constant(self) -> str | None:
        """The text that the script gives for every object, None where it depends on the object."""
        if self.source in ("@keep()", "@remove()", "@empty()"):
            return self.source
        return None

    def calls(self) -> list[Call]:
        """Return every call, those in clauses included."""
        found = []
        for part in self.parts:
            if isinstance(part, Call):
                found.append(part)
                for clause in part.clauses:
                    found.extend(clause.calls())
        return found


def parse(source: str) -> Expression:
    """Compile the text of an element script; malformed text is cut where CTP cuts it."""
    parts: list[str | Call] = []
    literal: list[str] = []
    position = 0
    complete = True
    while position < len(source):
        character = source[position]
        position += 1
        if character == "\\":
            literal.append(source[position : position + 1])
            position += 1
        elif character == "@":
            call, length = _call(source[position:])
            if call is None:
                complete = False
                break
            if literal:
                parts.append("".join(literal))
                literal = []
            parts.append(call)
            position += length
        else:
            literal.append(character)
    if literal:
        parts.append("".join(literal))
    return Expression(source, tuple(parts), complete)


def _call(text: str) -> tuple[Call | None, int]:
    start = text.find("(")
    if start < 0:
        return None, 0
    end = _closing(text, start, "(", ")", quotes=True)
    if end < 0:
        return None, 0
    name = "".join(text[:start].split())
    arguments = _arguments(text[start + 1 : end])
    clauses = []
    after = end + 1
    for _ in range(_CLAUSES.get(name, 0)):
        opening = after
        while opening < len(text) and text[opening].isspace():
            opening += 1
        closing = _closing(text, opening, "{", "}") if text[opening : opening + 1] == "{" else -1
        if closing < 0:
            clauses.append(Expression("", ()))
            continue
        clauses.append(parse(text[opening + 1 : closing]))
        after = closing + 1
    return Call(name, arguments, tuple(clauses)), after


def _closing(text: str, start: int, opening: str, closing: str, *, quotes: bool = False) -> int:
    """Return where a bracket closes, -1 where it does not; quotes hide parentheses but not braces."""
    depth = 0
    quoted = False
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif quotes and character == '"':
            quoted = not quoted
        elif quoted:
            pass
        elif character == opening:
            depth += 1
        elif character == closing:
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1


def _arguments(text: str) -> tuple[str, ...]:
    arguments: list[str] = []
    current: list[str] = []
    quoted = False
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\":
            current.append(text[position : position + 1])
            position += 1
            continue
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "[(":
            depth += 1
        elif not quoted and character in "])":
            depth -= 1
        elif character == "," and not quoted and depth == 0:
            arguments.append(trim("".join(current)))
            current = []
            continue
        current.append(character)
    last = trim("".join(current))
    if last:
        arguments.append(last)
    return tuple(arguments)


def unquote(text: str) -> str:
    """Drop the quotation marks around an argument."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        return text[1:-1]
    return text
