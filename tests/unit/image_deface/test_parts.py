"""Single parts of the engine: distances, packing, headers, grid, template."""

from __future__ import annotations

import gzip
import hashlib
import io
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import scipy.ndimage as ndi
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.image.deface import morph
from lethe.image.deface.front import _filling
from lethe.image.deface.grid import Grid, Reducer, sample, to_grid
from lethe.image.deface.head import Head, _bare_brain
from lethe.image.deface.io import open_volume, slabs
from lethe.image.deface.pack import GzipWriter
from lethe.image.deface.plug import solid_head
from lethe.image.deface.region import CURVE, Region, _skin_depth, face_sector
from lethe.image.deface.scene import Modality, read_scene
from lethe.image.deface.template import Template
from lethe.image.deface.wall import wall

from .conftest import write

PACKAGE = files("lethe.image.deface")


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    pieces=st.lists(st.binary(max_size=3000), max_size=6),
    repeat=st.integers(1, 900),
    threads=st.integers(1, 3),
)
def test_packed_bytes_unpack_to_what_went_in_whatever_the_threads(
    pieces: list[bytes], repeat: int, threads: int
) -> None:
    def pack(count: int) -> bytes:
        stream = io.BytesIO()
        writer = GzipWriter(stream, count)
        for piece in pieces:
            writer.write(piece * repeat)
        writer.close()
        return stream.getvalue()

    packed = pack(threads)
    assert gzip.decompress(packed) == b"".join(piece * repeat for piece in pieces)
    assert packed == pack(2)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), radius=st.floats(1.0, 9.0))
def test_fast_and_plain_distances_agree(seed: int, radius: float) -> None:
    mask = np.random.default_rng(seed).random((14, 12, 10)) > 0.7
    plain = morph._distance_scipy(mask, 2.0)
    assert np.allclose(morph.depth(mask, 2.0), plain, atol=1e-4)
    assert (morph.erode(mask, radius, 2.0) <= mask).all()
    assert (morph.opened(mask, radius, 2.0) <= mask).all()
    assert (morph.closed(mask, radius, 2.0) >= mask).all()


def test_the_template_is_a_head_with_a_brain_inside() -> None:
    template = Template.load()
    brain, skin = template.brain > 0.5, template.skin()
    assert 1500 < brain.sum() * 0.008 < 2100
    assert skin[brain].mean() > 0.98
    assert template.affine[:3, 3].tolist() == [-106.0, -146.0, -190.0]


@pytest.mark.requirement("M-26", "T-13")
def test_the_notice_names_the_digest_of_the_template_and_both_licences() -> None:
    notice = (PACKAGE / "NOTICE").read_text()
    assert hashlib.sha256((PACKAGE / "template.npz").read_bytes()).hexdigest() in notice
    assert "MIT License" in notice
    assert "McConnell Brain Imaging Centre" in notice


def test_the_face_lies_in_front_of_the_surface_that_is_documented() -> None:
    x = np.zeros(4, np.float32)
    z = np.array([0.0, -25.0, -90.0, -140.0], np.float32)
    surface = np.array([66.0, 50.0, 40.0, 38.0], np.float32)
    assert face_sector(x, surface + 1, z).all()
    assert not face_sector(x, surface - 1, z).any()


@settings(derandomize=True, deadline=None, max_examples=10)
@given(order=st.permutations([0, 1, 2]), flips=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_the_grid_does_not_depend_on_how_axes_are_stored(
    order: list[int], flips: tuple[bool, bool, bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 500, (24, 30, 36)).astype(np.int16)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    stored, moved = np.transpose(data, order), affine[:, [*order, 3]]
    for axis, flip in enumerate(flips):
        if flip:
            stored = np.flip(stored, axis)
            moved[:3, 3] += moved[:3, axis] * (stored.shape[axis] - 1)
            moved[:3, axis] *= -1
    folder = tmp_path_factory.mktemp("axes")
    one = read_scene(open_volume(write(folder / "a.nii", data, affine)), "mr").grid
    other = read_scene(open_volume(write(folder / "b.nii", np.ascontiguousarray(stored), moved)), "mr").grid
    assert np.allclose(one.affine, other.affine, atol=1e-4)
    assert np.allclose(one.values, other.values, atol=1e-2)


def test_corners_of_an_oblique_volume_are_nothing_not_air(tmp_path: Path) -> None:
    turn = np.deg2rad(20)
    affine = np.eye(4) * 4.0
    affine[:2, :2] = 4 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine[3, 3] = 1.0
    volume = open_volume(write(tmp_path / "a.nii.gz", np.full((30, 30, 30), 7, np.int16), affine))
    reducer = Reducer(volume, 2.0)
    for _, start, part in slabs(volume):
        reducer.add(start, volume.values(part))
    grid = to_grid(*reducer.result(), air=0.0)
    assert 0.5 < grid.valid.mean() < 0.9
    assert np.allclose(grid.values[grid.valid], 7, atol=1e-3)
    assert not grid.values[~grid.valid].any()


@pytest.mark.parametrize(("slope", "intercept", "dtype"), [(1.0, -1024.0, np.uint16), (0.5, 10.0, np.int16)])
def test_values_are_stored_with_the_scaling_of_the_file(
    slope: float, intercept: float, dtype: type, tmp_path: Path
) -> None:
    image = nib.Nifti1Image(np.full((40, 40, 40), 1000, dtype), np.eye(4))
    image.header.set_slope_inter(slope, intercept)
    image.header.set_data_dtype(dtype)
    path = tmp_path / "a.nii.gz"
    nib.save(image, path)
    volume = open_volume(path)
    for value in (-1000.0, 0.0, 30.0):
        number = volume.stored(value)
        assert number.dtype == dtype
        back = float(volume.slope * number + volume.intercept)
        assert back == pytest.approx(max(value, intercept if dtype is np.uint16 else -1e9), abs=0.6 * slope)


def test_a_sidecar_says_which_modality_it_is(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 500, (40, 40, 40)).astype(np.int16)
    path = write(tmp_path / "a.nii.gz", data, np.eye(4))
    assert read_scene(open_volume(path), "auto").modality is Modality.MR
    (tmp_path / "a.json").write_text('{"Modality": "MR"}')
    assert read_scene(open_volume(path), "auto").modality is Modality.MR


def slab_of_layers(skull: float) -> Grid:
    """Draw a ball of brain in a layer of skull under a layer of scalp, in a void of one value."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    radius = np.sqrt(((np.indices((50, 50, 50)) * 4.0 - 98.0) ** 2).sum(axis=0))
    values = np.where(radius < 62, 300.0, np.where(radius < 70, skull, 250.0))
    values[radius > 74] = 0.0
    return Grid(values.astype(np.float32), np.ones((50, 50, 50), bool), affine)


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize(("skull", "bare"), [(20.0, False), (280.0, True)])
def test_a_brain_that_was_cut_out_is_told_from_a_small_head_by_the_missing_skull(
    skull: float, bare: bool
) -> None:
    grid = slab_of_layers(skull)
    assert _bare_brain(grid, grid.values > 0, Modality.MR) is bare


def test_a_brain_with_noise_around_it_is_not_taken_for_cut_out() -> None:
    grid = slab_of_layers(280.0)
    noise = np.abs(np.random.default_rng(0).normal(0, 4, grid.values.shape)).astype(np.float32)
    assert not _bare_brain(replace(grid, values=grid.values + noise), grid.values > 0, Modality.MR)


def front_of_a_head(*, nose: bool, reach: float = 120.0) -> tuple[Head, Region]:
    """Draw the front of a head in MNI millimetres; `reach` is where the data end in front."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-60.0, 20.0, -120.0)
    shape = (61, int((reach - 20.0) / 2.0) + 1, 60)
    grid = Grid(np.zeros(shape, np.float32), np.ones(shape, bool), affine)
    x, y, z = grid.coordinates(np.eye(4))
    mask = y + 0.004 * x**2 < 84.0
    if nose:
        mask |= (np.abs(x) < 10.0) & (y < 104.0) & (z < -50.0) & (z > -80.0)
        mask &= ~((np.hypot(np.abs(x) - 32.0, z + 40.0) < 12.0) & (y > 66.0))
    head = Head(
        replace(grid, values=np.where(mask, 40.0, -1000.0).astype(np.float32)), mask, Modality.CT, -250.0
    )
    sector = face_sector(x, y, z)
    inside = morph.depth(mask, 2.0)
    return head, Region(sector, sector.astype(np.float32), sector, inside, inside, (x, y, z))


@pytest.mark.requirement("M-24")
def test_the_wall_shows_nothing_of_nose_and_sockets_and_stands_well_behind_them() -> None:
    head, region = front_of_a_head(nose=True)
    x, y, z = region.coordinates
    inside = wall(head, np.zeros_like(head.mask), region) > 0.5
    front = np.where(inside, y + CURVE * x**2, -np.inf).max(axis=1)
    rows = (z[0, 0] > -100.0) & (z[0, 0] < -34.0)
    assert np.ptp(front[15:46][:, rows], axis=0).max() <= 2.1  # one cell of the grid
    assert head.mask[inside].all()
    skin = np.where(head.mask, y, -np.inf).max(axis=1)
    assert (skin - np.where(inside, y, -np.inf).max(axis=1))[15:46][:, rows].min() > 8.0


def test_under_the_thin_skin_of_an_infant_the_wall_stands_as_near_in_proportion() -> None:
    head, region = front_of_a_head(nose=False)
    half = head.grid.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    small = replace(head, grid=replace(head.grid, affine=half))
    shallow = replace(region, skin_depth=region.skin_depth / 2.0)
    nothing = np.zeros_like(head.mask)
    share = (wall(small, nothing, shallow) > 0.5).sum() / (wall(head, nothing, region) > 0.5).sum()
    assert 0.9 < share < 1.1


def test_a_layer_lies_on_the_protected_bone_under_the_brow_for_bone_is_full_of_holes() -> None:
    head, region = front_of_a_head(nose=False)
    x, y, z = region.coordinates
    keep = (y + CURVE * x**2 < 70.0) & (z > -46.0)
    ahead = (np.abs(x) < 20.0) & (z > -38.0) & (z < -26.0)
    ahead &= (y + CURVE * x**2 >= 70.0) & (y + CURVE * x**2 < 72.0)
    assert (wall(head, keep, region) > 0.5)[ahead].all()


def test_depth_is_measured_from_the_tissue_not_from_a_rim_of_the_mask() -> None:
    head, region = front_of_a_head(nose=False)
    x, y, z = region.coordinates
    thin = replace(head, mask=ndi.binary_dilation(head.mask, iterations=1))
    deep, rimmed = _skin_depth(head, x, y, z), _skin_depth(thin, x, y, z)
    assert np.array_equal(deep[head.mask], rimmed[head.mask])


@pytest.mark.requirement("M-24")
@pytest.mark.parametrize("turn", [(0, 1), (1, 2)], ids=["to the side", "up"])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_brow_cut_by_the_end_of_the_data_is_skin_whatever_side_it_looks_to(
    turn: tuple[int, int], quarters: int
) -> None:
    """A ridge of the nose stood on the forehead of a head that lay on its face."""
    head, region = front_of_a_head(nose=False, reach=82.0)
    x, y, z = region.coordinates
    straight = _skin_depth(head, x, y, z)

    def turned(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.rot90(array, quarters, turn))

    grid = Grid(turned(head.grid.values), turned(head.grid.valid), head.grid.affine)
    other = _skin_depth(replace(head, grid=grid, mask=turned(head.mask)), turned(x), turned(y), turned(z))
    assert np.array_equal(turned(straight), other)
    assert straight[head.mask & (z > -20.0) & (y > 80.0)].max() < 6.0


def test_air_between_a_face_and_the_end_of_the_data_is_not_part_of_the_head() -> None:
    head, _ = front_of_a_head(nose=False, reach=92.0)
    assert (~head.mask).any()
    assert not (solid_head(head) & ~head.mask).any()


def test_filling_is_known_by_its_one_value_and_skin_is_not() -> None:
    rng = np.random.default_rng(0)
    image = np.broadcast_to(np.arange(40)[None, :, None] < 25, (30, 40, 30))
    values = np.where(image, rng.normal(40, 8, image.shape), -1000.0).astype(np.float32)
    assert not _filling(image, values).any()
    values[:, 18:25, :12] = 30.0
    found = _filling(image, values)
    assert found[:, 18:25, :12].all()
    assert not found[:, :, 20:].any()


@settings(derandomize=True, deadline=None, max_examples=12)
@given(order=st.permutations([0, 1, 2]), flip=st.booleans(), seed=st.integers(0, 99))
def test_sampling_axis_by_axis_is_the_trilinear_sampling_of_scipy(
    order: list[int], flip: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    field = rng.random((9, 8, 7)).astype(np.float32)
    linear = np.zeros((3, 3))
    linear[order, range(3)] = rng.uniform(0.2, 2.5, 3) * (-1.0 if flip else 1.0)
    offset = rng.uniform(-4.0, 11.0, 3)
    for mode in ("constant", "nearest"):
        plain = ndi.affine_transform(field, linear, offset, (6, 5, 4), order=1, mode=mode, prefilter=False)
        assert np.allclose(sample(field, linear, offset, (6, 5, 4), mode), plain, atol=1e-5)
