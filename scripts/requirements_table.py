"""Which requirement is where, and which tests name it: the page docs/requirements.md."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = "docs/requirements.md"
LIST = "docs/requirements.yaml"

_MARK = re.compile(r"mark\.requirement\(([^)]*)\)")
_ID = re.compile(r'"([A-Z]+-\d+)"')
# whole journeys say most; the page names the first files of this order
_ORDER = ("system", "browser", "contract", "attack", "unit")
_SHOWN = 3

_HEAD = """# Requirements, where they are, and which tests name them

Written by `scripts/make-requirements-table` from [requirements.yaml](requirements.yaml) and the marks
`@pytest.mark.requirement(...)` of the tests; do not edit. A test that names a requirement proves something of
it, not always all of it. "Test" lists up to {shown} files, whole journeys first; `grep -rn M-24 tests` finds
the others.

{summary}

CTP and XNAT themselves were never run where these tests run: they speak to the [embedded
archive](../src/lethe/archive/README.md) and to our own execution of CTP's scripts. What that leaves open is
said in the [README](../README.md#what-only-a-real-xnat-and-a-real-ctp-can-prove).
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of the list.

    Parameters
    ----------
    title : str
        In few words.
    place : str or None
        Path below the root of the repository.
    word : str or None
        Key of the list's ``words``: what to say where no test names it.
    note : str
        What is open.
    """

    title: str
    place: str | None = None
    word: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """The whole list: words, names of the groups, requirements by ID."""

    words: Mapping[str, str]
    groups: Mapping[str, str]
    requirements: Mapping[str, Requirement]


def listed(root: Path) -> Listed:
    """Read the list of requirements."""
    found = yaml.load((root / LIST).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    rows = {name: Requirement(*row) for name, row in found["requirements"].items()}
    return Listed(found["words"], found["groups"], rows)


def named_by_tests(root: Path) -> dict[str, list[str]]:
    """Return the files of tests by the requirement they name, whole journeys first."""
    found: dict[str, set[str]] = {}
    for path in (root / "tests").rglob("test_*.py"):
        for mark in _MARK.findall(path.read_text(encoding="utf-8")):
            for name in _ID.findall(mark):
                found.setdefault(name, set()).add(path.relative_to(root).as_posix())
    return {name: sorted(paths, key=_rank) for name, paths in found.items()}


def page(root: Path) -> str:
    """Return the text of the page."""
    everything, tests = listed(root), named_by_tests(root)
    parts = [_HEAD.format(shown=_SHOWN, summary=_summary(everything, tests))]
    for letter, title in everything.groups.items():
        rows = ["| ID | in short | where | test |", "|---|---|---|---|"]
        for name, one in everything.requirements.items():
            if name.split("-")[0] == letter:
                tested = _tested(everything.words, one, tests.get(name, []))
                rows.append(f"| {name} | {one.title} | {_link(one.place)} | {tested} |")
        parts.append(f"## {title}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _rank(path: str) -> tuple[int, str]:
    folder = path.split("/")[1]
    return _ORDER.index(folder) if folder in _ORDER else len(_ORDER), path


def _summary(everything: Listed, tests: Mapping[str, list[str]]) -> str:
    names = everything.requirements
    rows = ["| | requirements |", "|---|---|", f"| in the list | {len(names)} |"]
    rows.append(f"| named by at least one test | {sum(name in tests for name in names)} |")
    for word, meaning in everything.words.items():
        count = sum(one.word == word and name not in tests for name, one in names.items())
        rows.append(f"| {meaning} | {count} |")
    return "\n".join(rows)


def _link(place: str | None) -> str:
    return f"[{place}](../{place})" if place else ""


def _tested(words: Mapping[str, str], one: Requirement, paths: list[str]) -> str:
    said = ", ".join(f"[{Path(path).stem[5:]}](../{path})" for path in paths[:_SHOWN])
    if not paths:
        said = words[str(one.word)]
    return f"{said}; {one.note}" if one.note else said


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Write docs/requirements.md.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when it is not up to date"
    )
    target, text = ROOT / PAGE, page(ROOT)
    if not parser.parse_args().check:
        target.write_text(text, encoding="utf-8")
    elif target.read_text(encoding="utf-8") != text:
        print(f"{PAGE} is not up to date: run scripts/make-requirements-table", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
