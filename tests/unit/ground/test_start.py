"""The command line starts without what only its work needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"numpy", "pandas", "pydicom", "xnat", "scipy", "nibabel", "starlette", "jsonpath", "docker"}


@pytest.mark.parametrize("words", [["--help"], ["command", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys; sys.argv = ['lethe', *sys.argv[1:]]\n"
        "from lethe.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert HEAVY & set(done.stderr.split()) == set()
