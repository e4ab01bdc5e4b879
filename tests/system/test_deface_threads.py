"""One core or two, one thread of the numerical libraries or four: the same files, byte for byte."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import pytest

from kit import phantom

pytestmark = pytest.mark.system
RUN = (
    "import os, sys; cores = int(sys.argv.pop(1)); "
    "os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores]); "
    "from lethe.cli import main; sys.exit(main())"
)


def files_of(source: Path, folder: Path, *, cores: int, threads: int) -> dict[str, str]:
    """De-face with so many cores and threads; return the check sum of every file that was made."""
    folder.mkdir()
    outputs: dict[str, Path] = {
        "--mask-out": folder / "mask.nii.gz",
        "--pictures": folder / "pictures",
        "--report": folder / "report.json",
    }
    words = [
        sys.executable,
        "-c",
        RUN,
        str(cores),
        "image",
        "deface",
        str(source),
        str(folder / "out.nii.gz"),
    ]
    for name, path in outputs.items():
        words += [name, str(path)]
    extra = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    subprocess.run(words, env={**os.environ, **extra}, check=True, capture_output=True)
    made = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in made}


@pytest.mark.parametrize("kind", ["ct", "mr"])
def test_the_same_bytes_on_one_core_and_on_two_and_whatever_the_threads(
    kind: phantom.Modality, tmp_path: Path
) -> None:
    volume = phantom.head(kind, spacing=(2.0, 2.0, 2.5))
    source = tmp_path / "head.nii.gz"
    image = nib.Nifti1Image(volume.data, volume.affine)  # type: ignore[no-untyped-call]
    nib.save(image, source)
    one = files_of(source, tmp_path / "one", cores=1, threads=1)
    assert len(one) == 6
    assert files_of(source, tmp_path / "two", cores=2, threads=4) == one
