"""The audit: what a script really does to the attributes of Table E.1-1."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

import pytest

from lethe.header.audit import Verdict, audit
from lethe.header.e1 import EDITION, load_table
from lethe.header.script import read_script

PUBLISHED = {
    "X_TAGS": "X", "Z_TAGS": "Z", "D_TAGS": "D", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D", "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
}  # fmt: skip
INCOMPLETE = """<script>
<p t="UIDROOT">1.2.826</p>
<e en="T" t="00080018" n="SOPInstanceUID">@hashuid(@UIDROOT,this)</e>
<e en="T" t="00080090" n="ReferringPhysicianName">@empty()</e>
<e en="T" t="00100010" n="PatientName">@lookup(this,prid)</e>
<e en="T" t="00100020" n="PatientID">@lookup(this,prid)</e>
<e en="T" t="00081111" n="ReferencedPerformedProcedureStepSequence">@empty()</e>
<e en="T" t="00081140" n="ReferencedImageSequence">@process()</e>
<e en="T" t="00080020" n="StudyDate">@incrementdate(this,10)</e>
<e en="T" t="00101010" n="PatientAge">@remove()</e>
<r en="T" t="privategroups">Remove private groups</r>
<r en="T" t="curves">Remove curves</r>
</script>"""


def _newest_packaged() -> tuple[str, dict[str, str]]:
    """Return edition and Basic Profile of the newest table in the packages at hand."""
    tables = {
        path.stem.rpartition("_")[2]: path
        for path in files("dicom-anonymizer") or ()
        if re.fullmatch(r"dicomfields_\d{4}[a-z]?", path.stem)
    }
    edition = max(tables)
    actions = {}
    for statement in ast.parse(Path(str(tables[edition].locate())).read_text()).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            action = PUBLISHED.get(statement.targets[0].id)
            for numbers in ast.literal_eval(statement.value) if action else ():
                masks = f"{numbers[2]:04X}{numbers[3]:04X}" if len(numbers) > 2 else "F" * 8
                digits = f"{numbers[0]:04X}{numbers[1]:04X}"
                tag = "".join(d if m == "F" else "x" for d, m in zip(digits, masks, strict=True))
                actions[tag] = str(action)
    return edition, actions


@pytest.mark.requirement("M-29", "E-40", "A-76")
def test_our_table_does_not_differ_from_the_newest_packaged_one() -> None:
    pytest.importorskip("dicomanonymizer")
    edition, published = _newest_packaged()
    ours = {row.tag: row.basic for row in load_table().rows if row.tag != "private"}
    differences = sorted(
        f"{tag}: ours {ours.get(tag, 'none')}, edition {edition} {published.get(tag, 'none')}"
        for tag in {*ours, *published}
        if ours.get(tag) != published.get(tag)
    )
    assert (edition, differences) == (EDITION, [])


def test_the_table_names_its_edition_its_sources_and_what_it_does_not_know() -> None:
    table = load_table()
    assert len(table.attributes) == 652
    assert {"basic", "options"} == set(table.source)
    assert len(table.options_unknown) == 9
    assert not any(row.options for row in table.rows if row.tag in table.options_unknown)


@pytest.mark.requirement("E-45", "A-59")
def test_an_incomplete_script_is_told_its_survivors() -> None:
    result = audit(read_script(INCOMPLETE))
    covered, total = result.coverage
    assert (total, covered < 60) == (652, True)
    found = {finding.row.tag: finding for finding in result.findings}
    assert all(where.startswith("Performed") for where in found["00101010"].survivors)
    assert found["00080090"].survivors == (
        "PerformedProtocolCodeSequence, PN, identifying",
        "PerformedProtocolCodeSequence, UN, undeclared",
    )
    assert "top level, SQ, identifying" in found["00081111"].survivors  # emptied, but CTP leaves the items
    assert "top level, UN, undeclared" in found["00100010"].survivors  # CTP cannot write text there
    assert found["00104000"].verdict is found["50xxxxxx"].verdict is Verdict.SURVIVES
    assert all(where.startswith("Performed") for where in found["private"].survivors)


@pytest.mark.parametrize("body", ["", '<e en="F" t="00100010" n="">@remove()</e>', "<broken"])
def test_a_script_that_ctp_takes_for_empty_covers_nothing(body: str) -> None:
    assert audit(read_script(f"<script>{body}</script>")).coverage[0] == 0


def test_an_option_changes_what_is_demanded() -> None:
    demands = {row.tag: row for row in load_table().rows}
    assert demands["00101030"].demand([]) == {"X"}
    assert demands["00101030"].demand(["113108"]) == {"K"}


def test_the_command_prints_the_coverage_and_exits_1_on_a_survivor(
    lethe: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "weak.script").write_text(INCOMPLETE)
    weak = lethe("audit", tmp_path / "weak.script")
    assert weak.returncode == 1  # type: ignore[attr-defined]
    assert "/652" in weak.stdout  # type: ignore[attr-defined]
    data = json.loads(lethe("audit", tmp_path / "weak.script", "--output", "json").stdout)  # type: ignore[attr-defined]
    assert (data["total"], len(data["attributes"]), data["edition"]) == (652, 656, EDITION)
    assert lethe("audit", "strict", "--edition", "2019a").returncode == 2  # type: ignore[attr-defined]
