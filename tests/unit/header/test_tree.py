"""A tree is cleaned whole: every file in the target or in the quarantine, never both, never half."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lethe.errors import Misconfigured, Refused
from lethe.header import Anonymizer, LookupTable, apply_tree, bundled_script, load_script
from unit.header.conftest import Result
from unit.header.objects import TABLE, ct, write

STROKE = load_script(bundled_script("stroke"))
ROUTING = load_script(bundled_script("routing"))
TWO = LookupTable({**TABLE, "prid/PAT002": "C3D4", "shift/PAT002": "3", "salt/PAT002": "7a"})


def _source(folder: Path) -> Path:
    for number in range(6):
        patient = "PAT002" if number > 3 else "PAT001"
        dataset = ct(SOPInstanceUID=f"1.2.3.{number}", InstanceNumber=number, PatientID=patient)
        write(folder / f"SMITH_{patient}" / f"{number}.dcm", dataset)
    (folder / "SMITH_PAT001" / "notes.txt").write_text("SMITH was here")
    (folder / "SMITH_PAT001" / "scan_catalog.xml").write_text("<catalog/>")
    return folder


def _stages(table: LookupTable = TABLE) -> list[Anonymizer]:
    return [Anonymizer(STROKE, table), Anonymizer(ROUTING)]


def _all(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.requirement("M-21", "E-58")
def test_every_file_ends_in_the_target_or_the_quarantine(tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    before = _all(source)
    seen: list[tuple[int, int]] = []
    report = apply_tree(
        _stages(),
        source,
        tmp_path / "out",
        quarantine=tmp_path / "held",
        progress=lambda a, b: seen.append((a, b)),
    )
    assert report.counts == {"OK": 4, "QUARANTINE": 3}
    assert sorted(code for _, code, _ in report.quarantined) == ["lookup-miss", "lookup-miss", "not-dicom"]
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 4
    assert len(list((tmp_path / "held").glob("*.quarantined"))) == 3
    assert seen == [(n, 7) for n in range(1, 8)]
    assert _all(source) == before


@pytest.mark.requirement("M-21")
def test_no_name_of_the_source_survives(tmp_path: Path) -> None:
    report = apply_tree(_stages(), _source(tmp_path / "in"), tmp_path / "out", quarantine=tmp_path / "held")
    names = [str(p.relative_to(tmp_path)) for f in ("out", "held") for p in (tmp_path / f).rglob("*")]
    text = " ".join(names) + json.dumps(report.as_dict())
    assert "SMITH" not in text
    assert "PAT00" not in text


def test_a_second_run_writes_nothing_again(tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    apply_tree(_stages(), source, tmp_path / "out", quarantine=tmp_path / "held")
    first = _all(tmp_path / "out"), _all(tmp_path / "held")
    times = [p.stat().st_mtime_ns for p in sorted((tmp_path / "out").rglob("*.dcm"))]
    report = apply_tree(_stages(), source, tmp_path / "out", quarantine=tmp_path / "held")
    assert report.counts == {"SAME": 4, "QUARANTINE": 3}
    assert (_all(tmp_path / "out"), _all(tmp_path / "held")) == first
    assert [p.stat().st_mtime_ns for p in sorted((tmp_path / "out").rglob("*.dcm"))] == times


def test_what_a_later_table_can_clean_leaves_the_quarantine(tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    apply_tree(_stages(), source, tmp_path / "out", quarantine=tmp_path / "held")
    report = apply_tree(_stages(TWO), source, tmp_path / "out", quarantine=tmp_path / "held")
    assert report.counts == {"SAME": 4, "OK": 2, "QUARANTINE": 1}
    assert len(list((tmp_path / "held").glob("*.quarantined"))) == 1
    assert len(list((tmp_path / "held").glob("*.json"))) == 1


def test_a_half_written_file_of_a_killed_run_is_not_taken_for_a_result(tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    apply_tree(_stages(), source, tmp_path / "out")
    whole = _all(tmp_path / "out")
    victim = sorted((tmp_path / "out").rglob("*.dcm"))[0]
    partial = victim.with_name(f".{victim.name}.0000.partial")
    partial.write_bytes(victim.read_bytes()[:99])
    victim.unlink()
    apply_tree(_stages(), source, tmp_path / "out")
    assert _all(tmp_path / "out") == whole


def test_two_objects_of_one_instance_are_not_laid_over_each_other(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.dcm", ct(InstanceNumber=1))
    write(tmp_path / "in" / "b.dcm", ct(InstanceNumber=2))
    report = apply_tree(_stages(), tmp_path / "in", tmp_path / "out", quarantine=tmp_path / "held")
    assert report.counts == {"OK": 1, "QUARANTINE": 1}
    assert report.quarantined[0][1] == "doubled-instance"


def test_the_work_of_two_profiles_is_never_mixed(tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    apply_tree(_stages(), source, tmp_path / "out")
    strict = load_script(bundled_script("strict"))
    with pytest.raises(Refused):
        apply_tree([Anonymizer(strict, TABLE)], source, tmp_path / "out")


def test_a_dry_run_says_the_same_and_writes_nothing(lethe: Callable[..., Result], tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    before = _all(tmp_path)
    report = apply_tree(_stages(), source, tmp_path / "out", quarantine=tmp_path / "held", dry_run=True)
    assert report.counts == {"OK": 4, "QUARANTINE": 3}
    file = next(source.rglob("0.dcm"))
    result = lethe("apply", "--dry-run", "--script", bundled_script("routing"), file, tmp_path / "o.dcm")
    assert (result.returncode, json.loads(result.stdout)["status"]) == (0, "OK")
    result = lethe("apply", "--dry-run", "--script", bundled_script("routing"), source, tmp_path / "out")
    assert (result.returncode, json.loads(result.stdout)["counts"]) == (3, {"OK": 6, "QUARANTINE": 1})
    assert _all(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_folders_inside_each_other_are_refused(tmp_path: Path) -> None:
    source = _source(tmp_path / "in")
    with pytest.raises(Misconfigured):
        apply_tree(_stages(), source, source / "out")
    with pytest.raises(Misconfigured):
        apply_tree(_stages(), tmp_path / "nowhere", tmp_path / "out")


def test_the_quarantine_is_for_its_owner_only(tmp_path: Path) -> None:
    apply_tree(_stages(), _source(tmp_path / "in"), tmp_path / "out", quarantine=tmp_path / "held")
    assert (tmp_path / "held").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "held").iterdir())


@pytest.mark.requirement("E-54")
def test_the_command_says_one_line_and_exits_by_status(lethe: Callable[..., Result], tmp_path: Path) -> None:
    table = tmp_path / "t.properties"
    table.write_text("prid/PAT001=A1B2\nshift/PAT001=-12\nsalt/PAT001=5e\n")
    good, bad = write(tmp_path / "a.dcm", ct()), write(tmp_path / "b.dcm", ct(PatientID="NOBODY"))
    (tmp_path / "skip.script").write_text('<script><e en="T" t="00100020" n="">@skip()</e></script>')
    (tmp_path / "bad.script").write_text('<script><e en="T" t="001" n="">X</e></script>')
    cases = (
        (0, "OK", ("--script", "stroke", "--lookup", table, good)),
        (3, "QUARANTINE", ("--script", "stroke", "--lookup", table, bad)),
        (4, "SKIP", ("--as-ctp", "--script", tmp_path / "skip.script", good)),
        (5, "ABORT", ("--as-ctp", "--script", tmp_path / "bad.script", good)),
    )
    for exit_code, status, arguments in cases:
        result = lethe("apply", *arguments, tmp_path / f"{status}.dcm")
        assert (result.returncode, json.loads(result.stdout)["status"]) == (exit_code, status), result.stderr
        assert (tmp_path / f"{status}.dcm").exists() == (status == "OK")
        assert "NOBODY" not in result.stdout + result.stderr


def test_a_wrong_call_is_one_sentence_with_a_remedy(lethe: Callable[..., Result], tmp_path: Path) -> None:
    good = write(tmp_path / "a.dcm", ct())
    for arguments in (
        ("--script", "nosuch", good, tmp_path / "o.dcm"),
        ("--script", tmp_path / "no.script", good, tmp_path / "o.dcm"),
        ("--script", "stroke", tmp_path / "none.dcm", tmp_path / "o.dcm"),
        ("--script", "stroke", "--param", "X", good, tmp_path / "o.dcm"),
        ("--script", "stroke", "--lookup", tmp_path / "no.properties", good, tmp_path / "o.dcm"),
    ):
        result = lethe("apply", *arguments)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "o.dcm").exists()
