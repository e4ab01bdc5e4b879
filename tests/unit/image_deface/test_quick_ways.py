"""Quick ways to results that slow ways give as well."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.image import gzblocks
from lethe.image.deface import morph, render
from lethe.image.deface.apply import PLUGGED, REMOVED, Comparison, Stencil, apply
from lethe.image.deface.grid import Grid
from lethe.image.deface.io import open_volume
from lethe.image.deface.pack import packed
from lethe.image.deface.plug import Plug
from lethe.image.deface.scene import read_scene


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(*[st.integers(2, 13)] * 3),
    share=st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
    radius=st.sampled_from([0.5, 2.0, 2.5, 6.0, 18.0]),
)
def test_what_grows_and_shrinks_is_what_the_distances_of_the_whole_say(
    seed: int, shape: tuple[int, int, int], share: float, radius: float
) -> None:
    mask = np.random.default_rng(seed).random(shape) < share
    assert np.array_equal(morph.dilate(mask, radius, 2.0), morph.distance_to(mask, 2.0) <= radius)
    assert np.array_equal(morph.erode(mask, radius, 2.0), morph.depth(mask, 2.0) > radius)


@pytest.mark.parametrize("azimuth", [-45.0, 0.0, 30.0])
def test_every_ray_ends_at_the_first_voxel_it_meets(azimuth: float) -> None:
    solid = np.random.default_rng(3).random((9, 11, 7)) < 0.05
    turn = np.deg2rad(azimuth)
    front, across = np.array([np.sin(turn), np.cos(turn), 0.0]), np.array([-np.cos(turn), np.sin(turn), 0.0])
    u, w = np.meshgrid(np.arange(-8.0, 8.0), np.arange(6.0, -6.0, -1.0))
    start = np.array([4.0, 5.0, 3.0]) + u[..., None] * across + w[..., None] * [0, 0, 1] + 9.0 * front
    expected = np.full(u.shape, np.inf)
    for place in np.ndindex(u.shape):
        for step in reversed(range(19)):
            cell = np.rint(start[place] - step * front).astype(int)
            if (cell >= 0).all() and (cell < solid.shape).all() and solid[tuple(cell)]:
                expected[place] = step
    assert 5 < np.isfinite(expected).sum() < expected.size
    assert np.array_equal(render._first_hit(solid, start, -front, 18.0), expected)


def test_views_seen_together_are_those_seen_alone() -> None:
    values = np.random.default_rng(0).random((12, 14, 10)).astype(np.float32)
    grid = Grid(values, np.ones(values.shape, bool), np.diag([1.2, 1.2, 1.2, 1.0]))
    together = render.views(grid, 0.6, (-45.0, 0.0, 45.0))
    alone = [render.views(grid, 0.6, (azimuth,))[0] for azimuth in (-45.0, 0.0, 45.0)]
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(together, alone, strict=True))
    assert not np.array_equal(together[0].picture, together[2].picture)


@pytest.mark.parametrize("cut", [4, 30, 1])
def test_a_damaged_file_is_named_while_it_is_read(cut: int) -> None:
    content = bytes(range(256)) * 40
    crc = gzblocks.crc32(b"head" + content)
    whole = gzblocks.beginning(b"head") + gzblocks.compress(content).data
    whole += gzblocks.ending(crc, 4 + len(content))
    assert gzblocks.unpacked(io.BytesIO(whole)).read() == b"head" + content
    with pytest.raises(gzblocks.DAMAGED):
        gzblocks.unpacked(io.BytesIO(whole[:-cut])).read()
    with pytest.raises(gzblocks.DAMAGED):
        gzblocks.unpacked(io.BytesIO(whole[:-8] + bytes(8))).read()


@pytest.mark.parametrize("size", [0, 1, 352, 4096])
def test_a_small_piece_has_the_bytes_of_zlib_which_never_waver(size: int) -> None:
    content = (bytes(5) + b"head") * 500
    machine = zlib.compressobj(1, zlib.DEFLATED, -15)
    plain = machine.compress(content[:size]) + machine.flush(zlib.Z_FULL_FLUSH)
    assert gzblocks.compress(content[:size]).data == plain


@pytest.mark.parametrize("kind", ["<i2", ">i2", ">f4", "<u2", "<f8"])
def test_every_kind_of_number_is_written_as_the_mask_says(kind: str, tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(100, 900, (20, 22, 24)).astype(kind)
    header = nib.Nifti1Header(endianness=kind[0])  # type: ignore[no-untyped-call]
    image = nib.Nifti1Image(values, np.diag([2.0, 2.0, 2.0, 1.0]), header, dtype=kind)  # type: ignore[no-untyped-call]
    nib.save(image, tmp_path / "image.nii")
    scene = read_scene(open_volume(tmp_path / "image.nii"), "mr")
    labels = np.zeros((6, 5, 4), np.uint8, order="F")
    labels[:3], labels[3:5] = REMOVED, PLUGGED
    plug = Plug(np.zeros(1, bool), np.zeros(1, np.float32), tissue=55.0, below=500.0)
    watched = np.ones(scene.grid.values.shape, bool)
    comparison = Comparison(scene, scene.grid, watched)
    stream = io.BytesIO()
    with packed(stream, compress=True) as sink:
        apply(scene, Stencil((2, 3, 4), labels), plug, sink, comparison)
    expected = values.copy()
    part = expected[2:8, 3:8, 4:8]
    part[:3] = 0
    part[3:5] = np.where(part[3:5] < 500, 55, part[3:5])
    assert gzip.decompress(stream.getvalue()) == scene.volume.head + expected.tobytes(order="F")
    assert comparison.voxels_changed == comparison.watched_changed == np.count_nonzero(values != expected)
