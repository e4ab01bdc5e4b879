"""Collections for the browser tests, written through the archive's own functions (no server needed)."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kit.phantom import Volume, head
from lethe.archive import accounts, content, items
from lethe.archive.containers import registry, runner_of
from lethe.archive.context import Context, open_context
from lethe.archive.model import Item

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "a password for the tests"
PEOPLE = {
    "admin": ("Ada", "Admin"),
    "coordinator": ("Cora", "Coordinator"),
    "researcher": ("Rui", "Researcher"),
    "second": ("Sena", "Second"),
    "collaborator": ("Cem", "Collaborator"),
    "outsider": ("Ola", "Outsider"),
}
ROLES = {
    "DEMO": {"coordinator": "owner", "researcher": "member", "collaborator": "collaborator"},
    "DEMO_INTAKE": {"coordinator": "owner", "researcher": "member", "second": "member"},
}
NASTY = "<img src=x onerror=window.hacked=1>"
"""Markup that would run if it were shown as anything but text; it has no slash, so a label may hold it."""


class Calendar:
    """The clock while collections are written: some days before now."""

    def __init__(self) -> None:
        self.days_ago = 300.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=self.days_ago)


_SMALL = (4.75, 5.3, 5.0)  # 48 x 48 x 48 voxels


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the tests need to know of a seeded collection."""

    raw_session: str
    review: tuple[str, ...]


def small_collection(root: Path) -> Seeded:
    """Write the collection DEMO with its intake project: twelve patients in every stage of the work."""
    ctx = open_context(root, clock=(calendar := Calendar()))
    try:
        runner_of(ctx)  # brings the tables of the commands
        with ctx.store.write():
            _people(ctx)
            _projects(ctx, "DEMO", ROLES)
            _commands(ctx, "DEMO_INTAKE")
            return _patients(ctx, calendar)
    finally:
        ctx.store.close()


def nasty_collection(ctx_root: Path) -> None:
    """Write a collection in which every text a person or a scanner can set holds markup."""
    ctx = open_context(ctx_root)
    try:
        with ctx.store.write():
            _projects(
                ctx, "NASTY", {"NASTY": {"coordinator": "owner"}, "NASTY_INTAKE": {"coordinator": "owner"}}
            )
            for project in ("NASTY", "NASTY_INTAKE"):
                found = items.find_project(ctx, project)
                assert found is not None
                items.update_fields(
                    ctx,
                    found,
                    {"name": f"{NASTY} {project}", "description": NASTY, "keywords": NASTY},
                    login="admin",
                )
                _nasty_patient(ctx, project)
            accounts.create_user(
                ctx, "markup", PASSWORD, email="markup@example.org", first_name=NASTY, last_name=NASTY
            )
            accounts.set_membership(ctx, "NASTY", "markup", "member")
    finally:
        ctx.store.close()


def large_collection(root: Path, subjects: int = 10_000, sessions: int = 3_000) -> None:
    """Write the collection LARGE: subjects, sessions with a de-facing verdict, a record for each session."""
    rng = random.Random(8)
    ctx = open_context(root, clock=(calendar := Calendar()))
    try:
        with ctx.store.write():
            _projects(
                ctx, "LARGE", {"LARGE": {"coordinator": "owner"}, "LARGE_INTAKE": {"coordinator": "owner"}}
            )
            for number in range(subjects):
                calendar.days_ago = 1 + 500 * (1 - number / subjects) ** 2
                subject, _ = items.ensure_subject(ctx, "LARGE", f"P{number:05d}", login="admin")
                if number < sessions:
                    _large_session(ctx, subject, number, rng)
    finally:
        ctx.store.close()


def _large_session(ctx: Context, subject: Item, number: int, rng: random.Random) -> None:
    data = {
        "date": f"202{number % 5}-0{number % 9 + 1}-15",
        "modality": "CT",
        "acquisition_site": ("Basel", "Bern", "Kyoto")[number % 3],
    }
    session, _ = items.ensure_experiment(
        ctx, "LARGE", subject, f"{subject.label}_CT1", "xnat:ctSessionData", login="admin", data=data
    )
    verdict = "review" if number % 300 == 0 else "pass"
    items.ensure_assessor(
        ctx, session, f"{session.label}_DQC_2", "lethe:defaceQcData", login="admin",
        data={"scan_id": "2", "scan_type": "CTA", "verdict": verdict, "auto_verdict": verdict},
    )  # fmt: skip
    record = {
        "event_no": "1", "record_status": "complete", "age_years": str(rng.randint(30, 90)),
        "sex": rng.choice("FM"), "nihss_admission": str(rng.randint(0, 30)),
    }  # fmt: skip
    if number % 20:
        record["mrs_3m"] = str(rng.randint(0, 6))
    items.ensure_experiment(
        ctx, "LARGE", subject, f"{subject.label}_CLIN_1", "lethe:clinicalData", login="admin", data=record
    )


def _people(ctx: Context) -> None:
    for login, (first, last) in PEOPLE.items():
        accounts.create_user(
            ctx, login, PASSWORD, email=f"{login}@example.org", first_name=first, last_name=last,
            admin=login == "admin",
        )  # fmt: skip


def _projects(ctx: Context, name: str, roles: Mapping[str, Mapping[str, str]]) -> None:
    words = {
        name: "De-faced images and scrambled clinical records of stroke patients",
        f"{name}_INTAKE": f"What is received for {name}; shows faces, so only those who prepare it may enter",
    }
    for project, description in words.items():
        items.create_project(ctx, project, login="admin", data={"description": description})
        for login, role in roles[project].items():
            accounts.set_membership(ctx, project, login, role)


def _commands(ctx: Context, project: str) -> None:
    for file in sorted((REPOSITORY / "xnat-containers").glob("*/command.json")):
        registry.add_command(ctx, registry.parsed(json.loads(file.read_text())), login="admin")
    for one in registry.every_wrapper(ctx):
        registry.set_enabled(ctx, one.wrapper_id, True)
        registry.set_enabled(ctx, one.wrapper_id, True, project)


# ---- the twelve patients ------------------------------------------------------------------------

_SITES = ("Basel", "Bern", "Kyoto")


def _patients(ctx: Context, calendar: Calendar) -> Seeded:
    review = []
    for number in range(12):
        calendar.days_ago = 290 - 26 * number + 40 * (number % 3)
        label = f"{0xA10F + 977 * number:04X}"
        subject, _ = items.ensure_subject(ctx, "DEMO_INTAKE", label, login="coordinator")
        session = _session(ctx, subject, "DEMO_INTAKE", number)
        volume = head("ct", spacing=(2.4, 2.4, 3.0) if number == 0 else _SMALL, seed=number)
        scan = _scan(ctx, session, "2", "CTA head", "CT Angio arterial phase")
        _nifti(ctx, scan, "NIFTI", volume)
        _scan(ctx, session, "5", "CTP", "Perfusion 1.5 s")
        if number == 0:
            raw = session.id
            continue  # its de-facing is launched by a test
        verdict = "review" if number in (2, 5, 7, 9) else "fail" if number == 11 else "pass"
        _deface(ctx, session, scan, volume, verdict, number)
        if verdict == "review":
            review.append(session.id)
        if verdict == "pass" and number < 11:
            _publish(ctx, label, number, volume)
    return Seeded(raw, tuple(review))


def _session(ctx: Context, subject: Item, project: str, number: int) -> Item:
    data = {
        "date": f"2025-{number % 12 + 1:02d}-1{number % 9}",
        "modality": "CT",
        "acquisition_site": _SITES[number % 3],
    }
    return items.ensure_experiment(
        ctx, project, subject, f"{subject.label}_CT1", "xnat:ctSessionData", login="coordinator", data=data
    )[0]


def _scan(ctx: Context, session: Item, number: str, kind: str, description: str) -> Item:
    data = {
        "type": kind,
        "series_description": description,
        "quality": "usable",
        "modality": "CT",
        "frames": "48",
    }
    return items.ensure_scan(ctx, session, number, "xnat:ctScanData", login="coordinator", data=data)[0]


def defaced(volume: Volume) -> tuple[Volume, NDArray[np.uint8]]:
    """Return the volume without what lies low in front, and the mask of it."""
    mask: NDArray[np.uint8] = (volume.data >= -500).astype(np.uint8)
    _, deep, high = volume.data.shape
    mask[:, : int(deep * 0.72)] = 0
    mask[:, :, int(high * 0.52) :] = 0
    data = volume.data.copy()
    data[mask > 0] = -1000
    return Volume(data, volume.affine), mask


def _deface(ctx: Context, session: Item, scan: Item, volume: Volume, verdict: str, number: int) -> None:
    after, mask = defaced(volume)
    if verdict != "fail":
        _nifti(ctx, scan, "NIFTI_DEFACED", after)
    report = {"verdict": verdict, "method": "lethe-deface", "method_version": "1.0.0", "reasons": []}
    _file(ctx, scan, "DEFACE_QC", "report.json", json.dumps(report).encode())
    _nifti(ctx, scan, "DEFACE_QC", Volume(mask.astype(np.int16), volume.affine), "mask.nii.gz")
    for name, shown in (("before.png", volume), ("after.png", after), ("sheet.png", after)):
        _file(ctx, scan, "DEFACE_QC", name, _picture(shown))
    items.ensure_assessor(
        ctx, session, f"{session.label}_DQC_2", "lethe:defaceQcData", login="coordinator",
        data={
            "scan_id": "2", "scan_type": "CTA head", "method": "lethe-deface", "method_version": "1.0.0",
            "verdict": verdict, "auto_verdict": verdict, "removed_ml": f"{212.4 + number:.1f}",
            "brain_kept_percent": "99.98", "residual_face_score": f"{0.05 + 0.04 * number:.2f}",
            "face_voxels_removed": "1754",
        },
    )  # fmt: skip


def _publish(ctx: Context, label: str, number: int, volume: Volume) -> None:
    subject, _ = items.ensure_subject(ctx, "DEMO", label, login="coordinator")
    session = _session(ctx, subject, "DEMO", number)
    scan = _scan(ctx, session, "2", "CTA head", "CT Angio arterial phase")
    _nifti(ctx, scan, "NIFTI_DEFACED", defaced(volume)[0])
    record = {
        "event_no": "1", "record_status": "complete" if number % 2 else "draft", "source": "registry",
        "age_years": str(51 + 3 * number), "sex": "FM"[number % 2], "nihss_admission": str(4 + number),
        "hypertension": "yes", "onset_known": "witnessed", "onset_to_door_min": str(60 + 7 * number),
        "stroke_type": "ischemic", "ivt": "yes", "ivt_agent": "alteplase", "evt": "no", "death": "no",
    }  # fmt: skip
    if number not in (3, 8):
        record["mrs_3m"] = str(number % 5)
    items.ensure_experiment(
        ctx, "DEMO", subject, f"{label}_CLIN_1", "lethe:clinicalData", login="coordinator", data=record
    )


def _nasty_patient(ctx: Context, project: str) -> None:
    subject, _ = items.ensure_subject(ctx, project, NASTY, login="admin", data={"group": NASTY})
    session, _ = items.ensure_experiment(
        ctx, project, subject, f"{NASTY} CT", "xnat:ctSessionData", login="admin",
        data={"acquisition_site": NASTY, "note": NASTY, "modality": "CT", "date": "2025-02-03"},
    )  # fmt: skip
    scan, _ = items.ensure_scan(
        ctx, session, "1", "xnat:ctScanData", login="admin",
        data={"type": NASTY, "series_description": NASTY, "note": NASTY, "quality": "usable"},
    )  # fmt: skip
    for resource in ("NIFTI", "NIFTI_DEFACED"):
        _nifti(ctx, scan, resource, head("ct", spacing=(9.5, 10.6, 10.0)), f"{NASTY}.nii.gz")
    _file(ctx, scan, "DEFACE_QC", f"{NASTY}.png", _picture(head("ct", spacing=(9.5, 10.6, 10.0))))
    items.ensure_assessor(
        ctx, session, f"{NASTY} DQC", "lethe:defaceQcData", login="admin",
        data={
            "scan_id": "1", "scan_type": NASTY, "verdict": "review", "auto_verdict": "review",
            "remarks": NASTY, "reviewer": NASTY, "method": NASTY,
        },
    )  # fmt: skip
    items.ensure_experiment(
        ctx, project, subject, f"{NASTY}_CLIN_1", "lethe:clinicalData", login="admin",
        data={"event_no": "1", "remarks": NASTY, "side": NASTY},
    )  # fmt: skip


def _file(ctx: Context, owner: Item, resource: str, name: str, body: bytes) -> None:
    found, _ = content.ensure_resource(ctx, owner, resource, login="coordinator", format="NIFTI")
    content.add_file(ctx, found, name, io.BytesIO(body), login="coordinator")


def _nifti(ctx: Context, owner: Item, resource: str, volume: Volume, name: str = "image.nii.gz") -> None:
    image = nib.Nifti1Image(volume.data, volume.affine)  # type: ignore[no-untyped-call]
    path = ctx.store.temporary().with_suffix(".nii.gz")
    nib.save(image, path)
    _file(ctx, owner, resource, name, path.read_bytes())
    path.unlink()


def _picture(volume: Volume) -> bytes:
    middle = np.moveaxis(volume.data, 0, -1)[..., len(volume.data) // 2].T[::-1].astype(float)
    grey = np.clip((middle + 200) / 400 * 255, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(grey).resize((480, 360)).save(stream, "PNG")
    return stream.getvalue()
