"""De-face one file: read, find, protect, remove, measure, judge, write."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lethe.errors import Misconfigured, Refused
from lethe.files import atomic_writer, write_json

from .align import Alignment, align
from .apply import Comparison, Stencil, apply, make_stencil, write_mask
from .bumps import bumps_left
from .folding import front_folded
from .grid import Array3, Grid, Reducer
from .head import Head, find_head, no_head, unevenness
from .io import Volume, mask_header, open_volume, slabs
from .judge import (
    Effect,
    Expectation,
    Verdict,
    as_numbers,
    bare_confirmed,
    doubts,
    expect,
    faceless,
    measure,
    verdict,
)
from .pack import packed
from .plug import Plug, plug
from .protect import Protection, protect
from .region import Region, choose
from .scene import Scene, after_grid, read_scene
from .template import Template
from .volumes import volumes

METHOD = "lethe-deface"
METHOD_VERSION = "1.5.0"
PICTURE_MM = 1.2
NMI_NOTHING = 1.03  # noise reaches 1.02, a bad head image 1.07


@dataclass(frozen=True, slots=True)
class DefaceReport:
    """What was decided and measured.

    Attributes
    ----------
    verdict : Verdict
        Only ``pass`` and ``no-face`` may leave the intake project.
    reasons : list of str
        Why it is not ``pass``; short names, explained in `REASONS`.
    measures : dict
        Numbers behind the verdict.
    """

    verdict: Verdict
    reasons: list[str] = field(default_factory=list)
    measures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for ``report.json``; equal input gives equal content."""
        return {
            "method": METHOD,
            "method_version": METHOD_VERSION,
            "verdict": str(self.verdict),
            "reasons": [{"code": code, "sentence": REASONS[code]} for code in self.reasons],
            "measures": self.measures,
        }


REASONS = {
    "brain-only": "Only the brain is in the image; the file is passed on unchanged.",
    "already-defaced": "The face was removed before; the file is passed on unchanged.",
    "face-not-in-view": "The image shows no face; the file is passed on unchanged.",
    "weak-match": "The head could not be matched with the average head well enough.",
    "implausible-size": "The match needs a head size that does not occur.",
    "second-pose": "Two different positions of the head match nearly equally well.",
    "front-unsure": "The air of nose and sinuses is not where the face should be.",
    "brain-not-confirmed": "The image does not confirm where the average head says the brain is.",
    "uneven-brightness": "The brightness falls off so much across the head that the match is uncertain.",
    "scalp-unseen": "The scalp is too dark to be seen, as with fat suppression, so the match is uncertain.",
    "metal-streaks": "Metal throws streaks through the brain that look like air.",
    "front-folded": "The front of the head may lie folded over at the other end of the image.",
    "no-orientation": "The header names no coordinate system, so left, right, front and back are guesses.",
    "header-extension": "The header carries an extension, which may hold identifiers.",
    "front-remains": "Eyes, nose or mouth are not far enough from where they were.",
    "forehead-uneven": "Where the forehead should be, something stays that stands out like a nose.",
    "ears-remain": "Too much of what stands out of the side of the head like an ear is still there.",
    "face-remains": "Too much of the facial skin is still there.",
    "close-to-brain": "The removed region comes too close to the brain.",
    "face-partly-missing": "Part of the face was missing before: cut, masked or lost in noise.",
    "brain-changed": "The result would change the brain; nothing was written.",
}


@dataclass(frozen=True)
class Plan:
    """Everything decided about one image before it is written."""

    scene: Scene
    head: Head
    template: Template
    pose: Alignment
    protection: Protection
    region: Region
    plug: Plug
    expectation: Expectation

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """The reasons not to trust this plan."""
        volume = self.scene.volume
        found = doubts(
            self.pose,
            self.protection,
            self.expectation,
            oriented=any(code > 0 for code in volume.form_codes),
            extended=volume.extended,
            uneven=unevenness(self.head),
            folded=front_folded(self.scene.grid, self.head, volume.affine, self.pose.to_mni),
        )
        return tuple(found)

    def faceless(self) -> str | None:
        """Say why the file may be passed on unchanged, or None; a doubtful pose cannot say so."""
        doubtful = self.doubts
        if self.head.bare and bare_confirmed(self.head, self.protection):
            return None if "header-extension" in doubtful else "brain-only"
        return None if doubtful else faceless(self.expectation)


def make_plan(
    source: Path, *, modality: str = "auto", pictures: bool = False, pose: Alignment | None = None
) -> Plan:
    """Read `source` and decide what to remove; nothing is written.

    Parameters
    ----------
    source : Path
    modality : {"auto", "ct", "mr"}
    pictures : bool
        Also keep the image at picture sharpness.
    pose : Alignment, optional
        Known from another image of the session (see `lethe.image.deface.session`).

    Returns
    -------
    Plan

    Raises
    ------
    Refused
        When the file or what it shows cannot be worked on.
    """
    volume = open_volume(source, thin=pose is not None)
    scene = read_scene(volume, modality, picture_mm=PICTURE_MM if pictures else None)
    head = find_head(scene, thin=pose is not None)
    template = Template.load()
    if pose is None:
        pose = align(head, template)
        if pose.nmi < NMI_NOTHING and not head.bare:
            raise no_head()
    protection = protect(head, template, pose)
    region = choose(head, pose, protection)
    return Plan(
        scene,
        head,
        template,
        pose,
        protection,
        region,
        plug(head, protection, region),
        expect(head, template, pose, region),
    )


def deface_file(
    source: Path,
    target: Path,
    *,
    modality: str = "auto",
    mask: Path | None = None,
    pictures: Path | None = None,
    report: Path | None = None,
) -> DefaceReport:
    """Remove the face from a NIfTI image and judge the result.

    Parameters
    ----------
    source : Path
        ``.nii`` or ``.nii.gz``; 3-D, or 4-D (then the first volume decides and all are changed alike).
    target : Path
        Written whole or not at all; compressed when the name ends in ``.gz``. Header and extensions are those
        of `source`, byte for byte, and so is every voxel outside the mask.
    modality : {"auto", "ct", "mr"}
    mask : Path, optional
        Where to write what was done: 1 removed, 2 filled, at its edge in part.
    pictures : Path, optional
        Folder for ``before.png``, ``after.png`` and ``sheet.png``. ``before.png`` shows the face.
    report : Path, optional
        Where to write the report as JSON.

    Returns
    -------
    DefaceReport
        With the verdict ``fail`` nothing was written.

    Raises
    ------
    Refused
        When the image cannot be worked on; nothing was written.
    Misconfigured
        When source and target are the same file, or an output folder does not exist.
    """
    check_places(source, [path for path in (target, mask, report, pictures) if path is not None])
    plan = make_plan(source, modality=modality, pictures=pictures is not None)
    return deface_plan(plan, target, mask=mask, pictures=pictures, report=report)


def deface_plan(
    plan: Plan, target: Path, *, mask: Path | None, pictures: Path | None, report: Path | None
) -> DefaceReport:
    """Carry out a plan; see `deface_file`."""
    result, after = _write(plan, target, mask)
    if result.verdict is Verdict.FAIL:
        return result
    if pictures is not None:
        from .qc import write_pictures  # Pillow is only needed here

        write_pictures(plan, after, result, pictures)
    if report is not None:
        write_json(report, result.as_dict())
    return result


def check_places(source: Path, outputs: list[Path]) -> None:
    """Refuse outputs that would overwrite the source or lie in no folder.

    Raises
    ------
    Misconfigured
    """
    for path in outputs:
        if path.resolve() == source.resolve():
            raise Misconfigured(
                "same-file", "Source and output are the same file.", remedy="Name another output."
            )
        if not path.parent.is_dir():
            raise Misconfigured("no-folder", "An output folder does not exist.", remedy="Create it first.")


class _Discard(Exception):
    """Leaves the writers without their files."""


def _write(plan: Plan, target: Path, mask: Path | None) -> tuple[DefaceReport, Grid | None]:
    reason = plan.faceless()
    if reason is not None:
        return _pass_on(plan, reason, target, mask), plan.scene.fine
    scene, grid = plan.scene, plan.head.grid
    stencil = make_stencil(scene.volume, grid, plan.region.field, plan.plug)
    comparison = Comparison(scene, grid, plan.protection.brain)
    fine = Reducer(scene.volume, PICTURE_MM) if scene.fine else None

    def content(sink: Any) -> None:
        apply(scene, stencil, plan.plug, sink, comparison, fine)

    result: list[DefaceReport] = []

    def accept() -> bool:
        result.append(judge_changes(plan, comparison))
        return result[0].verdict is not Verdict.FAIL

    _commit(scene.volume, target, content, mask, stencil, accept)
    after = after_grid(scene, fine, PICTURE_MM) if fine else None
    return result[0], after


def _commit(
    volume: Volume,
    target: Path,
    content: Callable[[Any], None],
    mask: Path | None,
    stencil: Stencil,
    accept: Callable[[], bool],
) -> None:
    """Write image and mask under temporary names; keep both or neither."""
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(atomic_writer(target))
            with packed(stream, compress=target.name.endswith(".gz")) as sink:
                content(sink)
            if not accept():
                raise _Discard
            if mask is not None:
                stream = stack.enter_context(atomic_writer(mask))
                with packed(stream, compress=mask.name.endswith(".gz")) as sink:
                    write_mask(mask_header(volume), volume, stencil, sink)
    except _Discard:
        return


def _pass_on(plan: Plan, reason: str, target: Path, mask: Path | None) -> DefaceReport:
    """Copy every voxel unchanged; the mask is empty."""
    volume = plan.scene.volume
    empty = Stencil((0, 0, 0), np.zeros((0, 0, 0), np.uint8))

    def content(sink: Any) -> None:
        sink.write(volume.head)
        for _, _, stored in slabs(volume):
            sink.write(stored.tobytes(order="F"))

    _commit(volume, target, content, mask, empty, lambda: True)
    skin = plan.expectation.skin_ahead
    nothing = Effect(0, float("inf"), 0.0, None, None, 0.0, bumps_left(skin, skin))
    return DefaceReport(Verdict.NO_FACE, [reason], _measures(plan, nothing, 0))


def judge_changes(plan: Plan, comparison: Comparison) -> DefaceReport:
    """Judge what really changed between source and result."""
    means, affine = comparison.changed.result()
    changed: Array3 = plan.head.grid.carry(means, affine, np.eye(4))
    means, affine = comparison.after.result()
    after: Array3 = plan.head.grid.carry(means, affine, np.eye(4), outside=plan.scene.air)
    effect = measure(
        plan.head,
        plan.template,
        plan.pose,
        plan.protection,
        plan.expectation,
        changed,
        after,
        comparison.watched_changed,
    )
    decision, reasons = verdict(plan.expectation, effect, plan.doubts, bare=plan.head.bare)
    return DefaceReport(decision, reasons, _measures(plan, effect, comparison.voxels_changed))


def _measures(plan: Plan, effect: Effect, voxels_changed: int) -> dict[str, Any]:
    found = volumes(plan.head, plan.template, plan.pose, plan.protection)
    return {
        "modality": str(plan.scene.modality),
        "voxels_changed": voxels_changed,
        **as_numbers(plan.pose, plan.protection, plan.expectation, effect),
        "intracranial_ml": found.intracranial_ml,
        "brain_ml": found.brain_ml,
    }


def check_files(source: Path, result: Path, *, modality: str = "auto") -> DefaceReport:
    """Judge a de-faced image that already exists against its source, whoever made it.

    Parameters
    ----------
    source, result : Path
        The image before and after.
    modality : {"auto", "ct", "mr"}

    Returns
    -------
    DefaceReport

    Raises
    ------
    Refused
        ``other-geometry`` when the two files do not have the same header.
    """
    plan = make_plan(source, modality=modality)
    before, after = plan.scene.volume, open_volume(result)
    if before.head != after.head:
        raise Refused(
            "other-geometry",
            "The result has another header than its source.",
            remedy="Compare a result with the file it was made from.",
        )
    comparison = Comparison(plan.scene, plan.head.grid, plan.protection.brain)
    for (repeat, start, one), (_, _, other) in zip(slabs(before), slabs(after), strict=True):
        comparison.add(repeat, start, one, other)
    return judge_changes(plan, comparison)
