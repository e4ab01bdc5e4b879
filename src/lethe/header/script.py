"""Anonymizer scripts: both file forms, compiled once and then applied to many objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

from lethe.errors import Misconfigured
from lethe.header.elements import Elements, PrivateTag
from lethe.header.expression import Expression, parse
from lethe.header.properties import entries
from lethe.header.text import trim

_PRIVATE = re.compile(r"\[(.+)\]([0-9a-fA-F]{1,2})\Z")
_NUMBER = re.compile(r"[0-9a-fA-F]{1,4}\Z")
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_SET = re.compile(r"set\.\[([^\]]*(?:\[[^\]]*\][^\]]*)?)\](.*)\Z", re.DOTALL)
SWITCHES = frozenset(["privategroups", "unspecifiedelements", "overlays", "curves"])


class UnloadableScript(Misconfigured):
    """CTP itself cannot load this script; in a pipeline the stage dies."""


@dataclass(frozen=True)
class Line:
    """One entry of a script file: parameter (p), element rule (e), keep (k) or remove (r) rule."""

    number: int
    kind: str
    enabled: bool
    target: str
    name: str
    text: str


@dataclass(frozen=True)
class Source:
    """What a script file says, disabled entries included; the linter reads it."""

    form: str
    lines: tuple[Line, ...] = ()
    fault: str = ""
    fault_line: int = 0


@dataclass(frozen=True)
class Rule:
    """One active element rule."""

    tag: int | PrivateTag
    name: str
    expression: Expression
    line: int = 0


@dataclass(frozen=True)
class Script:
    """A compiled anonymizer script.

    Parameters
    ----------
    rules : tuple of Rule
        Active element rules, one for each tag.
    parameters : mapping of str to str
        Parameters by name.
    keep_groups : frozenset of int
        Groups kept in spite of ``unspecifiedelements``.
    keep_safe : bool
        Whether private elements listed as safe are kept.
    switches : frozenset of str
        Global rules that are on.
    source : Source
        The file it was read from, for the checks.
    """

    rules: tuple[Rule, ...]
    parameters: Mapping[str, str]
    keep_groups: frozenset[int] = frozenset()
    keep_safe: bool = False
    switches: frozenset[str] = frozenset()
    source: Source = Source("xml")
    standard: Mapping[int, Rule] = field(init=False, repr=False, compare=False)
    private: tuple[Rule, ...] = field(init=False, repr=False, compare=False)
    elements: Elements = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        aliases = {
            rule.name.lower(): rule.tag
            for rule in self.rules
            if rule.name and (not isinstance(rule.tag, int) or rule.tag & 0x10000)
        }
        standard = {rule.tag: rule for rule in self.rules if isinstance(rule.tag, int)}
        object.__setattr__(self, "standard", standard)
        object.__setattr__(self, "private", tuple(r for r in self.rules if not isinstance(r.tag, int)))
        object.__setattr__(self, "elements", Elements(aliases))

    def with_parameters(self, parameters: Mapping[str, str]) -> Script:
        """Return the script with some parameters set from outside."""
        return replace(self, parameters={**self.parameters, **parameters})


def read_script(text: str) -> Script:
    """Compile the text of a script file, in the way CTP does.

    Raises
    ------
    UnloadableScript
        CTP would not survive it either.
    """
    return compile_source(read_source(text))


def read_source(text: str) -> Source:
    """Read the entries of a script file."""
    if any(line.strip().startswith("<") for line in text.splitlines()):
        return _read_xml(text)
    return _read_properties(text)


def _read_xml(text: str) -> Source:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    declaration = _DECLARATION.match(text)
    body = text if declaration is None else "\n" * declaration[0].count("\n") + text[declaration.end() :]
    try:
        root = etree.fromstring(body.encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        return Source("xml", fault="The script is not well-formed XML.", fault_line=error.lineno or 0)
    lines = []
    for node in root:
        if not isinstance(node.tag, str) or node.tag not in ("p", "e", "k", "r"):
            continue
        content = str(node.xpath("string()"))
        lines.append(
            Line(
                _line_of(node),
                node.tag,
                node.tag == "p" or node.get("en") == "T",
                node.get("t") or "",
                node.get("n") or "",
                content if node.tag == "p" else trim(content),
            )
        )
    return Source("xml", tuple(lines))


def _line_of(node: etree._Element) -> int:
    line = node.sourceline
    return line if isinstance(line, int) else 0


def _read_properties(text: str) -> Source:
    lines = []
    try:
        for number, key, value in entries(text):
            kind, _, target = key.partition(".")
            rule = _SET.match(key)
            if kind == "param":
                lines.append(Line(number, "p", True, target, "", value))
            elif rule is not None:
                lines.append(Line(number, "e", True, rule[1].replace(",", "", 1), rule[2], trim(value)))
            elif kind == "keep":
                lines.append(Line(number, "k", True, target.removeprefix("group"), "", value))
            elif kind == "remove":
                lines.append(Line(number, "r", True, target, "", value))
    except ValueError:
        return Source("properties", fault="The script has a malformed Unicode escape.")
    return Source("properties", tuple(lines))


def compile_source(source: Source) -> Script:
    """Compile the active entries of a script file."""
    rules: dict[int | PrivateTag, Rule] = {}
    parameters: dict[str, str] = {}
    groups = set()
    safe = False
    switches = set()
    for line in source.lines:
        if line.kind == "p":
            parameters[line.target] = line.text
        if line.kind == "e" and len(line.target) < 4:
            raise UnloadableScript(
                "script-bad-tag",
                f"Line {line.number} of the script has a tag that CTP dies of.",
                remedy="Write eight hex digits.",
            )
        if not line.enabled:
            continue
        if line.kind == "e":
            tag = rule_tag(line.target)
            if tag is not None:
                rules[tag] = Rule(tag, line.name, parse(line.text), line.number)
        elif line.kind == "k" and line.target.startswith("safe"):
            safe = True
        elif line.kind == "k" and _NUMBER.match(line.target):
            groups.add(int(line.target, 16))
        elif line.kind == "r" and line.target in SWITCHES:
            switches.add(line.target)
    return Script(tuple(rules.values()), parameters, frozenset(groups), safe, frozenset(switches), source)


def rule_tag(target: str) -> int | PrivateTag | None:
    """Return what the ``t`` of an element rule addresses; None where CTP ignores it."""
    group, rest = target[:4], target[4:]
    if not _NUMBER.match(group) or len(group) < 4:
        return None
    if _NUMBER.match(rest):
        return int(group, 16) << 16 | int(rest, 16)
    block = _PRIVATE.match(rest)
    return PrivateTag(int(group, 16), block[1], int(block[2], 16)) if block else None
