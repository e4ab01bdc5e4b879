"""Put de-faced images back into DICOM objects of the kind they came from."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lethe.command.inputs import counted, dicom_files, megabytes
from lethe.command.model import Command, Done, Job, Mount, Output
from lethe.command.net import HEADER_ROOMS, SCRIPT, load_net, pass_net
from lethe.command.provenance import numbered_inputs


def work(job: Job) -> Done:
    """Rebuild the objects of ``job.input`` with the images of ``job.mounts["nifti"]`` into ``dicom``."""
    from lethe.image.rebuild import cleared, nifti_files, rebuild_series

    files = dicom_files(job.input)
    images = nifti_files(job.mounts["nifti"])
    job.say(f"input: {counted(files, 'object')}, {counted(images, 'image')}, {megabytes(files + images)}")
    clearance = cleared(images, job.mounts["qc"])
    job.say(f"verdict of de-facing: {clearance.verdict}")
    inputs = [*numbered_inputs(files, "object"), *numbered_inputs(images, "image")]
    clean = Path(tempfile.mkdtemp(prefix="clean-"))
    digest = pass_net(job, clean)
    job.say("rebuilding")
    rebuilt = rebuild_series(
        clean, images, job.folder("dicom"), method=clearance.method, masks=clearance.masks
    )
    shutil.rmtree(clean)
    facts = rebuilt.as_dict()
    job.say(
        f"rebuilt: {counted(rebuilt.files, 'object')}, {rebuilt.voxels_changed} of {rebuilt.voxels} voxels"
    )
    parameters = {"script": SCRIPT, "script_sha256": digest, "method": clearance.method, **facts}
    return Done(clearance.verdict, inputs, parameters)


def self_test() -> None:
    """Load the script of the net and import all that rebuilds."""
    import lethe.image.rebuild  # noqa: F401

    load_net()


COMMAND = Command(
    name="nifti-to-dicom",
    summary="Put the de-faced images of a scan back into DICOM objects of the kind they came from.",
    needs="the DICOM resource of one scan",
    mounts=(
        Mount("nifti", "its NIFTI_DEFACED resource"),
        Mount("qc", "its DEFACE_QC resource, whose verdict decides"),
    ),
    outputs=(Output("dicom", "the de-faced objects, provenance"),),
    provenance_in="dicom",
    work=work,
    self_test=self_test,
    rooms=(
        "lethe.image.rebuild",
        *HEADER_ROOMS,
        "lethe.image.frames",
        "lethe.image.pixels",
        "lethe.image.series",
        "lethe.image.numbering",
        "lethe.image.spacing",
        "lethe.image.stack",
    ),
)
