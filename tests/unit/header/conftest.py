"""The command line, called the way the installed script calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from lethe.cli import main


class Result(NamedTuple):
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def lethe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function that runs ``lethe profile ...`` in this process."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr("sys.argv", ["lethe", "profile", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run
