"""A converter that loses, adds, moves, turns or changes anything is found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kit import kinds
from kit.people import Person
from kit.phantom import Volume
from kit.series import write_series
from lethe.errors import Refused
from lethe.image import nifti
from lethe.image.conserve import compare
from lethe.image.converter import Raw, Run
from lethe.image.frames import Instance, dicom_files, read_instance
from lethe.image.layout import Layout
from lethe.image.nifti import Nifti
from lethe.image.pixels import Planes, read_pixels
from lethe.image.reorder import put_in_order
from lethe.image.series import read_series
from lethe.image.stack import Stack, analyse

Converted = tuple[list[Instance], Stack, Nifti]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, mr: Volume, person: Person) -> dict[str, Converted]:
    results = {}
    for name, write in {
        "plain": lambda f: write_series(mr, None, f, modality="MR", person=person),
        "dynamic": lambda f: kinds.write_dynamic_mr(mr, f, person=person, times=3),
    }.items():
        folder = tmp_path_factory.mktemp(name)
        write(folder / "dicom")
        instances = read_series(dicom_files(folder / "dicom"))
        (folder / "work").mkdir()
        with Run([instance.path for instance in instances], folder / "work") as run:
            raw = run.images()[0]
        results[name] = (instances, analyse(instances), nifti.read(raw.nifti))
    return results


def check(case: Converted, image: Nifti) -> None:
    instances, stack, _ = case
    compare(stack, {"image": image}, {"image": image.affine}, Planes(instances), instances=len(instances))


def _one_voxel(image: Nifti) -> Nifti:
    voxels = np.array(image.voxels)
    voxels[3, 4, 5] += 1
    return replace(image, voxels=voxels)


def _moved(image: Nifti, by: np.ndarray) -> Nifti:
    affine = image.affine.copy()
    affine[:3, 3] += by
    return replace(image, affine=affine)


def _turned(image: Nifti) -> Nifti:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.02), -np.sin(0.02)], [np.sin(0.02), np.cos(0.02)]]
    return replace(image, affine=turn @ image.affine)


SABOTAGE: dict[str, tuple[Callable[[Nifti], Nifti], str]] = {
    "drops the last slice": (lambda i: replace(i, voxels=i.voxels[:, :, :-1]), "slices-lost"),
    "adds a slice": (
        lambda i: replace(i, voxels=np.concatenate([i.voxels, i.voxels[:, :, -1:]], 2)),
        "slices-added",
    ),
    "repeats a slice": (
        lambda i: replace(i, voxels=i.voxels[:, :, [0, 1, 2, 3, 3, *range(5, i.voxels.shape[2])]]),
        "voxels-changed",
    ),
    "exchanges two slices": (
        lambda i: replace(i, voxels=i.voxels[:, :, [0, 1, 2, 3, 5, 4, *range(6, i.voxels.shape[2])]]),
        "voxels-changed",
    ),
    "flips left and right": (lambda i: replace(i, voxels=i.voxels[::-1]), "voxels-changed"),
    "flips front and back": (lambda i: replace(i, voxels=i.voxels[:, ::-1]), "voxels-changed"),
    "flips up and down": (lambda i: replace(i, voxels=i.voxels[:, :, ::-1]), "voxels-changed"),
    "changes one voxel": (_one_voxel, "voxels-changed"),
    "forgets the scaling": (lambda i: replace(i, slope=2.0), "voxels-changed"),
    "moves the image": (lambda i: _moved(i, np.array([0.0, 1.0, 0.0])), "geometry-changed"),
    "moves the image by a slice": (lambda i: _moved(i, i.affine[:3, 2]), "geometry-changed"),
    "turns the image": (_turned, "geometry-changed"),
    "stretches the image": (
        lambda i: replace(i, affine=i.affine @ np.diag([1, 1, 1.02, 1])),
        "geometry-changed",
    ),
}


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize("name", sorted(SABOTAGE))
def test_a_converter_that_errs_is_found_out(converted: dict[str, Converted], name: str) -> None:
    change, code = SABOTAGE[name]
    case = converted["plain"]
    check(case, case[2])
    with pytest.raises(Refused) as refusal:
        check(case, change(case[2]))
    assert refusal.value.code in (code, "geometry-changed")


@pytest.mark.requirement("M-22")
def test_mixed_up_time_points_are_found_out(converted: dict[str, Converted]) -> None:
    case = converted["dynamic"]
    check(case, case[2])
    swapped = np.array(case[2].voxels)[..., [1, 0, 2]]
    with pytest.raises(Refused, match="time"):
        check(case, replace(case[2], voxels=swapped))
    mixed = np.array(case[2].voxels)
    mixed[:, :, 4, [0, 1]] = mixed[:, :, 4, [1, 0]]
    with pytest.raises(Refused, match="time"):
        check(case, replace(case[2], voxels=mixed))


@pytest.mark.requirement("M-20", "M-22")
def test_time_points_mixed_up_between_images_are_found_out(converted: dict[str, Converted]) -> None:
    instances, stack, image = converted["dynamic"]
    whole = np.array(image.voxels)

    def apart(voxels: np.ndarray) -> None:
        images = {str(t): replace(image, voxels=voxels[..., t : t + 1]) for t in range(3)}
        affines = dict.fromkeys(images, image.affine)
        compare(stack, images, affines, Planes(instances), instances=len(instances))

    apart(whole)
    whole[:, :, 4, [0, 1]] = whole[:, :, 4, [1, 0]]
    with pytest.raises(Refused, match="mixes time points"):
        apart(whole)


def _again(folder: Path, case: Converted, voxels: np.ndarray) -> list[Raw]:
    """Let a converter write other voxels, and put them in order again."""
    instances, stack, image = case
    content = [voxels[..., k, t].tobytes(order="F") for t in range(3) for k in range(voxels.shape[2])]
    path = folder / "mixed.nii"
    nifti.write_planes(path, image, image.voxels.shape, image.affine, list(map(memoryview, content)))
    return put_in_order([Raw(path, {}, ())], stack, Planes(instances), folder)


@pytest.mark.requirement("M-20", "M-22")
def test_mixed_up_planes_are_put_in_order_but_only_if_each_is_there(
    converted: dict[str, Converted], tmp_path: Path
) -> None:
    case = converted["dynamic"]
    whole = np.array(case[2].voxels)
    mixed = whole.reshape(*whole.shape[:2], -1, order="F")[..., ::-1].reshape(whole.shape, order="C")
    (raw,) = _again(tmp_path, case, mixed)
    image = nifti.read(raw.nifti)
    check(case, image)
    np.testing.assert_array_equal(image.voxels, whole)
    mixed[3, 4, 5, 1] += 1
    assert _again(tmp_path, case, mixed) == []


@pytest.mark.requirement("M-20")
def test_pixels_read_from_their_place_equal_those_of_the_decoder(written: dict[str, Path]) -> None:
    for path in dicom_files(written["ct"])[:3]:
        instance = read_instance(path)
        assert instance.pixels is not None
        quick, decoded = read_pixels(instance), read_pixels(replace(instance, pixels=None))
        np.testing.assert_array_equal(quick, decoded)


@pytest.mark.requirement("M-20")
@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_looking_at_a_slice_copies_nothing(slice_axis: int) -> None:
    row, column = [axis for axis in range(3) if axis != slice_axis]
    voxels = np.zeros((3, 4, 5, 2), np.int16, order="F")
    layout = Layout(column, row, slice_axis, flip_columns=True, flip_rows=False)
    assert np.shares_memory(layout.plane(voxels, 1, 1), voxels)
