"""Convert one DICOM series to NIfTI, if its lane allows, and prove that nothing was lost."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lethe.command.inputs import counted, dicom_files, megabytes
from lethe.command.model import LANE_RULES, Command, Done, Job, Output
from lethe.command.provenance import numbered_inputs
from lethe.errors import Unavailable
from lethe.files import write_json

if TYPE_CHECKING:
    from lethe.image.convert import Conversion


def work(job: Job) -> Done:
    """Convert the series in ``job.input`` into ``nifti`` and ``conversion``."""
    from lethe.image.convert import convert_series
    from lethe.image.converter import version
    from lethe.image.lane import rules_of

    rules = rules_of(job.environment.get(LANE_RULES, ""))
    files = dicom_files(job.input)
    job.say(f"input: {counted(files, 'file')}, {megabytes(files)}")
    inputs = numbered_inputs(files, "object")
    job.say("deciding the lane, converting")
    converted = convert_series(job.input, job.folder("nifti"), rules=rules)
    _record(converted, job.folder("conversion"))
    lane = converted.lane
    job.say(f"lane {lane.lane}: {lane.reason}")
    job.say(f"converted: {counted(converted.images, 'image')}" if converted.images else "not converted")
    return Done(str(lane.lane), inputs, {"lane_rule": lane.rule, "converter": f"dcm2niix {version()}"})


def _record(converted: Conversion, folder: Path) -> None:
    write_json(folder / "lane.json", converted.lane.as_dict())
    if converted.conservation is not None:
        write_json(folder / "conservation.json", converted.conservation.as_dict())


def self_test() -> None:
    """Import the converter and start the dcm2niix program."""
    import dcm2niix

    import lethe.image.convert  # noqa: F401

    try:
        subprocess.run([dcm2niix.bin, "--version"], check=False, capture_output=True, timeout=60)
    except OSError as error:
        raise Unavailable(
            "converter-missing", "dcm2niix does not start here.", remedy="Install lethe[image]."
        ) from error


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
    rooms=(
        "lethe.image.convert",
        "lethe.image.converter",
        "lethe.image.conserve",
        "lethe.image.frames",
        "lethe.image.lane",
        "lethe.image.layout",
        "lethe.image.mosaic",
        "lethe.image.pixels",
        "lethe.image.series",
        "lethe.image.numbering",
        "lethe.image.spacing",
        "lethe.image.stack",
    ),
)
