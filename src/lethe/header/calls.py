"""What every function of the script language needs: its arguments, and how it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lethe.errors import Quarantined
from lethe.header.expression import Call
from lethe.header.text import java_int, trim

if TYPE_CHECKING:
    from lethe.header.scope import Scope

KEEP, REMOVE, EMPTY = "@keep()", "@remove()", "@empty()"


class Skip(Exception):
    """`@skip()` was reached."""


class Abort(Exception):
    """The script cannot be evaluated at all (unbounded recursion)."""


def failure(code: str, sentence: str, remedy: str = "") -> Quarantined:
    """Return the exception of a function that cannot give a result."""
    return Quarantined(code, sentence, remedy=remedy)


def argument(call: Call, index: int) -> str | None:
    """Return an argument, None where it is not given."""
    return call.arguments[index] if index < len(call.arguments) else None


def value_of(call: Call, scope: Scope, index: int = 0) -> str:
    """Return the contents of the element an argument names, "" where it is missing."""
    name = argument(call, index)
    return "" if name is None else scope.text(name) or ""


def length_of(scope: Scope, text: str | None) -> int | None:
    """Return the whole number an argument or a parameter gives, None where it is none."""
    value = scope.parameter(text) if text is not None else None
    return None if value is None else java_int(trim(value))


def no_entry() -> Quarantined:
    """Return the exception of a lookup that found nothing."""
    return failure(
        "lookup-miss",
        "The lookup table has no entry for this object.",
        "Add the patient to the lookup table, then run again.",
    )
