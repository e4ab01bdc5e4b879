"""Every function of the script language, one Python function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lethe.errors import Quarantined
from lethe.header import hashes
from lethe.header.calls import (
    EMPTY,
    KEEP,
    REMOVE,
    Skip,
    argument,
    failure,
    length_of,
    no_entry,
    value_of,
)
from lethe.header.datefunctions import date_interval, hash_date, increment_date, modify_date
from lethe.header.expression import Call, Expression, unquote
from lethe.header.regex import BadRegex, matches, replace_all
from lethe.header.text import java_int, trim

if TYPE_CHECKING:
    from lethe.header.scope import Scope


def evaluate(expression: Expression, scope: Scope) -> str:
    """Return the text that a script gives in a scope."""
    out = []
    for part in expression.parts:
        if isinstance(part, str):
            out.append(part)
        else:
            out.append(_call(part, scope))
    return "".join(out)


def _call(call: Call, scope: Scope) -> str:
    function = FUNCTIONS.get(call.name)
    if function is None:
        return f"@{call.name}{call.literal}"
    return function(call, scope)


def _contents(call: Call, scope: Scope) -> str:
    if not call.arguments:
        raise failure("script-error", "A function of the script lacks its argument.")
    value = value_of(call, scope)
    pattern = argument(call, 1)
    if pattern is None:
        return value
    try:
        return replace_all(unquote(pattern), unquote(argument(call, 2) or ""), value)
    except BadRegex:
        raise failure("script-error", "A regular expression of the script is malformed.") from None


def _value_or(call: Call, scope: Scope) -> str:
    return value_of(call, scope) or unquote(argument(call, 1) or "")


def _truncate(call: Call, scope: Scope) -> str:
    value = value_of(call, scope)
    length = java_int(argument(call, 1) or "")
    if length is None:
        return value
    return value[:length] if length >= 0 else value[length:]


def _lowercase(call: Call, scope: Scope) -> str:
    return value_of(call, scope).lower()


def _uppercase(call: Call, scope: Scope) -> str:
    return value_of(call, scope).upper()


def _path_element(call: Call, scope: Scope) -> str:
    value = value_of(call, scope)
    parts = value.split("/")
    index = java_int(argument(call, 1) or "")
    if index is None or not -len(parts) <= index < len(parts):
        return value
    return parts[index]


def _param(call: Call, scope: Scope) -> str:
    name = argument(call, 0) or ""
    value = scope.parameter(name)
    return "null" if value is None else value


def _date(call: Call, scope: Scope) -> str:
    return _moment(call, scope.now, "%Y", "%m", "%d")


def _time(call: Call, scope: Scope) -> str:
    return _moment(call, scope.now, "%H", "%M", "%S")


def _moment(call: Call, now: datetime, *parts: str) -> str:
    return unquote(argument(call, 0) or "").join(now.strftime(part) for part in parts)


def _hash(call: Call, scope: Scope) -> str:
    value = scope.text(argument(call, 0) or "")
    if value is None:
        return REMOVE
    length = argument(call, 1)
    if length is not None and scope.parameter(length) is None:
        return call.literal
    return hashes.cut(hashes.number(value), length_of(scope, length))


def _hash_name(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        return call.literal
    length = length_of(scope, call.arguments[1])
    words = length_of(scope, argument(call, 2))
    parts = value_of(call, scope).split("^")
    if words is not None and words > 0:
        parts = parts[:words]
    name = "".join(parts).translate(str.maketrans("", "", " \t\n\r\f,'^.")).upper()
    return hashes.cut(hashes.number(name), 4 if length is None else length)


def _hash_patient(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        return call.literal
    site = scope.parameter(call.arguments[0]) or ""
    value = scope.text(call.arguments[1]) or ""
    return hashes.cut(hashes.number(f"[{trim(site)}]{trim(value)}"), length_of(scope, argument(call, 2)))


def _hash_uid(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        return call.literal
    root = scope.parameter(call.arguments[0])
    if root is None:
        return call.literal
    value = scope.text(call.arguments[1])
    if value is None:
        return REMOVE
    further = argument(call, 2)
    if further is not None:
        try:
            value += scope.script_of(further)
        except (Quarantined, Skip):
            if scope.strict:
                raise
            return call.literal  # CTP swallows what goes wrong in there
    return hashes.uid(trim(root), value)


def _initials(call: Call, scope: Scope) -> str:
    words = value_of(call, scope).replace("^", " ").replace(",", " ").split()
    letters = "".join(word[0] for word in words)
    letters = (letters[1:] + letters[:1]).upper() or "X"
    shift = java_int(argument(call, 1) or "") or 0
    return "".join(chr((ord(c) - 65 + shift) % 26 + 65) if "A" <= c <= "Z" else c for c in letters)


def _round(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        return call.literal
    value = value_of(call, scope)
    if not value:
        return ""
    digits = "".join(c for c in value if "0" <= c <= "9")
    step, number = length_of(scope, call.arguments[1]), java_int(digits)
    if step is None or number is None:
        return call.literal
    rounded = 0 if step == 0 else int((number / step + 0.5) // 1) * step
    text = str(rounded) + "".join(c for c in value if not "0" <= c <= "9")
    return "0" + text if len(text) % 2 else text


def _encrypt(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        return call.literal
    return hashes.encrypt(value_of(call, scope), scope.parameter(call.arguments[1]) or "")


def _decrypt(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        return call.literal
    plain = hashes.decrypt(value_of(call, scope), scope.parameter(call.arguments[1]) or "")
    return call.literal if plain is None else plain


def _integer(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        raise failure("script-error", "A function of the script lacks its argument.")
    number = str(scope.number(call.arguments[1], trim(value_of(call, scope))))
    width = java_int(argument(call, 2) or "") or 0
    return number.rjust(width, "0")


def _lookup(call: Call, scope: Scope) -> str:
    if len(call.arguments) < 2:
        raise no_entry()
    key = "|".join(trim(scope.text(trim(name)) or "") for name in call.arguments[0].split("|"))
    key = trim(key).replace("\\", "")
    action = argument(call, 2) or ""
    value = scope.table(call.arguments[1], key.upper() if action == "UC" else key)
    if value is not None:
        return value
    if action in ("keep", "remove", "empty"):
        return f"@{action}()"
    if action == "default":
        return unquote(argument(call, 3) or "")
    if action == "ignore":
        try:
            if matches(unquote(argument(call, 3) or ""), key):
                return key
        except BadRegex:
            raise failure("script-error", "A regular expression of the script is malformed.") from None
    raise no_entry()


def _if(call: Call, scope: Scope) -> str:
    return evaluate(call.clauses[0 if _condition(call, scope) else 1], scope)


@dataclass(frozen=True)
class _Test:
    """The tests of `@if` that compare a value with an argument."""

    value: str
    argument: str

    def equals(self) -> bool:
        return self.value.lower() == self.argument.lower()

    def contains(self) -> bool:
        return self.argument.lower() in self.value.lower()

    def matches(self) -> bool:
        try:
            return matches(self.argument, self.value)
        except BadRegex:
            raise failure("script-error", "A regular expression of the script is malformed.") from None

    def greaterthan(self) -> bool:
        left, right = (
            java_int("".join(c for c in text if "0" <= c <= "9")) for text in (self.value, self.argument)
        )
        return left is not None and right is not None and left > right


_TESTS: dict[str, Callable[[_Test], bool]] = {
    "equals": _Test.equals,
    "contains": _Test.contains,
    "matches": _Test.matches,
    "greaterthan": _Test.greaterthan,
}


def _condition(call: Call, scope: Scope) -> bool:
    if len(call.arguments) < 2:
        return False
    name, test = call.arguments[:2]
    if test == "exists":
        return scope.exists(name)
    value = scope.text(name)
    if test == "isblank":
        return value is None or not trim(value)
    compare = _TESTS.get(test)
    if value is None or compare is None:
        return False
    text = unquote(argument(call, 2) or "")
    replaced = scope.parameter(text)
    return compare(_Test(value, text if replaced is None else replaced))


def _select(call: Call, scope: Scope) -> str:
    return evaluate(call.clauses[0 if scope.dataset.parent is None else 1], scope)


def _append(call: Call, scope: Scope) -> str:
    value, more = scope.text("this") or "", evaluate(call.clauses[0], scope)
    return f"{value}\\{more}" if value else more


def _require(call: Call, scope: Scope) -> str:
    if scope.present:
        return KEEP
    value = scope.text(call.arguments[0]) if call.arguments else None
    return unquote(argument(call, 1) or "") if value is None else value


def _process(call: Call, scope: Scope) -> str:
    scope.process()
    return KEEP


def _skip(call: Call, scope: Scope) -> str:
    raise Skip


def _quarantined(call: Call, scope: Scope) -> str:
    raise failure("script-quarantine", "The script quarantines this object.")


def _plugin(call: Call, scope: Scope) -> str:
    raise failure("no-plugin", "The script calls a plugin; none is registered.")


FUNCTIONS: dict[str, Callable[[Call, Scope], str]] = {
    "always": lambda call, scope: "",
    "append": _append,
    "blank": lambda call, scope: f"@blank{call.literal}",
    "call": _plugin,
    "contents": _contents,
    "date": _date,
    "dateinterval": date_interval,
    "decrypt": _decrypt,
    "empty": lambda call, scope: EMPTY,
    "encrypt": _encrypt,
    "hash": _hash,
    "hashdate": hash_date,
    "hashname": _hash_name,
    "hashptid": _hash_patient,
    "hashuid": _hash_uid,
    "if": _if,
    "incrementdate": increment_date,
    "initials": _initials,
    "integer": _integer,
    "keep": lambda call, scope: KEEP,
    "lookup": _lookup,
    "lowercase": _lowercase,
    "modifydate": modify_date,
    "param": _param,
    "pathelement": _path_element,
    "process": _process,
    "quarantine": _quarantined,
    "remove": lambda call, scope: REMOVE,
    "require": _require,
    "round": _round,
    "select": _select,
    "skip": _skip,
    "time": _time,
    "truncate": _truncate,
    "uppercase": _uppercase,
    "value": _value_or,
}
