"""Pass a series that stays DICOM through the server-side net once more."""

from __future__ import annotations

from pathlib import Path

from lethe.command.inputs import counted, dicom_files, megabytes
from lethe.command.model import LANE_RULES, Command, Done, Job, Output
from lethe.command.net import HEADER_ROOMS, SCRIPT, load_net, pass_net
from lethe.command.provenance import numbered_inputs
from lethe.errors import Refused

FORBIDDEN_LANES = {
    "deface": "It shows a head, so only its de-faced NIfTI may leave.",
    "quarantine": "Its kind is not known to be safe.",
}


def work(job: Job) -> Done:
    """Clean the objects of ``job.input`` into ``clean``."""
    files = dicom_files(job.input)
    job.say(f"input: {counted(files, 'object')}, {megabytes(files)}")
    lane = _lane(files, job.environment.get(LANE_RULES, ""))
    script_digest = pass_net(job, job.folder("clean"))
    return Done(
        "clean",
        numbered_inputs(files, "object"),
        {"lane": lane, "script": SCRIPT, "script_sha256": script_digest},
    )


def _lane(files: list[Path], rules: str) -> str:
    from lethe.image.lane import decide, rules_of
    from lethe.image.series import read_evidence

    decision = decide(read_evidence(files), rules_of(rules))
    lane = str(decision.lane)
    if lane in FORBIDDEN_LANES:
        raise Refused(
            "lane-forbids",
            f"This series must not leave as DICOM. {FORBIDDEN_LANES[lane]}",
            remedy="Launch dicom-to-nifti and deface, or let a curator decide.",
        )
    return lane


COMMAND = Command(
    name="clean-header",
    summary="Clean the header of a series that stays DICOM a second time, with the stricter script 'net'.",
    needs="the DICOM resource of one scan",
    outputs=(Output("clean", "the cleaned objects, provenance"),),
    provenance_in="clean",
    work=work,
    self_test=load_net,
    rooms=(
        *HEADER_ROOMS,
        "lethe.image.frames",
        "lethe.image.lane",
        "lethe.image.series",
    ),
)
