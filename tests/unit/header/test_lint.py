"""The linter says what CTP would let pass, with line, severity and remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lethe.header import LookupTable, bundled_script
from lethe.header.findings import Severity
from lethe.header.lint import lint
from lethe.header.script import read_script
from unit.header.conftest import Result

SAFE = "".join(
    f'<r en="T" t="{name}">x</r>\n' for name in ("privategroups", "unspecifiedelements", "overlays", "curves")
)


def _found(body: str, *, table: LookupTable | None = None, safe: bool = True) -> set[str]:
    script = read_script(f"<script>\n{body}\n{SAFE if safe else ''}</script>")
    return {finding.rule for finding in lint(script, table) if finding.severity is not Severity.INFO}


def _rule(tag: str, text: str) -> str:
    return f'<e en="T" t="{tag}" n="">{text}</e>'


@pytest.mark.requirement("E-47", "E-51")
@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (_rule("00181000", "@hash(00181002,@N)"), "undefined-parameter"),
        (_rule("00100020", '@if(this,equals,"@N"){@remove()}{@empty()}'), "undefined-parameter"),
        (_rule("00100020", "@Hash(this)"), "unknown-function"),
        (_rule("00100020", "@remove"), "cut-short"),
        (_rule("0010", "X"), "bad-tag"),
        (_rule("00100020", "X") + _rule("00100020", "Y"), "doubled-tag"),
        (_rule("00100020", "@contents(PatientsName)"), "unknown-element"),
        (_rule("00100020", "@lookup(OperatorsName|PatientID,prid)"), "unknown-element"),
        (_rule("0020000d", "@hashuid(Trial,this)"), "uid-root"),
        (_rule("0020000d", "@hashuid(1.2.840.113619.2.55.3.28314,this)"), "uid-root"),
        (
            _rule("0020000d", "@hashuid(1.2,this,0020000e)")
            + _rule("0020000e", "@hashuid(1.2,this,0020000d)"),
            "cycle",
        ),
        (_rule("00420011", "text"), "text-refused"),
        (_rule("00081110", "@empty()"), "emptied-sequence"),
        (_rule("00081110", "@keep()"), "kept-sequence"),
        (_rule("00080020", "@blank(3)"), "blank-refused"),
        (_rule("00100020", "@process()"), "process-value"),
        (_rule("0008002a", "@incrementdate(this,3)"), "date-on-time"),
        (_rule("00080030", "@modifydate(this,*,1,1)"), "date-on-time"),
        (_rule("00100020", "@skip()"), "skip"),
        (_rule("00101030", "@round(this,5)"), "round-decimal"),
        (_rule("00100020", "@hash(this,8)"), "guessable"),
        ('<k en="T" t="0010">x</k>', "kept-group"),
    ],
)
def test_a_mistake_is_found_by_its_name(body: str, rule: str) -> None:
    assert _found(body) == {rule}


def test_a_script_that_leaves_the_rest_is_found() -> None:
    found = _found(_rule("00100020", "X") + '<r en="T" t="curves">x</r>', safe=False)
    assert found == {"unspecified", "curves", "private", "overlays", "e1-uncovered"}


def test_a_type_that_the_table_lacks_is_found() -> None:
    table = LookupTable({"prid/1": "A"})
    body = _rule("00100020", "@lookup(this,ptid)") + _rule("00080020", "@incrementdate(this,00100020,prid)")
    assert _found(body, table=table) == {"lookup-type"}
    assert _found(body) == set()


def test_a_malformed_file_is_the_only_finding_and_has_its_line() -> None:
    findings = lint(read_script("<script>\n<e>\n</script>"))
    assert [(finding.rule, finding.line) for finding in findings] == [("malformed", 3)]


def test_findings_name_line_and_remedy() -> None:
    findings = lint(read_script(f"<script>\n\n{_rule('00100020', '@nosuch()')}\n{SAFE}</script>"))
    fatal = [finding for finding in findings if finding.severity is Severity.FATAL]
    assert [(finding.line, bool(finding.remedy)) for finding in fatal] == [(3, True)]


@pytest.mark.parametrize(("name", "exit_code"), [("stroke", 0), ("net", 0), ("leaky", 1)])
def test_the_command_exits_one_on_an_error(
    lethe: Callable[..., Result], name: str, exit_code: int, tmp_path: Path
) -> None:
    path = tmp_path / "leaky.script"
    path.write_text(f"<script>{_rule('00100020', 'X')}</script>")
    script = path if name == "leaky" else bundled_script(name)
    result = lethe("lint", script, "--output", "json")
    assert result.returncode == exit_code, result.stderr
    assert all(
        {"line", "severity", "rule", "sentence", "remedy"} == set(f) for f in json.loads(result.stdout)
    )


@pytest.mark.requirement("E-51")
@pytest.mark.parametrize(
    ("body", "rule", "severity"),
    [
        ("<r en='T' t='unspecifiedelements'>x</r>", "charset", Severity.INFO),
        ("<k en='T' t='safeprivateelements'>x</k>", "safe-private", Severity.INFO),
        (_rule("00280106", "@always()1"), "multi-vr", Severity.INFO),
        (_rule("00100020", "@remove()"), "e1-uncovered", Severity.PHI),
        (_rule("00100020", "@skip()"), "skip", Severity.FATAL),
        ("<r en='T' t='everything'>x</r>", "unknown-switch", Severity.FATAL),
    ],
)
def test_a_finding_has_its_severity_and_a_remedy(body: str, rule: str, severity: Severity) -> None:
    findings = lint(read_script(f"<script>{body}</script>"))
    assert {f.severity for f in findings if f.rule == rule} == {severity}
    assert all(finding.remedy and finding.sentence.endswith(".") for finding in findings)
