"""Pass a series that stays DICOM through the server-side net once more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lethe.command.inputs import counted, dicom_files, megabytes
from lethe.command.model import Command, Done, Job, Output
from lethe.command.provenance import numbered_inputs
from lethe.errors import Quarantined, Refused
from lethe.files import sha256_of

SCRIPT = "net"
FORBIDDEN_LANES = {
    "deface": "It shows a head, so only its de-faced NIfTI may leave.",
    "quarantine": "Its kind is not known to be safe.",
}


def work(job: Job) -> Done:
    """Clean the objects of ``job.input`` into ``clean``."""
    from lethe.header import Anonymizer, apply_tree, bundled_script, load_script

    files = dicom_files(job.input)
    job.say(f"input: {counted(files, 'object')}, {megabytes(files)}")
    lane = _lane(files)
    script = bundled_script(SCRIPT)
    clean = job.folder("clean")
    outcome = apply_tree(
        [Anonymizer(load_script(script))],
        job.input,
        clean,
        progress=lambda done, total: job.say.count(done, total, "objects cleaned"),
    )
    _refuse_incomplete(Counter(code for _, code, _ in outcome.quarantined))
    for note in clean.glob(".*"):  # for resuming, which a container never does
        note.unlink()
    return Done(
        "clean",
        numbered_inputs(files, "object"),
        {"lane": lane, "script": SCRIPT, "script_sha256": sha256_of(script)},
    )


def _lane(files: list[Path]) -> str:
    from lethe.image.lane import decide
    from lethe.image.series import read_evidence

    decision = decide(read_evidence(files))
    lane = str(decision.lane)
    if lane in FORBIDDEN_LANES:
        raise Refused(
            "lane-forbids",
            f"This series must not leave as DICOM. {FORBIDDEN_LANES[lane]}",
            remedy="Launch dicom-to-nifti and deface, or let a curator decide.",
        )
    return lane


def _refuse_incomplete(codes: Counter[str]) -> None:
    if codes:
        counted = ", ".join(f"{code} ({count})" for code, count in sorted(codes.items()))
        raise Quarantined(
            "objects-quarantined",
            f"Objects that cannot be cleaned: {counted}. A series with gaps is not released.",
            remedy="Let a curator look at these objects in the intake project.",
        )


def self_test() -> None:
    """Load the script of the net."""
    from lethe.header import Anonymizer, bundled_script, load_script

    Anonymizer(load_script(bundled_script(SCRIPT)))


COMMAND = Command(
    name="clean-header",
    summary="Clean the header of a series that stays DICOM a second time, with the stricter script 'net'.",
    needs="the DICOM resource of one scan",
    outputs=(Output("clean", "the cleaned objects, provenance"),),
    provenance_in="clean",
    work=work,
    self_test=self_test,
    rooms=(
        "lethe.header.anonymizer",
        "lethe.header.engine",
        "lethe.header.objectfile",
        "lethe.header.tree",
        "lethe.header.view",
        "lethe.image.frames",
        "lethe.image.series",
    ),
)
