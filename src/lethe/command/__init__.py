"""What runs inside a container: read the input mount, do one thing, write the output mount."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lethe.command.cli import run


def main(argv: Sequence[str] | None = None) -> None:
    """Run ``lethe-command`` and leave with its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Examples
    --------
    ``lethe-command deface --input /input --output /output``
    """
    sys.exit(run(sys.argv[1:] if argv is None else argv))
