"""Images for the de-facing tests: the phantom, de-faced once per run, and the real heads where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from kit import phantom
from lethe.image.deface import DefaceReport, deface_file

SPACING = (2.0, 2.0, 3.0)


def write(path: Path, data: NDArray[np.generic], affine: NDArray[np.float64]) -> Path:
    """Write a NIfTI file with both coordinate systems named."""
    image = nib.Nifti1Image(data, affine)
    image.header.set_sform(affine, 1)
    image.header.set_qform(affine, 1)
    nib.save(image, path)
    return path


@dataclass(frozen=True)
class Case:
    """A de-faced phantom and what is known of it."""

    source: Path
    target: Path
    mask: Path
    pictures: Path
    report: DefaceReport
    brain: NDArray[np.bool_]
    face: NDArray[np.bool_]


@pytest.fixture(scope="session")
def phantom_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[phantom.Modality], Path]:
    """Return a function that gives the file of a phantom; each is drawn once."""
    folder = tmp_path_factory.mktemp("phantoms")

    def make(modality: phantom.Modality) -> Path:
        path = folder / f"{modality}.nii.gz"
        if not path.exists():
            volume = phantom.head(modality, spacing=SPACING)
            write(path, volume.data, volume.affine)
        return path

    return make


@pytest.fixture(scope="session", params=["ct", "mr"])
def case(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    phantom_file: Callable[[str], Path],
) -> Case:
    """Return a phantom of each modality, de-faced with every output asked for."""
    folder = tmp_path_factory.mktemp("case")
    source = phantom_file(request.param)
    report = deface_file(
        source,
        folder / "out.nii.gz",
        mask=folder / "mask.nii.gz",
        pictures=folder / "pictures",
        report=folder / "report.json",
    )
    labels, canvas, _ = phantom.draw(spacing=SPACING)

    brain = np.isin(labels, (phantom.Tissue.GREY, phantom.Tissue.WHITE))
    # nose, eyes and lips: in front of the face's flat part
    face = (
        (labels == phantom.Tissue.SKIN)
        & (canvas.y > 68)
        & (canvas.z < -24)
        & (canvas.z > -110)
        & (np.abs(canvas.x) < 30)
    )
    return Case(
        source, folder / "out.nii.gz", folder / "mask.nii.gz", folder / "pictures", report, brain, face
    )
