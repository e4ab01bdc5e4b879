"""Remove the face from every image of a NIFTI resource."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
_SHARED = "shared"
_OURS = re.compile(r"image([-_]\d+)?\.nii\.gz")


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a scan and where its results go."""

    source: Path
    target: Path
    modality: Any
    pictures: Path

    @property
    def results(self) -> dict[str, Path]:
        """Where mask, pictures and report go, by the names of the engine."""
        return {
            "mask": self.pictures / "mask.nii.gz",
            "pictures": self.pictures,
            "report": self.pictures / "report.json",
        }


def work(job: Job) -> Done:
    """De-face the images in ``job.input`` into ``defaced`` and ``qc``, each by itself."""
    from lethe.image.deface import deface_file

    images = planned(job)
    reports = []
    for number, image in enumerate(images, 1):
        job.say(f"image {number} of {len(images)}: removing the face")
        report = deface_file(image.source, image.target, modality=image.modality, **image.results).as_dict()
        reports.append(_released(report))
        job.say(f"image {number} of {len(images)}: {report['verdict']}")
    return finished(job, images, reports)


def work_beside(job: Job, reference: Path) -> Done:
    """De-face the images in ``job.input`` with the help of another image of their frame of reference.

    Parameters
    ----------
    reference : Path
        An image whose own match with the average head is free of doubt.
    """
    from lethe.image.deface import SessionImage, deface_session

    images = planned(job)
    with tempfile.TemporaryDirectory(prefix="reference-") as folder:
        modality: Any = job.options["modality"]
        other = SessionImage(reference, Path(folder) / "image.nii.gz", _SHARED, modality)
        own = [
            SessionImage(image.source, image.target, _SHARED, modality, **image.results) for image in images
        ]
        job.say("removing the face with the pose of another scan of the session")
        _, *results = deface_session([other, *own])
    reports = []
    for result in results:
        if result.report is None:
            raise result.refusal or _unsafe([])
        reports.append(_released(result.report.as_dict()))
    return finished(job, images, reports)


def planned(job: Job) -> list[Image]:
    """Return the images of a NIFTI resource and where their results go."""
    sources = [path for path in resource_files(job.input) if path.name.endswith((".nii", ".nii.gz"))]
    if not sources:
        raise Refused(
            "no-image", "The input holds no NIfTI image.", remedy="Launch dicom-to-nifti on the scan first."
        )
    job.say(f"input: {counted(sources, 'image')}, {megabytes(sources)}")
    modality: Any = job.options["modality"]
    images = []
    for source, name in zip(sources, neutral_names(sources), strict=True):
        pictures = job.folder("qc")
        if len(sources) > 1:
            pictures = pictures / name.removesuffix(".nii.gz")
            pictures.mkdir(exist_ok=True)
        images.append(Image(source, job.folder("defaced") / name, modality, pictures))
    return images


def finished(job: Job, images: Sequence[Image], reports: Sequence[dict[str, Any]]) -> Done:
    """Add what belongs to the images of a scan, and say what its de-facing came to."""
    for image in images:
        _copy_companions(image.source, image.target)
    verdict = worst([report["verdict"] for report in reports])
    if len(images) > 1:
        named = {image.target.name: report for image, report in zip(images, reports, strict=True)}
        write_json(job.folder("qc") / "report.json", _summary(verdict, named))
    method = {key: value for key, value in reports[0].items() if key in METHOD}
    return Done(verdict, numbered_inputs([image.source for image in images], "image"), method)


def _released(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report unless its verdict is that nothing was written."""
    if report["verdict"] == "fail":
        raise _unsafe(report["reasons"])
    return report


def _unsafe(reasons: Sequence[dict[str, Any]]) -> Refused:
    return Refused(
        "deface-failed",
        f"The face could not be removed safely. {' '.join(why['sentence'] for why in reasons)}",
        remedy="Let a curator look at the scan; nothing of it was written.",
    )


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
