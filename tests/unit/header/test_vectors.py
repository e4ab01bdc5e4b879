"""The engine gives what the real CTP gave, case by case."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lethe.header import Anonymizer, UnloadableScript, load_lookup, load_script
from unit.header.exact import file_json

VECTORS = Path(__file__).parents[2] / "data" / "ctp-vectors"
NOW = datetime(2021, 5, 6, 7, 8, 9)
CASES = sorted(folder.name for folder in VECTORS.iterdir() if folder.is_dir())


def _expected(folder: Path) -> Any:
    text = (folder / "expected.json").read_text(encoding="utf-8")
    for word, parts in (("DATE", ("%Y", "%m", "%d")), ("TIME", ("%H", "%M", "%S"))):
        text = re.sub(rf"<{word}:([^>]*)>", lambda m, parts=parts: NOW.strftime(m[1].join(parts)), text)
    return json.loads(text)


def _run(folder: Path, target: Path) -> str:
    script = next(folder.glob("script.*"))
    table = next(folder.glob("lookup.*"), None)
    lookup = None if table is None else load_lookup(table, as_ctp=True)
    try:
        compiled = load_script(script, as_ctp=True)
    except UnloadableScript:
        return "ABORT"
    return (
        Anonymizer(compiled, lookup, as_ctp=True, clock=lambda: NOW).run(folder / "input.dcm", target).status
    )


def test_every_recorded_case_is_there() -> None:
    assert len(CASES) == 154


@pytest.mark.requirement("E-54")
@pytest.mark.parametrize("case", CASES)
def test_an_object_comes_out_as_ctp_writes_it(case: str, tmp_path: Path) -> None:
    folder = VECTORS / case
    target = tmp_path / "out.dcm"
    status = _run(folder, target)
    assert status == (folder / "status.txt").read_text().strip()
    assert target.exists() == (status == "OK")
    if status == "OK":
        assert json.loads(json.dumps(file_json(target))) == _expected(folder)
