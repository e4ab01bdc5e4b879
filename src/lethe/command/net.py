"""The stricter script that the server runs over cleaned objects once more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lethe.command.model import Job
from lethe.errors import Quarantined
from lethe.files import sha256_of

SCRIPT = "net"
HEADER_ROOMS = (
    "lethe.command.net",
    "lethe.header.anonymizer",
    "lethe.header.engine",
    "lethe.header.objectfile",
    "lethe.header.tree",
    "lethe.header.view",
)
"""Modules whose outcomes can end a command that passes the net."""


def pass_net(job: Job, target: Path) -> str:
    """Clean every object of ``job.input`` into `target`; return the checksum of the script.

    Raises
    ------
    Quarantined
        An object cannot be cleaned; a series with gaps goes nowhere.
    """
    from lethe.header import Anonymizer, apply_tree, bundled_script, load_script

    script = bundled_script(SCRIPT)
    outcome = apply_tree(
        [Anonymizer(load_script(script))],
        job.input,
        target,
        progress=lambda done, total: job.say.count(done, total, "objects cleaned"),
    )
    _refuse_incomplete(Counter(code for _, code, _ in outcome.quarantined))
    for note in target.glob(".*"):  # for resuming, which a container never does
        note.unlink()
    return sha256_of(script)


def _refuse_incomplete(codes: Counter[str]) -> None:
    if codes:
        counted = ", ".join(f"{code} ({count})" for code, count in sorted(codes.items()))
        raise Quarantined(
            "objects-quarantined",
            f"Objects that cannot be cleaned: {counted}. A series with gaps is not released.",
            remedy="Let a curator look at these objects in the intake project.",
        )


def load_net() -> None:
    """Load the script of the net."""
    from lethe.header import Anonymizer, bundled_script, load_script

    Anonymizer(load_script(bundled_script(SCRIPT)))
