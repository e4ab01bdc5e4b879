"""Fill a command line so that no value can become shell code.

The Container Service runs ``/bin/sh -c "<command line>"``. The template is written by the author of the
command and trusted; values come from people and from the archive. Each value is escaped for the place
where its key stands: bare, inside ``'...'`` or inside ``"..."``. In places where no escaping is safe
(command substitution, here-documents, behind a backslash) only harmless characters are let through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from lethe.errors import Refused

# no "=": a bare A=b in front of a program would be an assignment
_HARMLESS = re.compile(r"[\w@%+:,./-]*", re.ASCII)
_SPECIAL_IN_DOUBLE = re.compile(r'([\\$"`])')


class Place(Enum):
    """Where in a shell line a key stands."""

    BARE = "bare"
    SINGLE = "single"
    DOUBLE = "double"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Fragment:
    """Part of a value: `text` is trusted shell code (a flag, a true-value) or a value to escape."""

    text: str
    trusted: bool = False


Words = Sequence[Fragment]


def literal(text: str) -> Words:
    """Return a value that needs escaping."""
    return (Fragment(text),)


def fill_line(template: str, values: Mapping[str, Words]) -> str:
    """Replace each key of `values` in a shell line by its escaped value, in one pass.

    Parameters
    ----------
    template : str
        The command line of a definition.
    values : mapping of str to fragments
        Replacement key (``#name#``) to what stands for it. A key inside a value is not replaced.

    Raises
    ------
    Refused
        ``value-not-allowed``: a value holds a NUL byte, or characters that cannot be made safe where its
        key stands. The sentence does not show the value.
    """
    keys = _pattern(values)
    if keys is None:
        return template
    # what a key is made of must not count as shell syntax
    places = _places(keys.sub(lambda hit: "k" * len(hit[0]), template))
    return keys.sub(lambda hit: _escape(hit[0], values[hit[0]], places[hit.start()]), template)


def fill_text(template: str, values: Mapping[str, str]) -> str:
    """Replace each key in a text that no shell will read (environment, label, path), in one pass."""
    keys = _pattern(values)
    return template if keys is None else keys.sub(lambda hit: values[hit[0]], template)


def _pattern(values: Mapping[str, object]) -> re.Pattern[str] | None:
    # longest first, so that #ab# is not taken for #a
    keys = sorted((key for key in values if key), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, keys))) if keys else None


def _escape(key: str, fragments: Words, place: Place) -> str:
    return "".join(part.text if part.trusted else _escape_one(key, part.text, place) for part in fragments)


def _escape_one(key: str, value: str, place: Place) -> str:
    if "\0" in value:
        raise _not_allowed(key, "a NUL character")
    if place is Place.SINGLE:
        return value.replace("'", "'\\''")
    if place is Place.DOUBLE:
        return _SPECIAL_IN_DOUBLE.sub(r"\\\1", value)
    if place is Place.UNSAFE and not _HARMLESS.fullmatch(value):
        raise _not_allowed(key, "characters that cannot be made safe at this place of the command line")
    return value if _HARMLESS.fullmatch(value) else "'" + value.replace("'", "'\\''") + "'"


def _not_allowed(key: str, what: str) -> Refused:
    return Refused(
        "value-not-allowed",
        f"The value for {key} holds {what}.",
        remedy="Use letters, digits and . _ - / , : = + @ % only.",
    )


def _places(template: str) -> list[Place]:
    """Return the kind of place of every character of a shell line."""
    places: list[Place] = []
    place, escaped, unsafe = Place.BARE, False, False
    for index, char in enumerate(template):
        unsafe = unsafe or (place is not Place.SINGLE and not escaped and _opens(template, index))
        places.append(Place.UNSAFE if unsafe or escaped else place)
        if escaped:
            escaped = False
        elif char == "\\" and place is not Place.SINGLE:
            escaped = True
        else:
            place = _next(place, char)
    return places


def _opens(template: str, index: int) -> bool:
    """Whether something starts here behind which no escaping is sure: substitution, here-text, comment."""
    comment = template[index] == "#" and (index == 0 or template[index - 1] in " \t\n;&|()")
    return comment or template[index] == "`" or template[index : index + 2] in ("$(", "${", "<<", "$'")


def _next(place: Place, char: str) -> Place:
    if char == "'" and place is not Place.DOUBLE:
        return Place.BARE if place is Place.SINGLE else Place.SINGLE
    if char == '"' and place is not Place.SINGLE:
        return Place.BARE if place is Place.DOUBLE else Place.DOUBLE
    return place
