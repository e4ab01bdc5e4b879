"""Cleaned series of several kinds, converted, and de-faced by a stand-in that knows what it removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from kit import kinds, phantom
from kit.enhanced import write_enhanced
from kit.people import Person, people
from kit.series import tilted, write_series
from lethe.image.convert import convert_series
from lethe.image.rebuild import Rebuilt, rebuild_series

COARSE = (10.0, 10.0, 24.0)
AIR = -1000.0
METHOD = "stand-in 1"


@dataclass(frozen=True)
class Case:
    """A cleaned series, its de-faced images and the masks of what was removed."""

    dicom: Path
    images: list[Path]
    masks: list[Path]
    out: Path

    def objects(self, folder: Path | None = None) -> list[Dataset]:
        files = sorted((folder or self.dicom).glob("*.dcm"))
        return [pydicom.dcmread(path) for path in files]


def clean(dataset: Dataset, index: int = 0) -> None:
    """Mark an object as cleaned at the site, as the profiles do."""
    dataset.remove_private_tags()
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Lethe profile stroke 1"
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "113100", "DCM"
    item.CodeMeaning = "Basic Application Confidentiality Profile"
    dataset.DeidentificationMethodCodeSequence = [item]


def _rewrite(folder: Path) -> None:
    for path in folder.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        clean(dataset)
        dataset.save_as(path)


def deface(images: list[Path], folder: Path) -> tuple[list[Path], list[Path]]:
    """Set the front lower third to air, as the real engine does, and return images and masks."""
    folder.mkdir()
    defaced, masks = [], []
    for source in images:
        image: Any = nib.load(source)
        stored = np.asanyarray(image.dataobj.get_unscaled()).copy()
        world = nib.affines.apply_affine(image.affine, np.moveaxis(np.indices(stored.shape[:3]), 0, -1))
        mask = (world[..., 1] > 30) & (world[..., 2] < 0)
        slope, intercept = image.dataobj.slope, image.dataobj.inter
        physical = AIR if stored.min() * slope + intercept < -500 else 0.0
        stored[mask] = round((physical - intercept) / slope)
        result = nib.Nifti1Image(stored, image.affine, image.header)
        result.header.set_slope_inter(slope, intercept)
        defaced.append(folder / source.name)
        nib.save(result, defaced[-1])
        masks.append(folder / f"mask-{source.name}")
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), masks[-1])
    return defaced, masks


def write_kind(kind: str, folder: Path, person: Person) -> None:
    """Write one series of a kind."""
    ct, mr = (phantom.head(name, spacing=COARSE, seed=3) for name in ("ct", "mr"))
    if kind == "ct":
        write_series(ct, None, folder, person=person, change=clean)
    elif kind == "mr":
        write_series(mr, None, folder, modality="MR", person=person, change=clean)
    elif kind == "tilted":
        write_series(ct.data, tilted(ct.affine, 14.0), folder, person=person, change=clean)
    elif kind.startswith("enhanced"):
        name, times = ("CT", 1) if kind == "enhanced-ct" else ("MR", 3 if kind == "enhanced-4d" else 1)
        volume = ct if name == "CT" else mr
        write_enhanced(volume, folder, modality=name, person=person, times=times)  # type: ignore[arg-type]
        _rewrite(folder)
    elif kind in ("dynamic", "multi-echo"):
        write = kinds.write_dynamic_mr if kind == "dynamic" else kinds.write_multi_echo
        few = {"times": 3} if kind == "dynamic" else {"echoes": (5.0, 12.0)}
        write(mr, folder, person=person, **few)
        _rewrite(folder)
    elif kind == "scaled":
        # a slope of its own for each slice, as some MR scanners write
        def change(dataset: Dataset, index: int) -> None:
            clean(dataset)
            dataset.RescaleSlope, dataset.RescaleIntercept = f"{1 + index / 64:g}", "0"
            dataset.RescaleType = "US"

        write_series(mr, None, folder, modality="MR", person=person, change=change)
    else:
        raise KeyError(kind)


KINDS = ("ct", "mr", "tilted", "enhanced-ct", "enhanced-mr", "enhanced-4d", "dynamic", "multi-echo", "scaled")


@pytest.fixture(scope="session")
def person() -> Person:
    return people(3, seed=7)[2]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, person: Person) -> Callable[[str], Case]:
    """Return a function that gives the case of a kind, made once."""
    made: dict[str, Case] = {}

    def prepare(kind: str) -> Case:
        if kind not in made:
            root = tmp_path_factory.mktemp(kind)
            write_kind(kind, root / "dicom", person)
            (root / "nifti").mkdir()
            converted = convert_series(root / "dicom", root / "nifti")
            images, masks = deface(converted.images, root / "defaced")
            made[kind] = Case(root / "dicom", images, masks, root)
        return made[kind]

    return prepare


@pytest.fixture(scope="session")
def rebuilt(
    prepared: Callable[[str], Case], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Case, Rebuilt]]:
    """Return a function that gives the case of a kind with what it was rebuilt to; not to be changed."""
    made: dict[str, tuple[Case, Rebuilt]] = {}

    def rebuild(kind: str) -> tuple[Case, Rebuilt]:
        if kind not in made:
            case = prepared(kind)
            out = tmp_path_factory.mktemp(f"{kind}-rebuilt")
            facts = rebuild_series(case.dicom, case.images, out, method=METHOD, masks=case.masks)
            made[kind] = (Case(case.dicom, case.images, case.masks, out), facts)
        return made[kind]

    return rebuild


@pytest.fixture
def case(prepared: Callable[[str], Case], tmp_path: Path) -> Callable[[str], Case]:
    """Return a function that gives the case of a kind with an empty output folder of its own."""

    def give(kind: str) -> Case:
        made = prepared(kind)
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        return Case(made.dicom, made.images, made.masks, out)

    return give
