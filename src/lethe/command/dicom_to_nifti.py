"""Convert one DICOM series to NIfTI, if its lane allows, and prove that nothing was lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lethe.command.inputs import dicom_files, megabytes
from lethe.command.model import Command, Done, Job, Output
from lethe.command.provenance import numbered_inputs
from lethe.errors import Refused
from lethe.files import write_json

if TYPE_CHECKING:
    from lethe.image.convert import Conversion


def work(job: Job) -> Done:
    """Convert the series in ``job.input`` into ``nifti`` and ``conversion``."""
    from lethe.image.convert import convert_series

    files = dicom_files(job.input)
    job.say(f"input: {len(files)} files, {megabytes(files)}")
    inputs = numbered_inputs(files, "object")
    job.say("deciding the lane, converting")
    converted = convert_series(job.input, job.folder("nifti"))
    _record(converted, job.folder("conversion"))
    lane = converted.lane
    job.say(f"lane {lane.lane}: {lane.reason}")
    job.say(f"{len(converted.images)} images" if converted.images else "stays DICOM: not converted")
    return Done(str(lane.lane), inputs, {"lane_rule": lane.rule})


def _record(converted: Conversion, folder: Path) -> None:
    lane = converted.lane
    write_json(folder / "lane.json", {"lane": str(lane.lane), "rule": lane.rule, "reason": lane.reason})
    if converted.conservation is not None:
        write_json(folder / "conservation.json", converted.conservation.as_dict())


def self_test() -> None:
    """Import the converter and ask the dcm2niix program for its version."""
    import lethe.image.convert  # noqa: F401

    program = shutil.which("dcm2niix")
    if program is None:
        raise Refused("no-dcm2niix", "The program dcm2niix is not installed.", remedy="Build the image anew.")
    subprocess.run([program, "--version"], check=False, capture_output=True, timeout=60)


COMMAND = Command(
    name="dicom-to-nifti",
    summary="Convert a DICOM series to NIfTI and check that no slice, time point or grey value was lost.",
    needs="the DICOM resource of one scan",
    outputs=(
        Output("nifti", "images and sidecars; absent if the lane forbids conversion", required=False),
        Output("conversion", "lane, conservation check, provenance"),
    ),
    provenance_in="conversion",
    work=work,
    self_test=self_test,
    rooms=("lethe.image.convert", "lethe.image.conserve", "lethe.image.series", "lethe.image.lane"),
)
