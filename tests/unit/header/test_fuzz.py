"""Damaged headers and scripts: a named outcome, never another exception, never a leaking object."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from lethe.errors import Outcome
from lethe.header import bundled_script, load_script
from lethe.header.lint import fatal
from lethe.header.script import read_script
from unit.header.objects import clean, ct, to_bytes

STROKE = load_script(bundled_script("stroke"))
VECTORS = Path(__file__).parents[2] / "data" / "ctp-vectors"


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


@pytest.mark.requirement("M-21")
def test_a_damaged_object_is_cleaned_or_quarantined_and_never_crashes() -> None:
    rng = random.Random(20211)
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    samples = [to_bytes(ct(ReferencedImageSequence=[item], PatientComments="SECRETNAME"))]
    samples += [
        (VECTORS / n / "input.dcm").read_bytes() for n in ("profile-siemens", "enc-rle", "enc-undefined-sq")
    ]
    cleaned = 0
    for number in range(2500):
        data = _mutate(samples[number % len(samples)], rng)
        outcome = clean(STROKE, data)
        if isinstance(outcome, bytes):
            # what came out can be read again, and the name is not in its header
            assert b"SECRETNAME" not in outcome
            cleaned += 1
        else:
            assert outcome.status == "QUARANTINE"
            assert outcome.code
    assert cleaned > 100


def test_a_damaged_script_is_refused_by_name_or_runs() -> None:
    rng = random.Random(7)
    texts = [path.read_text("utf-8") for path in sorted(VECTORS.glob("*/script.*"))]
    data = to_bytes(ct())
    for number in range(600):
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
