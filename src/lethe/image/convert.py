"""From a DICOM series to NIfTI that provably holds all of it, or to a reason why not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lethe.errors import Misconfigured, Refused
from lethe.files import sync_folder, write_bytes, write_json
from lethe.image import nifti
from lethe.image.conserve import (
    ConservationReport,
    ImageReport,
    compare,
    misplacement,
    stack_affine,
)
from lethe.image.converter import HeadStart, Raw
from lethe.image.copies import COPIED, HELPED, plain_copies
from lethe.image.findings import Finding
from lethe.image.frames import Instance, dicom_files
from lethe.image.gradients import gradient_tables
from lethe.image.lane import PROJECT, Lane, LaneDecision, Rule, decide
from lethe.image.pack import Packer
from lethe.image.pixels import Planes
from lethe.image.reorder import MIXED_UP, REORDERED, put_in_order
from lethe.image.series import evidence_of, read_series
from lethe.image.sidecar import filtered
from lethe.image.stack import Stack, analyse

HEAD_IN_VIEW = "head-in-view"
_WHY_HELD = "The header names a part far from the head, but the image shows a head."


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of one series.

    Attributes
    ----------
    lane : LaneDecision
        Which way the series goes, and why.
    images, sidecars, gradients : list of Path
        Files written; all empty when the lane forbids conversion.
    conservation : ConservationReport or None
        Proof that nothing was lost; None when nothing was converted.
    """

    lane: LaneDecision
    images: list[Path] = field(default_factory=list)
    sidecars: list[Path] = field(default_factory=list)
    gradients: list[Path] = field(default_factory=list)
    conservation: ConservationReport | None = None

    @property
    def files(self) -> list[Path]:
        """Every file written."""
        return [*self.images, *self.sidecars, *self.gradients]


def convert_series(dicom: Path, out: Path, *, rules: Sequence[Rule] | None = None) -> Conversion:
    """Convert the series in a folder, if its lane allows.

    Parameters
    ----------
    dicom : Path
        Folder with the objects of one series; catalogue files in it are ignored.
    out : Path
        Existing folder for ``image.nii.gz`` and ``image.json``, numbered when there are several.
    rules : sequence of Rule, optional
        Lane table of the project.

    Returns
    -------
    Conversion
        With files in the lanes ``deface`` and ``convert``, without in the others.

    Raises
    ------
    Refused
        When the series is incomplete or irregular, or the conversion did not conserve it; nothing is
        written then. The code names the reason.
    """
    files = _files(dicom)
    with HeadStart(files) as start:
        return _convert_files(files, out, rules, start)


def series_files(dicom: Path) -> list[Path]:
    """Return the files of a series folder, refusing a folder that is not there or empty."""
    return _files(dicom)


def _convert_files(
    files: list[Path], out: Path, rules: Sequence[Rule] | None, start: HeadStart
) -> Conversion:
    instances = read_series(files)
    lane = decide(evidence_of(instances), rules)
    if lane.lane not in (Lane.DEFACE, Lane.CONVERT):
        return Conversion(lane)
    if not out.is_dir():
        raise Misconfigured(
            "no-output-folder", "The output folder does not exist.", remedy="Create it first."
        )
    stack = analyse(instances)
    if stack.fatal:
        first = stack.fatal[0]
        raise Refused(first.code, first.sentence, remedy=first.remedy)
    # On the disk of the results, so that they are renamed into place, not copied.
    with tempfile.TemporaryDirectory(prefix=".lethe-", dir=out) as ready:
        converted = _convert(instances, stack, lane, start, Path(ready))
    return _held_if_head(converted)


def _held_if_head(converted: Conversion) -> Conversion:
    """Hold a series whose header names a knee and whose image is a head; a project's own rule is its word."""
    lane = converted.lane
    if lane.lane is not Lane.CONVERT or lane.rule.startswith(PROJECT):
        return converted
    from lethe.image.deface import shows_head  # only the rare series without a head needs it

    if not any(shows_head(image) for image in converted.images):
        return converted
    for path in converted.files:
        path.unlink()
    return Conversion(replace(lane, lane=Lane.QUARANTINE, rule=HEAD_IN_VIEW, reason=_WHY_HELD))


def _convert(
    instances: Sequence[Instance], stack: Stack, lane: LaneDecision, start: HeadStart, ready: Path
) -> Conversion:
    ordered = sorted(instances, key=lambda instance: _order(stack, instance))
    scalings = {frame.scaling for instance in ordered for frame in instance.frames}
    # Told to keep to the standard, dcm2niix gives all slices the scaling of the first; but not with Philips.
    philips = all("PHILIPS" in i.manufacturer and all(f.precise for f in i.frames) for i in ordered)
    private = len(scalings) > 1 and (not philips or any(instance.enhanced for instance in ordered))
    # A CT is taken twice because the patient moved: each time point needs a mask and a verdict of its own.
    # And images of several kinds, as of water and of fat, are not times of one.
    times, kinds = max(map(len, stack.groups)), {(frame.component, frame.kind) for frame in stack.groups[0]}
    apart = times > 1 and (any(i.modality == "CT" for i in ordered) or len(kinds) > 1)
    planes = Planes(instances)
    with Packer(stack, planes, ready) as packer:
        check = partial(
            _checked,
            stack=stack,
            lane=lane,
            planes=planes,
            packer=packer,
            ready=ready,
            instances=len(instances),
        )

        def attempt(files: list[Path], remarks: list[Finding], apart: bool = apart) -> Conversion:
            run = start.run(files, private_scaling=private, apart=apart)
            try:
                raws = run.images()
            except Refused:
                packer.read_all()  # what is wrong with the pixels tells more than that the converter failed
                raise
            packer.use_both_cores()
            try:
                return check(raws, remarks=remarks)
            except Refused as refusal:
                if refusal.code in MIXED_UP:
                    raws = put_in_order(raws, stack, planes, start.folder(), apart=apart)
                if refusal.code not in MIXED_UP or not raws:
                    raise
                return check(raws, remarks=[*remarks, REORDERED])

        def copies(decode: bool) -> list[Path]:
            return plain_copies(stack, instances, planes, _empty(ready / "copies"), decode=decode)

        # Times of several kinds, as a diffusion series with its trace: a fourth axis for each kind.
        if 1 < len(kinds) < times and all(i.modality == "MR" and not i.enhanced for i in ordered):
            with suppress(Refused):
                return attempt(copies(decode=False), [COPIED], apart=False)
        try:
            return attempt([i.path for i in ordered], [])
        except Refused as refusal:
            for decode in (False, True) if refusal.code in HELPED else ():
                with suppress(Refused):
                    if files := copies(decode):
                        return attempt(files, [COPIED])
            raise


def _empty(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    return folder


def _checked(
    found: Sequence[Raw],
    *,
    stack: Stack,
    lane: LaneDecision,
    planes: Planes,
    packer: Packer,
    ready: Path,
    instances: int,
    remarks: Sequence[Finding] = (),
) -> Conversion:
    raws = dict(zip(_names(len(found)), found, strict=True))
    images = {name: nifti.read(raw.nifti) for name, raw in raws.items()}
    sheared = any(finding.code == "gantry-tilt" for finding in stack.findings)
    # The converter goes by two positions; where these are a little off the line, all of them tell more.
    off = max(misplacement(stack, image, image.affine) for image in images.values())
    own = sheared or stack.tolerance_mm / 2 < off <= 4 * stack.tolerance_mm
    affines = {name: stack_affine(stack, image) if own else image.affine for name, image in images.items()}
    with ThreadPoolExecutor(1) as writer:
        # Written while the comparison runs; thrown away with the folder if that finds a loss.
        sums = {
            name: writer.submit(
                packer.write,
                ready / name,
                nifti.clean_head(image, affines[name] if own else None),
                image.voxels,
            )
            for name, image in images.items()
        }
        report = compare(stack, images, affines, planes, instances=instances)
    results, findings = [], [*report.findings, *remarks]
    for name, image in zip(_names(len(images)), report.images, strict=True):
        tables, finding = gradient_tables(raws[image.name].gradients, image.volumes, affines[image.name])
        findings += [finding] if finding and finding not in findings else []
        named = replace(image, name=name, crc32=sums[image.name].result())
        results.append(_Result(named, ready / image.name, raws[image.name].sidecar, tables))
    report = replace(report, images=[result.image for result in results], findings=findings)
    return _write(ready.parent, results, lane, report)


@dataclass(frozen=True, slots=True)
class _Result:
    """One image under its name, which follows from the order of acquisition, and what goes with it."""

    image: ImageReport
    packed: Path
    sidecar: dict[str, Any]
    gradients: dict[str, bytes]


def _write(
    out: Path, results: Sequence[_Result], lane: LaneDecision, report: ConservationReport
) -> Conversion:
    written = Conversion(lane, conservation=report)
    try:
        for result in results:
            name = result.image.name
            written.images.append(out / f"{name}.nii.gz")
            os.replace(result.packed, written.images[-1])
            written.sidecars.append(out / f"{name}.json")
            write_json(written.sidecars[-1], filtered(result.sidecar))
            for suffix, content in result.gradients.items():
                written.gradients.append(out / f"{name}{suffix}")
                write_bytes(written.gradients[-1], content)
        sync_folder(out)
    except BaseException:
        for path in written.files:
            path.unlink(missing_ok=True)
        raise
    return written


def _names(count: int) -> list[str]:
    return ["image"] if count == 1 else [f"image-{number}" for number in range(1, count + 1)]


def _order(stack: Stack, instance: Instance) -> tuple[Any, ...]:
    frame = instance.frames[0]
    return (frame.number or 0, frame.temporal or 0, frame.position or (), instance.sop_uid)


def _files(dicom: Path) -> list[Path]:
    files = list(_existing(dicom))
    if not files:
        raise Refused(
            "no-dicom",
            "The folder holds no DICOM object.",
            remedy="Name the folder that holds the files of one series.",
        )
    return files


def _existing(dicom: Path) -> Iterator[Path]:
    if dicom.is_file():
        raise Misconfigured(
            "no-input-folder",
            "The input is a file, not a folder.",
            remedy="Name the folder that holds all files of the series.",
        )
    if not dicom.is_dir():
        raise Misconfigured("no-input-folder", "The input folder does not exist.", remedy="Check its name.")
    # A DICOMDIR is the table of contents of a disk, not an object of the series.
    return (path for path in dicom_files(dicom) if path.name.upper() != "DICOMDIR")
