"""Remove the face from every image of a NIFTI resource."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lethe.command.inputs import counted, megabytes, resource_files
from lethe.command.model import Command, Done, Job, Option, Output
from lethe.command.provenance import numbered_inputs
from lethe.errors import Refused
from lethe.files import write_json

SEVERITY = ("no-face", "pass", "review", "fail")
"""Verdicts from the best to the worst; the worst of the images is that of the scan."""
COMPANIONS = (".json", ".bval", ".bvec")
"""Files beside an image that dicom-to-nifti wrote and that go on with it."""
METHOD = ("method", "method_version")
"""What of a report goes into provenance: a data governance board approves a range of versions."""
_OURS = re.compile(r"image([-_]\d+)?\.nii\.gz")


def work(job: Job) -> Done:
    """De-face the images in ``job.input`` into ``defaced`` and ``qc``."""
    images = [path for path in resource_files(job.input) if path.name.endswith((".nii", ".nii.gz"))]
    if not images:
        raise Refused(
            "no-image", "The input holds no NIfTI image.", remedy="Launch dicom-to-nifti on the scan first."
        )
    job.say(f"input: {counted(images, 'image')}, {megabytes(images)}")
    names = neutral_names(images)
    reports: dict[str, Any] = {}
    for number, (source, name) in enumerate(zip(images, names, strict=True), 1):
        job.say(f"image {number} of {len(images)}: removing the face")
        reports[name] = _deface(job, source, name, alone=len(images) == 1)
        job.say(f"image {number} of {len(images)}: {reports[name]['verdict']}")
    verdict = worst([entry["verdict"] for entry in reports.values()])
    if len(images) > 1:
        write_json(job.folder("qc") / "report.json", _summary(verdict, reports))
    method = {key: value for key, value in reports[names[0]].items() if key in METHOD}
    return Done(verdict, numbered_inputs(images, "image"), method)


def _deface(job: Job, source: Path, name: str, *, alone: bool) -> dict[str, Any]:
    from lethe.image.deface import deface_file

    pictures = job.folder("qc") if alone else job.folder("qc") / name.removesuffix(".nii.gz")
    pictures.mkdir(exist_ok=True)
    modality: Any = job.options["modality"]
    report = deface_file(
        source,
        job.folder("defaced") / name,
        modality=modality,
        mask=pictures / "mask.nii.gz",
        pictures=pictures,
        report=pictures / "report.json",
    ).as_dict()
    if report["verdict"] == "fail":
        raise Refused(
            "deface-failed",
            f"The face could not be removed safely. {' '.join(why['sentence'] for why in report['reasons'])}",
            remedy="Let a curator look at the scan; nothing of it was written.",
        )
    _copy_companions(source, job.folder("defaced") / name)
    return dict(report)


def _copy_companions(source: Path, target: Path) -> None:
    if not _OURS.fullmatch(source.name):
        return
    for suffix in COMPANIONS:
        companion = source.with_name(source.name.removesuffix(".nii.gz") + suffix)
        if companion.is_file():
            shutil.copyfile(companion, target.with_name(companion.name))


def neutral_names(images: list[Path]) -> list[str]:
    """Return output names: those of dicom-to-nifti are kept, all others could name a patient."""
    names = [path.name for path in images]
    if len(set(names)) == len(names) and all(_OURS.fullmatch(name) for name in names):
        return names
    return ["image.nii.gz", *(f"image_{number}.nii.gz" for number in range(2, len(names) + 1))]


def worst(verdicts: list[str]) -> str:
    """Return the verdict of a scan from those of its images."""
    return max(verdicts, key=SEVERITY.index)


def _summary(verdict: str, reports: dict[str, Any]) -> dict[str, Any]:
    reasons = [{"image": name, **why} for name, entry in reports.items() for why in entry["reasons"]]
    return {"verdict": verdict, "reasons": reasons, "images": reports}


def _reasons() -> Mapping[str, str]:
    from lethe.image.deface import REASONS

    return REASONS


def self_test() -> None:
    """Import the de-facing engine with all it needs."""
    import lethe.image.deface  # noqa: F401


COMMAND = Command(
    name="deface",
    summary="Remove the face from CT and MR images of the head and measure that it is gone.",
    needs="the NIFTI resource of one scan",
    outputs=(
        Output("defaced", "the de-faced images with their sidecars"),
        Output("qc", "verdict and measures, pictures before and after, mask, provenance"),
    ),
    provenance_in="qc",
    work=work,
    self_test=self_test,
    rooms=("lethe.image.deface",),
    reasons=_reasons,
    options=(
        Option(
            "modality",
            "Kind of image; 'auto' tells CT from MR by its grey values",
            ("auto", "ct", "mr"),
            "auto",
        ),
    ),
)
