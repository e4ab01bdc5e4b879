"""Check header, geometry and grey values of one series, and draw a sheet of thumbnails."""

from __future__ import annotations

from lethe.command.inputs import counted, dicom_files, megabytes
from lethe.command.model import Command, Done, Job, Output
from lethe.command.provenance import numbered_inputs
from lethe.files import write_bytes, write_json


def work(job: Job) -> Done:
    """Check the series in ``job.input`` into ``qc``."""
    from lethe.quality.series import check_series

    files = dicom_files(job.input)
    job.say(f"input: {counted(files, 'file')}, {megabytes(files)}")
    inputs = numbered_inputs(files, "object")
    report = check_series(job.input)
    folder = job.folder("qc")
    write_json(folder / "quality.json", report.as_dict())
    if report.sheet is not None:
        write_bytes(folder / "sheet.png", report.sheet)
    for note in report.notes:
        job.say(f"{note.grade}: {note.sentence}")
    return Done(str(report.grade), inputs)


def self_test() -> None:
    """Import all that checks and draws."""
    import lethe.quality.series  # noqa: F401


COMMAND = Command(
    name="check-quality",
    summary="Check header, slices, noise, sharpness and motion of a series, and draw thumbnails.",
    needs="the DICOM resource of one scan",
    outputs=(Output("qc", "grade, figures and notes, sheet of thumbnails, provenance"),),
    provenance_in="qc",
    work=work,
    self_test=self_test,
    rooms=(
        "lethe.quality.series",
        "lethe.image.frames",
        "lethe.image.pixels",
        "lethe.image.series",
    ),
)
