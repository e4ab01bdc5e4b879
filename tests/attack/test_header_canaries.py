"""No canary leaves: not in the object, not in its name, not in reports, logs or listings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from kit.canaries import CT, KINDS, PATIENT, Corpus
from lethe.header import Anonymizer, LookupTable, apply_tree, bundled_script, load_script

SALT = "00112233445566778899aabbccddeeff"
TABLE = LookupTable({f"prid/{PATIENT}": "A1B2", f"shift/{PATIENT}": "-12", f"salt/{PATIENT}": SALT})
SHIPPED = {"CT", "MR", "XA", "PT", "enhanced CT", "enhanced MR"}


def found(haystacks: Iterable[bytes], canaries: Iterable[str]) -> list[str]:
    """Return the canaries that occur, whatever their encoding or case."""
    joined = b"\0".join(haystacks).lower()
    if b"cnry" not in joined and b"c\0n\0r\0y" not in joined and SALT.encode() not in joined:
        return []
    out = []
    for canary in canaries:
        text = canary.lower()
        if text.encode() in joined or text.encode("utf-16-le") in joined:
            out.append(canary)
    return out


def _scripts(profile: str) -> list[Anonymizer]:
    stages = [Anonymizer(load_script(bundled_script(profile)), TABLE)]
    if profile != "net":
        stages.append(Anonymizer(load_script(bundled_script("routing"), parameters={"PROJECT": "C_INTAKE"})))
    return stages


@pytest.mark.requirement("M-21", "M-29", "E-40")
@pytest.mark.parametrize("explicit", [True, False], ids=["explicit", "implicit"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", ["stroke", "strict", "pet-suv"])
def test_no_canary_survives_a_profile(profile: str, kind: str, explicit: bool, tmp_path: Path) -> None:
    corpus = Corpus(explicit)
    source = tmp_path / "in"
    source.mkdir()
    name = corpus.canary("file name")
    (source / f"{name}.dcm").write_bytes(corpus.object(KINDS[kind]))
    report = apply_tree(_scripts(profile), source, tmp_path / "out", quarantine=tmp_path / "held")

    shipped = sorted((tmp_path / "out").rglob("*.dcm"))
    assert bool(shipped) == (kind in SHIPPED), report.as_dict()
    notes = sorted((tmp_path / "held").glob("*.json"))
    written = [*shipped, *notes, *(tmp_path / "out").glob(".*")]
    names = [path.name.encode() for path in (tmp_path / "out").rglob("*")]
    names += [path.name.encode() for path in (tmp_path / "held").iterdir()]
    seen = [path.read_bytes() for path in written if path.is_file()]
    survivors = found(
        [*seen, *names, json.dumps(report.as_dict()).encode()], [*corpus.planted, PATIENT, SALT]
    )
    assert Counter(corpus.planted.get(canary, "patient") for canary in survivors) == Counter()


@pytest.mark.requirement("M-59")
@pytest.mark.parametrize("explicit", [True, False], ids=["explicit", "implicit"])
def test_the_net_lets_no_canary_through_and_no_patient_without_prid(explicit: bool, tmp_path: Path) -> None:
    corpus = Corpus(explicit)
    source = tmp_path / "in.dcm"
    data = corpus.object(CT)
    source.write_bytes(data)
    engine = Anonymizer(load_script(bundled_script("net")))
    assert engine.run(source, tmp_path / "out.dcm").status == "QUARANTINE"
    assert not (tmp_path / "out.dcm").exists()

    own = {"(0008,0018) UI", "(0020,000D) UI", "(0020,000E) UI"}
    for canary in [canary for canary, where in corpus.planted.items() if where in own]:
        data = data.replace(canary.encode(), b"2.25.123456")
    source.write_bytes(data.replace(PATIENT.encode(), b"A1B2         "))
    assert engine.run(source, tmp_path / "out.dcm").status == "OK"
    survivors = found([(tmp_path / "out.dcm").read_bytes()], corpus.planted)
    assert [corpus.planted[canary] for canary in survivors] == []


@pytest.mark.requirement("M-21")
@pytest.mark.parametrize("broken", ["lookup", "truncated", "garbage"])
def test_what_the_program_says_holds_no_canary(broken: str, tmp_path: Path) -> None:
    corpus = Corpus()
    name = corpus.canary("file name")
    data = corpus.object(CT)
    source = tmp_path / f"{name}.dcm"
    source.write_bytes({"truncated": data[:-900], "garbage": b"CNRY00000QZ" * 99}.get(broken, data))
    table = tmp_path / "lookup.properties"
    table.write_text("prid/OTHER=0001\nshift/OTHER=1\nsalt/OTHER=5e\n")
    command = [
        sys.executable,
        "-c",
        "from lethe.cli import main; main()",
        "profile",
        "apply",
        "--script",
        "stroke",
    ]
    command += ["--lookup", str(table), "--report", str(tmp_path / "report.json")]
    result = subprocess.run(
        [*command, str(source), str(tmp_path / "out.dcm")], capture_output=True, check=False
    )
    assert result.returncode == 3
    assert not (tmp_path / "out.dcm").exists()
    said = [result.stdout, result.stderr, (tmp_path / "report.json").read_bytes()]
    assert found(said, [*corpus.planted, PATIENT]) == []


def test_the_corpus_would_show_a_leak(tmp_path: Path) -> None:
    corpus = Corpus()
    source = tmp_path / "in.dcm"
    source.write_bytes(corpus.object(CT))
    script = tmp_path / "leaky.script"
    script.write_text('<script><e en="T" t="00100010" n="PatientName">X</e></script>')
    outcome = Anonymizer(load_script(script)).run(source, tmp_path / "out.dcm")
    assert outcome.status == "OK"
    assert len(found([(tmp_path / "out.dcm").read_bytes()], corpus.planted)) > 4000
