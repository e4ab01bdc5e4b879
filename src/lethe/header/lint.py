"""Check a script before it runs anywhere: what CTP would let pass is a finding here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from lethe.header.elements import PrivateTag
from lethe.header.expression import Call, unquote
from lethe.header.functions import FUNCTIONS
from lethe.header.lookup import LookupTable
from lethe.header.names import insert_vr, keyword, known
from lethe.header.regex import BadRegex, compile_java
from lethe.header.script import SWITCHES, Rule, Script, rule_tag

_UID_ROOT = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*\.?\Z")
_LONGEST_ROOT = 24


class Severity(StrEnum):
    """How bad a finding is."""

    FATAL = "fatal"
    PHI = "phi"
    INFO = "info"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing a script does wrong.

    Parameters
    ----------
    line : int
        Line of the script file; 0 where it has none.
    severity : Severity
        ``fatal`` and ``phi`` are errors.
    rule : str
        Short name of the check.
    sentence, remedy : str
        What is the case, and what to do.
    """

    line: int
    severity: Severity
    rule: str
    sentence: str
    remedy: str

    def as_dict(self) -> dict[str, str | int]:
        """Return the finding for JSON."""
        return asdict(self)


_EMPTY = Finding(
    0,
    Severity.FATAL,
    "empty",
    "The script does nothing: every object passes with its identifiers.",
    "Write rules.",
)


def lint(script: Script, lookup: LookupTable | None = None) -> list[Finding]:
    """Return every finding of a script, in the order of its lines.

    Parameters
    ----------
    script : Script
        A script read by `read_script`.
    lookup : LookupTable, optional
        The table the script will run with; without it lookup types are not checked.
    """
    if script.source.fault:
        return [
            Finding(
                script.source.fault_line,
                Severity.FATAL,
                "malformed",
                script.source.fault + " CTP runs it as an empty script.",
                "Correct the file.",
            )
        ]
    findings = [*_file_level(script), *_rule_level(script, lookup)]
    if not script.rules and not script.switches and all(f.severity is not Severity.FATAL for f in findings):
        findings.append(_EMPTY)
    return sorted(set(findings))


def fatal(script: Script, lookup: LookupTable | None = None) -> list[Finding]:
    """Return the findings for which the engine refuses to load a script."""
    return [finding for finding in lint(script, lookup) if finding.severity is Severity.FATAL]


def _file_level(script: Script) -> Iterator[Finding]:
    seen: dict[object, int] = {}
    for line in script.source.lines:
        if line.kind == "r" and line.target not in SWITCHES:
            yield Finding(
                line.number,
                Severity.FATAL,
                "unknown-switch",
                f"There is no global rule {line.target!r}.",
                f"Use one of {', '.join(sorted(SWITCHES))}.",
            )
        if line.kind != "e":
            continue
        tag = rule_tag(line.target) if len(line.target) >= 4 else None
        if tag is None or (isinstance(tag, int) and len(line.target) != 8):
            yield Finding(
                line.number,
                Severity.FATAL,
                "bad-tag",
                f"{line.target!r} is not a tag; CTP ignores the rule or dies.",
                "Write eight hex digits or gggg[Creator]ee.",
            )
        elif line.enabled:
            if tag in seen:
                yield Finding(
                    line.number,
                    Severity.FATAL,
                    "doubled-tag",
                    f"The tag has a rule in line {seen[tag]} too; which one runs is undefined.",
                    "Leave one of them.",
                )
            seen[tag] = line.number
        if not line.enabled:
            yield Finding(
                line.number, Severity.INFO, "disabled", "The rule is not active.", 'Set en="T" or remove it.'
            )
    yield from _switches(script)


def _switches(script: Script) -> Iterator[Finding]:
    everything = "unspecifiedelements" in script.switches
    if not everything:
        yield Finding(
            0,
            Severity.PHI,
            "unspecified",
            "Attributes without a rule pass as they are.",
            "Switch unspecifiedelements on.",
        )
        if "curves" in script.switches:
            yield Finding(
                0,
                Severity.PHI,
                "curves",
                "The curves rule removes nothing by itself.",
                "Switch unspecifiedelements on.",
            )
    if "privategroups" not in script.switches and not everything:
        yield Finding(
            0, Severity.PHI, "private", "Private attributes pass as they are.", "Switch privategroups on."
        )
    if "overlays" not in script.switches:
        yield Finding(0, Severity.PHI, "overlays", "Overlays pass as they are.", "Switch overlays on.")
    if everything and 0x00080005 not in script.standard and 0x0008 not in script.keep_groups:
        yield Finding(
            0,
            Severity.INFO,
            "charset",
            "(0008,0005) is removed: text that stays is no longer declared.",
            "Add a rule @keep() for it.",
        )
    for group in sorted(script.keep_groups & {0x0008, 0x0010, 0x0032, 0x0040}):
        yield Finding(
            0,
            Severity.PHI,
            "kept-group",
            f"All of group {group:04X} is kept, names included.",
            "Keep attributes, not the group.",
        )


def _rule_level(script: Script, lookup: LookupTable | None) -> Iterator[Finding]:
    for rule in script.rules:
        yield from _expression(rule, script, lookup)
        yield from _vr(rule)
        yield from _cycle(rule, script)


def _expression(rule: Rule, script: Script, lookup: LookupTable | None) -> Iterator[Finding]:
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


_TEXTUAL = frozenset(
    ["contents", "value", "hash", "hashname", "hashuid", "hashptid", "lookup", "param", "initials"]
)
_DATED = frozenset(["incrementdate", "modifydate", "hashdate", "dateinterval"])
_NO_BLANK = frozenset(["DA", "TM", "DT", "UI", "US", "SS", "UL", "SL", "FL", "FD", "AT", "OB", "OW"])


def _vr(rule: Rule) -> Iterator[Finding]:
    if isinstance(rule.tag, PrivateTag) or rule.tag & 0x10000:
        return
    vr = insert_vr(rule.tag)
    names = {call.name for call in rule.expression.calls()}
    literal = any(isinstance(part, str) and part.strip() for part in rule.expression.parts)
    where = f"{keyword(rule.tag)} ({vr})"
    if vr in ("OB", "OW", "UN", "SQ") and rule.tag != 0x00120064 and (literal or names & _TEXTUAL):
        yield Finding(
            rule.line,
            Severity.PHI,
            "text-refused",
            f"{where} takes no text: CTP leaves the original.",
            "Use @remove() or @process().",
        )
    if vr == "SQ" and names & {"empty", "blank"}:
        yield Finding(
            rule.line,
            Severity.PHI,
            "emptied-sequence",
            f"{where} keeps its items when emptied.",
            "Use @remove() or @process().",
        )
    if vr == "SQ" and "keep" in names and rule.expression.only == "keep":
        yield Finding(
            rule.line,
            Severity.PHI,
            "kept-sequence",
            f"{where} is kept whole, with every identifier inside.",
            "Use @process().",
        )
    if vr != "SQ" and "process" in names:
        yield Finding(
            rule.line,
            Severity.PHI,
            "process-value",
            f"{where} is no sequence; @process() just keeps it.",
            "Use another action.",
        )
    if vr in _NO_BLANK and "blank" in names:
        yield Finding(
            rule.line,
            Severity.PHI,
            "blank-refused",
            f"{where} refuses blanks: CTP leaves the original.",
            "Use @empty().",
        )
    if vr in ("DT", "TM") and any(
        c.name in _DATED and c.arguments[:1] == ("this",) for c in rule.expression.calls()
    ):
        yield Finding(
            rule.line,
            Severity.PHI,
            "date-on-time",
            f"{where}: CTP moves no times, and zones corrupt the date.",
            "Use @remove() or @empty().",
        )
    if not known(rule.tag):
        yield Finding(
            rule.line,
            Severity.INFO,
            "new-tag",
            f"{where} is unknown to CTP's dictionary.",
            "Mind that it is inserted as SH.",
        )


def _cycle(rule: Rule, script: Script) -> Iterator[Finding]:
    seen = set()
    todo = [rule]
    while todo:
        for call in todo.pop().expression.calls():
            if call.name != "hashuid" or len(call.arguments) < 3:
                continue
            step = script.elements.parse(call.arguments[2])
            tag = step.path[-1]
            following = script.standard.get(tag) if isinstance(tag, int) else None
            if following is rule:
                yield Finding(
                    rule.line,
                    Severity.FATAL,
                    "cycle",
                    "The rule's hash refers to itself without end.",
                    "Remove the third argument.",
                )
                return
            if following is not None and following.tag not in seen:
                seen.add(following.tag)
                todo.append(following)
