"""Java properties files: the syntax of lookup tables and of the legacy script form."""

from __future__ import annotations

from collections.abc import Iterator

_BLANK = " \t\f"
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    number = 0
    while number < len(lines):
        first = number + 1
        line = lines[number].lstrip(_BLANK)
        number += 1
        if not line or line[0] in "#!":
            continue
        while (len(line) - len(line.rstrip("\\"))) % 2 and number < len(lines):
            line = line[:-1] + lines[number].lstrip(_BLANK)
            number += 1
        if (len(line) - len(line.rstrip("\\"))) % 2:
            line = line[:-1]
        yield first, line


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character != "\\" or position == len(text):
            out.append(character)
            continue
        character = text[position]
        position += 1
        if character == "u":
            out.append(chr(int(text[position : position + 4], 16)))
            position += 4
        else:
            out.append(_ESCAPES.get(character, character))
    return "".join(out)


def _split(line: str) -> tuple[str, str]:
    position = 0
    while position < len(line) and line[position] not in "=:" + _BLANK:
        position += 2 if line[position] == "\\" else 1
    key = line[:position]
    rest = line[position:].lstrip(_BLANK)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_BLANK)
    return key, rest


def entries(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, key, value) of a properties text, in order, duplicates included.

    Raises
    ------
    ValueError
        A malformed ``\\uXXXX`` escape.
    """
    for number, line in _logical_lines(text):
        key, value = _split(line)
        yield number, _unescape(key), _unescape(value)


def escape_key(key: str) -> str:
    """Return `key` as it must be written in a properties file."""
    return "".join("\\" + c if c in "\\ =:#!\t\f" else c for c in key)
