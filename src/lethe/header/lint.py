"""Check a script before it runs anywhere: what CTP would let pass is a finding here."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.datadict import dictionary_VR

from lethe.header.e1 import load_table
from lethe.header.elements import PrivateTag
from lethe.header.findings import Finding, Severity
from lethe.header.lintcalls import check_expression
from lethe.header.lookup import LookupTable
from lethe.header.names import insert_vr, keyword, known
from lethe.header.script import SWITCHES, Rule, Script, rule_tag

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
            "Attributes without a rule pass as they are, sequences whole.",
            "Switch unspecifiedelements on.",
        )
        yield from _uncovered(script)
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
    if script.keep_safe:
        yield Finding(
            0,
            Severity.INFO,
            "safe-private",
            "CTP lists no safe private attributes of Siemens MR or Philips; their diffusion values go.",
            "Name what you need by gggg[Creator]ee.",
        )
    for group in sorted(script.keep_groups & {0x0008, 0x0010, 0x0032, 0x0040}):
        yield Finding(
            0,
            Severity.PHI,
            "kept-group",
            f"All of group {group:04X} is kept, names included.",
            "Keep attributes, not the group.",
        )


def _uncovered(script: Script) -> Iterator[Finding]:
    tags = [int(row.tag, 16) for row in load_table().attributes]
    bare = [tag for tag in tags if tag not in script.standard and tag >> 16 != 2]
    if bare:
        names = ", ".join(keyword(tag) for tag in bare[:3])
        yield Finding(
            0,
            Severity.PHI,
            "e1-uncovered",
            f"{len(bare)} attributes of PS3.15 Table E.1-1 have no rule: {names}, ...",
            "Switch unspecifiedelements on; lethe profile audit lists them all.",
        )


def _rule_level(script: Script, lookup: LookupTable | None) -> Iterator[Finding]:
    for rule in script.rules:
        yield from check_expression(rule, script, lookup)
        yield from _vr(rule)
        yield from _cycle(rule, script)


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
    yield from _insertion(rule, where)


def _insertion(rule: Rule, where: str) -> Iterator[Finding]:
    if not rule.expression.always or not isinstance(rule.tag, int):
        return
    if not known(rule.tag):
        yield Finding(
            rule.line,
            Severity.INFO,
            "new-tag",
            f"{where} is unknown to CTP's dictionary.",
            "Mind that it is inserted as SH.",
        )
    elif insert_vr(rule.tag) == "SH" and dictionary_VR(rule.tag) != "SH":
        yield Finding(
            rule.line,
            Severity.INFO,
            "multi-vr",
            f"{where} has several VRs.",
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
