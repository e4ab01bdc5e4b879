"""Java regular expressions, translated to Python's where the two differ."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

_CLASSES = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    "Space": r" \t\n\x0b\f\r",
    "Blank": r" \t",
    "XDigit": "0-9a-fA-F",
    "ASCII": r"\x00-\x7f",
}
_LETTERS = {"L", "IsL", "IsAlphabetic", "Lu", "Ll"}


class BadRegex(ValueError):
    """The text is no regular expression."""


@lru_cache(maxsize=512)
def compile_java(pattern: str) -> re.Pattern[str]:
    """Compile a Java regular expression.

    Raises
    ------
    BadRegex
        The expression is malformed, or uses what cannot be translated.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(_translate(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadRegex from error


def _translate(pattern: str) -> str:
    out: list[str] = []
    position = 0
    inside = 0
    while position < len(pattern):
        character = pattern[position]
        following = pattern[position + 1 : position + 2]
        if character == "\\":
            piece, position = _escape(pattern, position, inside > 0)
            out.append(piece)
            continue
        if inside and pattern.startswith("&&", position):
            raise BadRegex
        if character == "[":
            if inside:
                raise BadRegex
            inside = 1
            out.append(character)
            if following == "^":
                out.append("^")
                position += 1
        elif character == "]" and inside:
            inside = 0
            out.append(character)
        elif pattern.startswith("(?<", position) and pattern[position + 3 : position + 4] not in ("=", "!"):
            out.append("(?P<")
            position += 2
        else:
            out.append(character)
        position += 1
    if inside:
        raise BadRegex
    return "".join(out)


def _escape(pattern: str, position: int, inside: bool) -> tuple[str, int]:
    following = pattern[position + 1 : position + 2]
    if following == "Q":
        end = pattern.find("\\E", position)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[position + 2 : end]), end + 2
    if following in ("p", "P") and pattern[position + 2 : position + 3] == "{":
        end = pattern.find("}", position)
        name = pattern[position + 3 : end]
        if name in _LETTERS and not inside:
            return (r"[^\W\d_]" if following == "p" else r"[\W\d_]"), end + 1
        if name not in _CLASSES or (inside and following == "P"):
            raise BadRegex
        body = _CLASSES[name]
        return (body if inside else f"[{'^' if following == 'P' else ''}{body}]"), end + 1
    if following == "h":
        return (r" \t\xa0" if inside else r"[ \t\xa0]"), position + 2
    if following in ("z", "Z") and not inside:
        return (r"\Z" if following == "z" else r"(?=\n?\Z)"), position + 2
    if following == "":
        raise BadRegex
    return pattern[position : position + 2], position + 2


def matches(pattern: str, text: str) -> bool:
    """Say whether the whole text matches, as Java's ``String.matches``."""
    return compile_java(pattern).fullmatch(text) is not None


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Replace every match, as Java's ``String.replaceAll``.

    Raises
    ------
    BadRegex
        The expression or the replacement is malformed.
    """
    compiled = compile_java(pattern)
    pieces = _replacement(replacement, compiled.groups)

    def fill(found: re.Match[str]) -> str:
        return "".join(p if isinstance(p, str) else (found.group(p) or "") for p in pieces)

    return compiled.sub(fill, text)


def _replacement(text: str, groups: int) -> list[str | int]:
    pieces: list[str | int] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\":
            if position == len(text):
                raise BadRegex
            pieces.append(text[position])
            position += 1
        elif character == "$":
            if not text[position : position + 1].isdigit():
                raise BadRegex
            number = int(text[position])
            position += 1
            while text[position : position + 1].isdigit() and number * 10 + int(text[position]) <= groups:
                number = number * 10 + int(text[position])
                position += 1
            if number > groups:
                raise BadRegex
            pieces.append(number)
        else:
            pieces.append(character)
    return pieces
