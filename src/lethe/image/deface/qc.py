"""Pictures for the person who looks at a result: the head before and after, and one contact sheet.

``before.png`` shows a face and belongs into the intake project only. The contact sheet holds the views before
as a coarse mosaic and its slices show the result, so it can be shown to anyone who may see the result.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage as ndi
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lethe.files import atomic_writer

from .grid import Affine, Array3, Grid, sample
from .morph import CROSS, Mask, dilate
from .render import Picture, views
from .scene import Modality
from .words import readable

if TYPE_CHECKING:
    from .engine import DefaceReport, Plan

_SIZE = (1600, 900)
_GROUND = (16, 18, 22)
_INK = (225, 228, 232)
_RED, _BLUE, _YELLOW = (235, 70, 60), (80, 140, 255), (240, 200, 60)
_VIEWS = (-45.0, 0.0, 45.0)
_MOSAIC = 12
_EYE_X, _EYE_Z = 32.0, -40.0
_LEGEND_LETTERS = 36

Colour = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Stage:
    """Both images on the fine grid, cropped to the head."""

    before: Grid
    after: Grid
    skin: float
    frame: Mask


def write_pictures(plan: Plan, after: Grid | None, report: DefaceReport, folder: Path) -> None:
    """Write ``before.png``, ``after.png`` and ``sheet.png`` into `folder` (created when missing).

    Parameters
    ----------
    plan : Plan
        Made with ``pictures=True``.
    after : Grid
        The result at picture sharpness.
    report : DefaceReport
    folder : Path
    """
    if plan.scene.fine is None or after is None:
        return
    folder.mkdir(exist_ok=True)
    stage = _stage(plan, after)
    sharp = [
        [view.picture for view in views(grid, stage.skin, _VIEWS, frame=stage.frame)]
        for grid in (stage.before, stage.after)
    ]
    _save(folder / "before.png", _row(sharp[0]))
    _save(folder / "after.png", _row(sharp[1]))
    _save(folder / "sheet.png", _sheet(plan, stage, sharp, report))


def _stage(plan: Plan, after: Grid) -> _Stage:
    fine = plan.scene.fine or after
    head = plan.head
    low = np.floor((head.grid.affine[:3, 3] - fine.affine[:3, 3]) / fine.spacing).astype(int)
    high = low + np.ceil(np.asarray(head.mask.shape) * head.grid.spacing / fine.spacing).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, fine.values.shape)
    before, result = fine.crop(low, high), after.crop(low, high)
    solid = _onto(before, head.mask, head.grid)
    near = _onto(before, dilate(head.mask, 6.0, head.grid.spacing), head.grid)
    air = -1000.0 if head.modality is Modality.CT else 0.0
    # the head rest and ghosts far from the head would hide the view
    views = [replace(grid, values=np.where(near, grid.values, np.float32(air))) for grid in (before, result)]
    return _Stage(views[0], views[1], head.skin, solid)


def _onto(grid: Grid, mask: Mask, other: Grid) -> Mask:
    """Return a mask of `other` on `grid`."""
    matrix = np.linalg.inv(other.affine) @ grid.affine
    return sample(mask.astype(np.float32), matrix[:3, :3], matrix[:3, 3], grid.values.shape, "constant") > 0.5


def _row(pictures: list[Picture]) -> Image.Image:
    height = max(p.shape[0] for p in pictures)
    row = Image.new("L", (sum(p.shape[1] for p in pictures) + 8 * (len(pictures) - 1), height))
    left = 0
    for picture in pictures:
        row.paste(Image.fromarray(picture), (left, (height - picture.shape[0]) // 2))
        left += picture.shape[1] + 8
    return row


def _save(path: Path, image: Image.Image) -> None:
    with atomic_writer(path) as stream:
        image.save(stream, format="PNG")


def _mosaic(picture: Picture) -> Image.Image:
    """Average to blocks so coarse that nobody can be recognised."""
    image = Image.fromarray(picture)
    small = image.resize((_MOSAIC, max(1, _MOSAIC * image.height // image.width)), Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.BILINEAR)


def _sheet(plan: Plan, stage: _Stage, sharp: list[list[Picture]], report: DefaceReport) -> Image.Image:
    sheet = Image.new("RGB", _SIZE, _GROUND)
    draw = ImageDraw.Draw(sheet)
    font, large = ImageFont.load_default(15), ImageFont.load_default(22)
    views = [_mosaic(p) for p in sharp[0]] + [Image.fromarray(p) for p in sharp[1]]
    for number, view in enumerate(views):
        _place(sheet, view.convert("RGB"), (10 + number * 215, 40, 205, 360))
    draw.text((10, 10), "before (coarse on purpose)", _INK, font)
    draw.text((10 + 3 * 215, 10), "after", _INK, font)
    for number, (name, slice_) in enumerate(_slices(plan, stage)):
        draw.text((10 + number * 258, 420), name, _INK, font)
        _place(sheet, Image.fromarray(slice_), (10 + number * 258, 445, 248, 420))
    _legend(draw, report, (1315, 10), font, large)
    return sheet


def _place(sheet: Image.Image, image: Image.Image, box: tuple[int, int, int, int]) -> None:
    left, top, width, height = box
    factor = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    sheet.paste(
        image.resize(size, Image.Resampling.BILINEAR),
        (left + (width - size[0]) // 2, top + (height - size[1]) // 2),
    )


def _slices(plan: Plan, stage: _Stage) -> list[tuple[str, Colour]]:
    """Sagittal through each eye and the middle, axial at the orbits, coronal; the result, outlined."""
    grid, head = stage.after, plan.head
    masks = [
        (plan.protection.keep & head.mask, _BLUE),
        (plan.plug.fill | ((plan.plug.level > 0.5) & plan.region.remove), _YELLOW),
        (plan.region.remove, _RED),
    ]
    carried = [(_onto(grid, mask, head.grid), colour) for mask, colour in masks]
    window = _window(stage.before.values, stage.frame, head.modality)
    shades = np.clip((grid.values - window[0]) / (window[1] - window[0]), 0, 1) * 255
    wanted = (
        ("right eye", 0, (_EYE_X, 20.0, _EYE_Z)),
        ("middle", 0, (0.0, 20.0, _EYE_Z)),
        ("left eye", 0, (-_EYE_X, 20.0, _EYE_Z)),
        ("orbits", 2, (0.0, 20.0, _EYE_Z)),
        ("coronal", 1, (0.0, 40.0, _EYE_Z)),
    )
    to_index = np.linalg.inv(grid.affine) @ np.linalg.inv(plan.pose.to_mni)
    return [
        (name, _slice(shades, carried, axis, _index(to_index, place, axis, grid)))
        for name, axis, place in wanted
    ]


def _index(to_index: Affine, place: tuple[float, float, float], axis: int, grid: Grid) -> int:
    index = (to_index @ np.array([*place, 1.0]))[axis]
    return int(np.clip(round(float(index)), 0, grid.values.shape[axis] - 1))


def _window(values: Array3, frame: Mask, modality: Modality) -> tuple[float, float]:
    if modality is Modality.CT:
        return -120.0, 220.0
    return 0.0, max(float(np.percentile(values[frame], 99)), 1e-6)


def _slice(shades: Array3, masks: list[tuple[Mask, tuple[int, int, int]]], axis: int, index: int) -> Colour:
    def turned(array: NDArray[Any]) -> NDArray[Any]:
        plane: NDArray[Any] = np.take(array, index, axis=axis).T[::-1]
        return plane if axis == 0 else plane[:, ::-1]  # the head's right at the left

    grey = turned(shades).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, axis=2)
    for mask, colour in masks:
        plane = turned(mask).astype(bool)
        edge = plane & ~ndi.binary_erosion(plane, CROSS[1], border_value=1)
        picture[edge] = colour
    return picture


def _legend(
    draw: ImageDraw.ImageDraw,
    report: DefaceReport,
    corner: tuple[int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    large: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    left, top = corner
    draw.text((left, top), f"verdict: {report.verdict}", _INK, large)
    top += 40
    lines = [(f"reason: {reason}", _INK) for reason in report.reasons]
    lines += [(f"{words}: {value}", _INK) for words, value in readable(report.measures).items()]
    lines += [("removed", _RED), ("protected", _BLUE), ("filled", _YELLOW)]
    for text, colour in lines:
        wrapped = textwrap.fill(text, _LEGEND_LETTERS, subsequent_indent="   ")
        draw.text((left, top), wrapped, colour, font)
        top += 6 + 18 * (1 + wrapped.count("\n"))
