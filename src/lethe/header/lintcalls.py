"""Checks of the expression of one rule: its calls, their names, parameters and regular expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lethe.header.expression import Call, unquote
from lethe.header.findings import Finding, Severity
from lethe.header.functions import FUNCTIONS
from lethe.header.lookup import LookupTable
from lethe.header.names import insert_vr
from lethe.header.regex import BadRegex, compile_java
from lethe.header.script import Rule, Script

_UID_ROOT = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*\.?\Z")
_LONGEST_ROOT = 24


def check_expression(rule: Rule, script: Script, lookup: LookupTable | None) -> Iterator[Finding]:
    if not _complete(rule):
        yield Finding(
            rule.line,
            Severity.FATAL,
            "cut-short",
            "An @ without parentheses ends the rule early; the rest is dropped.",
            "Write @name(...), or \\@ for the sign itself.",
        )
    for call in rule.expression.calls():
        if call.name not in FUNCTIONS:
            yield Finding(
                rule.line,
                Severity.FATAL,
                "unknown-function",
                f"There is no function @{call.name}().",
                "Correct its name; names are case-sensitive.",
            )
            continue
        yield from _parameters(rule, call, script.parameters)
        yield from _names(rule, call, script)
        yield from _call_checks(rule, call, script.parameters, lookup)


def _complete(rule: Rule) -> bool:
    if not rule.expression.complete:
        return False
    return all(clause.complete for call in rule.expression.calls() for clause in call.clauses)


_PARAMETERS = {  # which arguments take @NAME
    **dict.fromkeys(("param", "hashuid"), (0,)),
    **dict.fromkeys(("hash", "round", "encrypt", "decrypt"), (1,)),
    "hashname": (1, 2),
    "hashptid": (0, 2),
    "incrementdate": (1, 2),
    "modifydate": (1, 2, 3),
    "dateinterval": (3,),
    "if": (2,),
}
_ELEMENTS = {  # which arguments name elements
    **dict.fromkeys(("contents", "value", "truncate", "lowercase", "uppercase", "pathelement", "hash"), (0,)),
    **dict.fromkeys(
        ("hashname", "initials", "round", "encrypt", "decrypt", "integer", "incrementdate"), (0,)
    ),
    **dict.fromkeys(("modifydate", "if", "require"), (0,)),
    "hashptid": (1,),
    "hashuid": (1, 2),
    "hashdate": (0, 1),
    "dateinterval": (0, 2),
}


def _parameters(rule: Rule, call: Call, parameters: Mapping[str, str]) -> Iterator[Finding]:
    for index in _PARAMETERS.get(call.name, ()):
        text = call.arguments[index] if index < len(call.arguments) else ""
        name = unquote(text) if call.name == "if" else text
        if name[:1] in ("@", "$") and name[1:] not in parameters:
            yield Finding(
                rule.line,
                Severity.FATAL,
                "undefined-parameter",
                f"The parameter {name} is not defined; CTP writes the argument list into the object.",
                "Define it with <p>.",
            )


def _names(rule: Rule, call: Call, script: Script) -> Iterator[Finding]:
    names = [call.arguments[i] for i in _ELEMENTS.get(call.name, ()) if i < len(call.arguments)]
    if call.name == "incrementdate" and len(call.arguments) > 2:
        names.append(call.arguments[1])
    if call.name == "lookup" and call.arguments:
        names.extend(part.strip() for part in call.arguments[0].split("|"))
    for name in names:
        if not script.elements.parse(name).known:
            yield Finding(
                rule.line,
                Severity.FATAL,
                "unknown-element",
                f"The dictionary has no element {name!r}; it reads as missing.",
                "Write eight hex digits.",
            )


def _call_checks(
    rule: Rule, call: Call, parameters: Mapping[str, str], lookup: LookupTable | None
) -> Iterator[Finding]:
    arguments = call.arguments
    if call.name == "hashuid" and arguments:
        root = parameters.get(arguments[0][1:], "0") if arguments[0][:1] in "@$" else arguments[0]
        if not _UID_ROOT.match(root.strip()) or len(root.strip()) > _LONGEST_ROOT:
            yield Finding(
                rule.line,
                Severity.FATAL,
                "uid-root",
                "The UID root is no root of at most 24 characters.",
                "Correct the parameter.",
            )
    if call.name in ("contents", "if") and len(arguments) > (1 if call.name == "contents" else 2):
        pattern = (
            arguments[1] if call.name == "contents" else arguments[2] if arguments[1] == "matches" else ""
        )
        yield from _regex(
            rule, parameters.get(unquote(pattern)[1:], pattern) if pattern[:1] in ("@", '"@') else pattern
        )
    kind = {"lookup": 1, "incrementdate": 2, "dateinterval": 1}.get(call.name)
    if lookup is not None and kind is not None and len(arguments) > kind:
        name = arguments[kind] if arguments[kind][:1] != "@" else parameters.get(arguments[kind][1:], "")
        if name not in lookup.types:
            yield Finding(
                rule.line,
                Severity.FATAL,
                "lookup-type",
                f"The lookup table has no entry of type {name!r}.",
                "Add entries, or correct the type.",
            )
    if call.name == "skip":
        yield Finding(
            rule.line, Severity.FATAL, "skip", "@skip() passes the original object on.", "Use @quarantine()."
        )
    if call.name == "call":
        yield Finding(
            rule.line,
            Severity.FATAL,
            "plugin",
            "No plugin is registered; the object is quarantined.",
            "Remove the call.",
        )
    if call.name == "round" and isinstance(rule.tag, int) and insert_vr(rule.tag) in ("DS", "FL", "FD"):
        yield Finding(
            rule.line,
            Severity.PHI,
            "round-decimal",
            "@round takes 81.5 for 815.",
            "Truncate first, or remove.",
        )
    if call.name in ("hash", "hashname", "hashptid", "encrypt") and _short_identifier(call):
        yield Finding(
            rule.line,
            Severity.PHI,
            "guessable",
            "An unsalted hash of a short identifier can be found by trying all of them.",
            "Use the lookup table.",
        )


def _short_identifier(call: Call) -> bool:
    index = 1 if call.name == "hashptid" else 0
    name = call.arguments[index] if index < len(call.arguments) else ""
    return name in ("this", "PatientID", "00100020", "AccessionNumber", "00080050", "PatientName", "00100010")


def _regex(rule: Rule, text: str) -> Iterator[Finding]:
    try:
        compile_java(unquote(text))
    except BadRegex:
        yield Finding(
            rule.line,
            Severity.FATAL,
            "regex",
            "A regular expression is malformed.",
            "Correct it; mind that one backslash level is removed.",
        )
