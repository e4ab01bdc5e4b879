"""Damaged headers and scripts: a named outcome, never another exception, never a leaking object."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from lethe.errors import Outcome
from lethe.header import Anonymizer, bundled_script, load_script
from lethe.header.lint import fatal
from lethe.header.script import read_script
from unit.header.objects import SALT, TABLE, clean, ct, to_bytes

STROKE, NET = (load_script(bundled_script(name)) for name in ("stroke", "net"))
PEOPLE = (b"SECRETNAME", b"PAT001", SALT.encode())
VECTORS = Path(__file__).parents[1] / "data" / "ctp-vectors"


def _mutate(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out))
        kind = rng.randrange(5)
        if kind == 0:
            out[at] = rng.randrange(256)
        elif kind == 1:
            del out[at : at + rng.randint(1, 40)]
        elif kind == 2:
            out[at:at] = rng.randbytes(rng.randint(1, 12))
        elif kind == 3:
            out[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0"])
        else:
            out[at:at] = out[rng.randrange(len(out)) :][: rng.randint(1, 60)]
        if not out:
            return b""
    return bytes(out)


def _samples() -> list[bytes]:
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    attributes = {"ReferencedImageSequence": [item], "PatientComments": "SECRETNAME", "PatientAge": "071Y"}
    samples = [to_bytes(ct(**attributes)), to_bytes(ct(**attributes), ImplicitVRLittleEndian)]
    names = ("profile-siemens", "enc-rle", "enc-undefined-sq", "profile-ge", "enc-implicit-le", "sq-actions")
    return samples + [path.read_bytes() for name in names if (path := VECTORS / name / "input.dcm").is_file()]


@pytest.mark.requirement("M-21")
def test_ten_thousand_damaged_objects_are_cleaned_or_quarantined_and_none_crashes(tmp_path: Path) -> None:
    rng = random.Random(20211)
    samples = _samples()
    assert len(samples) >= 5
    outcomes: Counter[str] = Counter()
    for number in range(10_000):
        data = _mutate(samples[number % len(samples)], rng)
        outcome = clean(STROKE, data)
        if isinstance(outcome, bytes):
            outcomes["OK"] += 1
            assert not any(name in outcome for name in PEOPLE if name in samples[number % len(samples)])
            assert isinstance(clean(NET, outcome, None), bytes), "the net holds what the profile let pass"
        else:
            assert outcome.status == "QUARANTINE"
            outcomes[outcome.code] += 1
        if number % 20 == 0:  # the way over files: no output for an object that failed
            (tmp_path / "in.dcm").write_bytes(data)
            engine = Anonymizer(STROKE, TABLE)
            status = engine.run(tmp_path / "in.dcm", tmp_path / f"{number}.dcm").status
            assert (tmp_path / f"{number}.dcm").exists() == (status == "OK") == isinstance(outcome, bytes)
            assert (tmp_path / "in.dcm").read_bytes() == data
    assert "" not in outcomes
    assert outcomes["OK"] > 500
    assert len(outcomes) > 4


def test_two_thousand_damaged_scripts_are_refused_by_name_or_run() -> None:
    rng = random.Random(7)
    texts = [path.read_text("utf-8") for path in sorted(VECTORS.glob("*/script.*"))]
    data = to_bytes(ct())
    for number in range(2_000):
        text = texts[number % len(texts)]
        letters = list(text)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(letters))
            letters[at : at + rng.randint(0, 3)] = rng.choice(
                ["", "(", ")", "{", "}", "@", "\\", '"', ",", "<", "é"]
            )
        try:
            script = read_script("".join(letters))
            if not fatal(script):
                clean(script, data)
            clean(script, data, as_ctp=True)
        except Outcome:
            continue  # refused by name
