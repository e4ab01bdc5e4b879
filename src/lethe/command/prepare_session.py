"""Convert, de-face and rebuild every scan of a session in one launch.

The work on a scan is that of the single commands, so its resources are theirs, file by file. A scan that
fails stops no other: the report tells the step and the reason.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lethe.command import clean_header, deface, dicom_to_nifti, nifti_to_dicom
from lethe.command.harness import is_full, no_space, perform
from lethe.command.inputs import counted, resource_files
from lethe.command.limits import share_threads, workers
from lethe.command.model import LANE_RULES, Command, Done, Job, Option, Output
from lethe.command.parallel import Failed, each
from lethe.errors import Outcome, Refused, Unavailable
from lethe.files import write_json

RESOURCES: Mapping[str, Mapping[str, str]] = {
    "dicom-to-nifti": {"nifti": "NIFTI", "conversion": "CONVERSION"},
    "deface": {"defaced": "NIFTI_DEFACED", "qc": "DEFACE_QC"},
    "nifti-to-dicom": {"dicom": "DICOM_DEFACED"},
    "clean-header": {"clean": "DICOM_CLEAN"},
}
"""Output folder of each step and the resource of the scan that it becomes, as its own command.json says."""
BYTES_EACH = 1536 << 20
"""Memory that the work on one scan may need; how it was measured stands in the README."""
_REBUILT = ("pass", "no-face")
_THICKER = 1.6
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Scan:
    """A scan: its folder's name in the session, its DICOM folder, where its resources are built."""

    name: str
    dicom: Path
    built: Path


def work(job: Job) -> Done:
    """Prepare every scan of the session folder ``job.input`` into ``scans`` and ``report``."""
    from lethe.image.lane import rules_of

    rules_of(job.environment.get(LANE_RULES, ""))  # a mistake in them is none of a scan's
    scans = _scans(job)
    several = workers(len(scans), BYTES_EACH)
    job.say(f"input: {counted(scans, 'scan')} with DICOM, {several} at a time")
    share_threads(os.environ, several)
    _import_all()
    found = _each(job, scans, several, _convert)
    heads = [scan for scan in scans if found[scan.name].get("head")]
    _learn(found, _each(job, heads, several, _remove_face))
    _learn(found, _look_again(job, heads, found, several))
    cleared = [scan for scan in heads if found[scan.name].get("verdict") in _REBUILT]
    if job.options["rebuild"] == "yes":
        _learn(found, _each(job, cleared, several, _rebuild))
    rows = [_row(scan, found[scan.name]) for scan in scans]
    failed = [row for row in rows if row["failed"]]
    if len(failed) == len(rows):
        raise _nothing_prepared(failed)
    verdict = "partly-prepared" if failed else "prepared"
    write_json(job.folder("report") / "report.json", {"verdict": verdict, "scans": rows})
    job.say(f"{len(rows) - len(failed)} of {counted(rows, 'scan')} prepared, {len(failed)} failed")
    digests = sorted(digest for result in found.values() for digest in result.get("digests", ()))
    inputs = [{"name": f"object-{n}", "sha256": digest} for n, digest in enumerate(digests, 1)]
    return Done(verdict, inputs)


def _scans(job: Job) -> list[_Scan]:
    folders = sorted((job.input / "SCANS").glob("*"), key=_natural)
    found = [
        _Scan(folder.name, folder / "DICOM", job.folder("scans") / folder.name)
        for folder in folders
        if (folder / "DICOM").is_dir() and resource_files(folder / "DICOM")
    ]
    if not found:
        raise Refused(
            "no-scans",
            "No scan of the session has a DICOM resource with files.",
            remedy="Launch on a session whose images are archived.",
        )
    return found


def _natural(folder: Path) -> list[tuple[int, str]]:
    words = re.split(r"(\d+)", folder.name)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _import_all() -> None:
    """Import once what every worker needs: they are forks of this process."""
    dicom_to_nifti.self_test()
    deface.self_test()
    nifti_to_dicom.self_test()


def _each(
    job: Job, scans: Sequence[_Scan], several: int, work: Callable[[Job, _Scan], Json]
) -> dict[str, Json]:
    """Work on several scans at once; return what is known of each by its name."""

    def one(scan: _Scan) -> Json:
        return work(replace(job, say=job.say.about(f"scan {scan.name}")), scan)

    def known(scan: _Scan, result: Json | Failed) -> Json:
        if not isinstance(result, Failed):
            return result
        job.say.about(f"scan {scan.name}")(f"failed: {result.sentence} [{result.code}]")
        return {"failed": {"step": "", **result.as_dict()}}

    return {
        scan.name: known(scan, result) for scan, result in zip(scans, each(scans, one, several), strict=True)
    }


def _convert(job: Job, scan: _Scan) -> Json:
    """Convert a scan if its lane allows; clean it again if it stays DICOM."""
    found: Json = {}

    def steps() -> None:
        done = _step(job, scan, dicom_to_nifti.COMMAND, scan.dicom)
        found["lane"] = done.verdict
        found["digests"] = [entry["sha256"] for entry in done.inputs]
        found["head"] = done.verdict == "deface" and (scan.built / "NIFTI").is_dir()
        found.update(_geometry(scan) if found["head"] else {})
        found["verdict"] = {"convert": "converted", "quarantine": "held"}.get(done.verdict, "")
        if done.verdict == "header-only":
            found["verdict"] = _step(job, scan, clean_header.COMMAND, scan.dicom).verdict

    return found | _failure_of(job, scan, steps)


def _learn(found: dict[str, Json], more: Mapping[str, Json]) -> None:
    """Add what a later step tells of some scans."""
    for name, result in more.items():
        found[name] = {**found[name], **result}


def _remove_face(job: Job, scan: _Scan) -> Json:
    found: Json = {}

    def steps() -> None:
        found["verdict"] = _step(job, scan, deface.COMMAND, scan.built / "NIFTI").verdict

    return found | _failure_of(job, scan, steps)


def _rebuild(job: Job, scan: _Scan) -> Json:
    mounts = {"nifti": scan.built / "NIFTI_DEFACED", "qc": scan.built / "DEFACE_QC"}
    return _failure_of(job, scan, lambda: _step(job, scan, nifti_to_dicom.COMMAND, scan.dicom, mounts))


# ---- a scan with doubts looks at another one --------------------------------------------------------------


def _look_again(job: Job, heads: Sequence[_Scan], found: Mapping[str, Json], several: int) -> dict[str, Json]:
    """De-face once more what has doubts, with the pose of a scan of the same frame of reference.

    Which scans: those without the verdict pass or no-face, and those with much thicker slices than the finest
    one that passed. The result is kept only where it is no worse than before.
    """
    passed = [scan for scan in heads if found[scan.name].get("verdict") == "pass"]
    helped: dict[str, Path] = {}
    for scan in heads:
        frame, own = found[scan.name].get("frame"), found[scan.name].get("thickness", 0.0)
        others = [
            one for one in passed if one is not scan and frame and found[one.name].get("frame") == frame
        ]
        best = min(others, key=lambda one: float(found[one.name]["thickness"]), default=None)
        if best is None:
            continue
        doubtful = found[scan.name].get("verdict") not in _REBUILT
        if doubtful or own > _THICKER * found[best.name]["thickness"]:
            helped[scan.name] = _first_image(best)

    def again(part: Job, scan: _Scan) -> Json:
        return _beside(part, scan, helped[scan.name], str(found[scan.name].get("verdict") or ""))

    results = _each(job, [scan for scan in heads if scan.name in helped], several, again)
    # a second look that breaks leaves the result of the first
    return {name: result for name, result in results.items() if "verdict" in result}


def _beside(job: Job, scan: _Scan, reference: Path, before: str) -> Json:
    """De-face a scan with the help of another; nothing is changed when that is of no use."""

    def better(done: Done) -> bool:
        return not before or deface.SEVERITY.index(done.verdict) <= deface.SEVERITY.index(before)

    command = replace(deface.COMMAND, work=lambda part: deface.work_beside(part, reference))
    try:
        done = _step(job, scan, command, scan.built / "NIFTI", keep=better)
    except _StepFailed as failure:
        job.say(f"no better: {failure.outcome}")
        return {}
    return {"verdict": done.verdict, "failed": None} if better(done) else {}


def _first_image(scan: _Scan) -> Path:
    return min((scan.built / "NIFTI").glob("*.nii.gz"))


def _geometry(scan: _Scan) -> Json:
    """Return the frame of reference of a scan (never shown) and the longest side of its voxels, mm."""
    import nibabel
    import pydicom

    first = resource_files(scan.dicom)[0]
    header = pydicom.dcmread(
        first, stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"], force=True
    )
    image: Any = nibabel.load(_first_image(scan))
    frame = str(header.get("FrameOfReferenceUID", ""))
    return {"frame": frame, "thickness": float(max(image.header.get_zooms()[:3]))}


class _StepFailed(Exception):
    def __init__(self, step: str, outcome: Outcome) -> None:
        super().__init__(step)
        self.step = step
        self.outcome = outcome


def _step(
    job: Job,
    scan: _Scan,
    command: Command,
    source: Path,
    mounts: Mapping[str, Path] | None = None,
    keep: Callable[[Done], bool] = lambda done: True,
) -> Done:
    """Do the work of a single command on a scan; its resources appear whole or, unless `keep`, not at all."""
    job.say(command.name)
    options = {option.name: job.options[option.name] for option in command.options}
    with tempfile.TemporaryDirectory(prefix="step-") as folder:
        part = Job(source, Path(folder), options, job.say, mounts or {}, job.environment)
        try:
            done = perform(command, part)
        except Outcome as outcome:
            raise _StepFailed(command.name, outcome) from outcome
        if not keep(done):
            return done
        scan.built.mkdir(exist_ok=True)
        for name, label in RESOURCES[command.name].items():
            if (part.staging / name).is_dir():
                shutil.rmtree(scan.built / label, ignore_errors=True)
                os.replace(part.staging / name, scan.built / label)
    return done


def _failure_of(job: Job, scan: _Scan, steps: Callable[[], object]) -> Json:
    """Run the steps of a scan; return the failure that ended them, if one did.

    What does not lie with the scan (a full disk, a missing program) is raised.
    """
    try:
        steps()
    except _StepFailed as failure:
        outcome = failure.outcome
        if is_full(job.staging, sum(path.stat().st_size for path in resource_files(scan.dicom))):
            raise no_space() from failure
        if isinstance(outcome, Unavailable):
            raise outcome from failure
        job.say(f"failed: {outcome}")
        return {"failed": {"step": failure.step, **outcome.as_dict()}}
    return {}


def _row(scan: _Scan, found: Json) -> Json:
    """Return the report's line on a scan."""
    built = sorted(path.name for path in scan.built.iterdir()) if scan.built.is_dir() else []
    return {
        "scan": scan.name,
        "lane": found.get("lane", ""),
        "verdict": found.get("verdict", ""),
        "resources": built,
        "failed": found.get("failed"),
    }


def _nothing_prepared(failed: Sequence[Json]) -> Refused:
    counts = Counter(row["failed"]["code"] for row in failed)
    told = ", ".join(f"{code} ({count})" for code, count in sorted(counts.items()))
    first = next(row["failed"] for row in failed if row["failed"]["code"] == counts.most_common(1)[0][0])
    return Refused(
        "no-scan-prepared",
        f"No scan could be prepared: {told}. {first['sentence']}",
        remedy=first["remedy"] or "See the log.",
    )


def self_test() -> None:
    """Test what the single commands need."""
    for command in (dicom_to_nifti, deface, nifti_to_dicom, clean_header):
        command.COMMAND.self_test()


COMMAND = Command(
    name="prepare-session",
    summary="Convert, de-face and rebuild all scans of a session in one launch, several at a time.",
    needs="the folder of one session",
    outputs=(
        Output("scans", "resources of each scan, SCAN/LABEL/file, to be put in place", required=False),
        Output("report", "what became of each scan, provenance"),
    ),
    provenance_in="report",
    work=work,
    self_test=self_test,
    rooms=(),
    parts=tuple(sorted(RESOURCES)),
    options=(
        *deface.COMMAND.options,
        Option(
            "rebuild",
            "Put de-faced images back into DICOM objects where the verdict is pass or no-face",
            ("yes", "no"),
            "yes",
        ),
    ),
)
