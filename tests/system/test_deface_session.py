"""Images of one session help one another; a session's images that do not belong together do not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from kit import phantom
from lethe.cli import app
from lethe.image.deface import SessionImage, SessionResult, Verdict, deface_session

pytestmark = pytest.mark.system
FRAME = "1.2.3.4"


def save(path: Path, volume: phantom.Volume, affine: np.ndarray | None = None) -> Path:
    place = volume.affine if affine is None else affine
    image = nib.Nifti1Image(volume.data, place)
    image.header.set_sform(place, 1)
    image.header.set_qform(place, 1)
    nib.save(image, path)
    return path


@dataclass(frozen=True)
class Session:
    """Four images of one head, de-faced together."""

    folder: Path
    results: Sequence[SessionResult]

    def __getitem__(self, name: str) -> SessionResult:
        return next(result for result in self.results if result.image.source.name.startswith(name))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("session")
    fine = phantom.head("mr", spacing=(2.0, 2.0, 2.0))
    slab = phantom.head("mr", spacing=(2.0, 2.0, 4.0), z_range=(-56.0, -32.0), seed=3)
    moved = slab.affine.copy()
    moved[:3, 3] += (2.0, -3.0, 2.0)
    elsewhere = slab.affine.copy()
    elsewhere[:3, 3] += (0.0, 0.0, 60.0)
    paths = {
        "fine": save(folder / "fine.nii.gz", fine),
        "slab": save(folder / "slab.nii.gz", slab),
        "moved": save(folder / "moved.nii.gz", slab, moved),
        "wrong": save(folder / "wrong.nii.gz", slab, elsewhere),
        "other": save(folder / "other.nii.gz", slab),
    }
    out = folder / "out"
    out.mkdir()
    images = [
        SessionImage(path, out / path.name, frame="" if name == "other" else FRAME)
        for name, path in paths.items()
    ]
    return Session(folder, deface_session(images))


@pytest.mark.requirement("M-24", "M-25")
@pytest.mark.parametrize("name", ["slab", "moved"])
def test_a_thin_slab_takes_the_pose_of_a_fuller_series(name: str, session: Session) -> None:
    result = session[name]
    assert result.report is not None, result.refusal
    assert result.report.verdict is Verdict.PASS, result.report
    assert result.report.measures["shared_nmi"] > 1.05
    labels, canvas, _ = phantom.draw(spacing=(2.0, 2.0, 4.0), z_range=(-56.0, -32.0), seed=3)
    before, after = (np.asarray(nib.load(p).dataobj) for p in (result.image.source, result.image.target))
    brain = np.isin(labels, (phantom.Tissue.GREY, phantom.Tissue.WHITE))
    assert np.array_equal(before[brain], after[brain])
    front = (labels == phantom.Tissue.SKIN) & (canvas.y > 72) & (np.abs(canvas.x) < 25)
    assert front.any()
    assert (before[front] != after[front]).mean() > 0.95


@pytest.mark.requirement("M-24", "L-13")
@pytest.mark.parametrize("name", ["wrong", "other"])
def test_a_slab_that_lies_elsewhere_or_has_no_common_frame_stands_alone(name: str, session: Session) -> None:
    result = session[name]
    assert result.report is None
    assert result.refusal is not None
    assert result.refusal.code == "small-volume"
    assert not result.image.target.exists()


def test_the_reference_keeps_its_own_pose(session: Session) -> None:
    report = session["fine"].report
    assert report is not None
    assert report.verdict is Verdict.PASS
    assert report.measures["shared_nmi"] is None


@pytest.mark.requirement("M-26")
def test_a_folder_is_a_session_on_the_command_line(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("fine", "slab"):
        (folder / f"{name}.nii.gz").write_bytes((session.folder / f"{name}.nii.gz").read_bytes())
    out, reports = tmp_path / "out", tmp_path / "reports"
    command = ["image", "deface", str(folder), str(out), "--same-frame", "--output", "json"]
    done = CliRunner().invoke(app, [*command, "--report", str(reports)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["fine.nii.gz", "slab.nii.gz"]
    assert json.loads((reports / "slab.json").read_text())["measures"]["shared_nmi"] > 1.05
    assert set(json.loads(done.stdout)) == {"fine.nii.gz", "slab.nii.gz"}
