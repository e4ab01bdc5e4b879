"""Where an object goes: project, subject and session, decided from its header (contract section 4.2).

Everything here is a pure function of a header, the explicit targets, the rules and one question asked of
the archive: may the receiving user write to the project called so?
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from lethe.errors import Misconfigured

UNASSIGNED = "Unassigned"
DEFAULT_SESSION = "dicom_upload"

_COMMENTS = ("PatientComments", "StudyComments", "AdditionalPatientHistory")
_RULE = re.compile(r"^\(([0-9a-fA-F]{4}),([0-9a-fA-F]{4})\):(.+?)(?::(\d+))?(?:\s+t:(\S+)\s+r:(\S*))?$")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")

WritableProject = Callable[[str], "str | None"]
"""Answer the id of the project an id or alias names, or None if it is unknown or not writable."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets given from outside: by parameters of the request or by a stored study routing."""

    project: str = ""
    subject: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a routing rule: take an attribute, match it whole, keep one group.

    Examples
    --------
    >>> Rule.parse(r"(0008,1030):Trial (\\w+).*:1").pattern.pattern
    'Trial (\\\\w+).*'
    """

    tag: int
    pattern: re.Pattern[str]
    group: int
    find: re.Pattern[str] | None = None
    replacement: str = ""

    @classmethod
    def parse(cls, line: str) -> Rule:
        """Read ``(gggg,eeee):regex[:group][ t:from r:to]``; raise `Misconfigured` if it is not one."""
        found = _RULE.match(line.strip())
        if found is None:
            raise Misconfigured("routing-rule", "A routing rule is not (gggg,eeee):regex[:group].")
        try:
            pattern = re.compile(found[3])
            find = re.compile(found[5]) if found[5] else None
        except re.error as error:
            raise Misconfigured("routing-rule", "A routing rule holds a broken expression.") from error
        group = int(found[4]) if found[4] else min(1, pattern.groups)
        if group > pattern.groups:
            raise Misconfigured("routing-rule", "A routing rule asks for a group its expression has not.")
        return cls(int(found[1] + found[2], 16), pattern, group, find, found[6] or "")

    def apply(self, header: Dataset) -> str:
        """Return the value the rule finds in `header`, or an empty string."""
        matched = self.pattern.fullmatch(text_of(header, self.tag))
        value = (matched[self.group] or "") if matched else ""
        return self.find.sub(self.replacement, value) if self.find else value


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of a receiver or of the site, each list in the order it is tried."""

    project: tuple[Rule, ...] = ()
    subject: tuple[Rule, ...] = ()
    session: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, project: str = "", subject: str = "", session: str = "") -> Rules:
        """Read three texts of one rule per line; blank lines and lines starting with ``#`` are skipped."""
        return cls(*(tuple(_parse_lines(text)) for text in (project, subject, session)))

    def __add__(self, other: Rules) -> Rules:
        """Put the rules of `other` after these."""
        return Rules(self.project + other.project, self.subject + other.subject, self.session + other.session)


@dataclass(frozen=True, slots=True)
class Route:
    """The decision: project id (`UNASSIGNED` if none was found), labels, whether to archive at once."""

    project: str
    subject: str
    session: str
    auto_archive: bool | None = None


@dataclass(frozen=True, slots=True)
class Router:
    """Decide routes for one receiving user.

    Parameters
    ----------
    writable : WritableProject
        Tells the id of the project that an id or alias names, if the user may write to it.
    rules : Rules
        The receiver's expressions followed by the site's rules.
    """

    writable: WritableProject
    rules: Rules = field(default_factory=Rules)

    def route(self, header: Dataset, explicit: Targets = Targets(), stored: Targets = Targets()) -> Route:
        """Return the route of one object; the first hit wins: `explicit`, `stored`, rules, header."""
        subject = first(_subjects(header, self.rules.subject, (explicit.subject, stored.subject)))
        session = first(_sessions(header, self.rules.session, (explicit.session, stored.session)))
        return Route(
            project=self._project(header, explicit, stored),
            subject=clean_label(subject),
            session=clean_label(session) or DEFAULT_SESSION,
            auto_archive=_flag(first(pair(text_of_keyword(header, word), "AA") for word in _COMMENTS)),
        )

    def _project(self, header: Dataset, explicit: Targets, stored: Targets) -> str:
        for candidate in _projects(header, self.rules.project, (explicit.project, stored.project)):
            if candidate and (project := self.writable(candidate)):
                return project
        return UNASSIGNED


def pair(text: str, name: str) -> str:
    """Return the value of ``name:value`` in `text`; pairs are separated by spaces, ``;`` or commas.

    Examples
    --------
    >>> pair("Project: DEMO; Subject: SUB-01", "subject")
    'SUB-01'
    """
    found = _pair_pattern(name).search(text)
    return found[1] if found else ""


def clean_label(value: str) -> str:
    """Replace every character outside the id set by ``_``.

    Examples
    --------
    >>> clean_label(" A1B2^MR 1 ")
    'A1B2_MR_1'
    """
    return _UNSAFE.sub("_", value.strip())


def text_of(header: Dataset, tag: int) -> str:
    """Return the attribute as one line of text, empty if absent; several values are joined by a backslash."""
    element = header.get(tag)
    if element is None or element.value is None:
        return ""
    if element.VM > 1:
        return "\\".join(str(value) for value in element.value).strip()
    return str(element.value).strip("\0 \r\n\t")


def text_of_keyword(header: Dataset, keyword: str) -> str:
    """Return the attribute named by its DICOM keyword as text."""
    return text_of(header, tag_for_keyword(keyword) or 0)


def first(values: Iterable[str]) -> str:
    """Return the first value that is not blank, else an empty string."""
    return next((value for value in values if value.strip()), "")


def _projects(header: Dataset, rules: Sequence[Rule], given: Sequence[str]) -> Iterable[str]:
    yield from given
    yield from (rule.apply(header) for rule in rules)
    yield from (pair(text_of_keyword(header, word), "Project") for word in _COMMENTS)
    yield text_of_keyword(header, "StudyDescription")
    yield text_of_keyword(header, "AccessionNumber")


def _subjects(header: Dataset, rules: Sequence[Rule], given: Sequence[str]) -> Iterable[str]:
    yield from given
    yield from (rule.apply(header) for rule in rules)
    yield from (pair(text_of_keyword(header, word), "Subject") for word in _COMMENTS)
    yield text_of_keyword(header, "PatientName")


def _sessions(header: Dataset, rules: Sequence[Rule], given: Sequence[str]) -> Iterable[str]:
    yield from given
    yield from (rule.apply(header) for rule in rules)
    yield from (pair(text_of_keyword(header, word), "Session") for word in _COMMENTS)
    yield text_of_keyword(header, "PatientID")


def _parse_lines(text: str) -> Iterable[Rule]:
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield Rule.parse(line)


def _flag(value: str) -> bool | None:
    return None if not value else value.lower() in {"true", "1", "yes"}


@cache
def _pair_pattern(name: str) -> re.Pattern[str]:
    # The look-ahead keeps "Project: Subject:X" (an empty project) from swallowing the next pair.
    return re.compile(rf"(?:^|[\s,;]){re.escape(name)}:\s*([^\s,;:]+)(?![^\s,;]*:)", re.IGNORECASE)
