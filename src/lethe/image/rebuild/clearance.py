"""May this de-faced image leave? What deface wrote about it says so, and only about that very file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lethe.errors import Refused
from lethe.files import sha256_of

REPORT, PROVENANCE, MASK = "report.json", "provenance.json", "mask.nii.gz"
MAY_LEAVE = frozenset({"pass", "no-face"})
_REMEDY = "Use NIFTI_DEFACED and DEFACE_QC of one run of deface."


@dataclass(frozen=True, slots=True)
class Clearance:
    """What allows images to be rebuilt.

    Attributes
    ----------
    verdict : str
        Of the scan: ``pass`` or ``no-face``.
    method : str
        Name and version of the method.
    masks : tuple of Path
        What was changed in each image, in the order of the images.
    """

    verdict: str
    method: str
    masks: tuple[Path, ...]


def cleared(images: Sequence[Path], qc: Path) -> Clearance:
    """Check verdict and origin of de-faced images.

    Parameters
    ----------
    images : sequence of Path
        The de-faced images of one scan.
    qc : Path
        Folder with what deface reported: ``report.json``, ``provenance.json``, ``mask.nii.gz``; for
        several images the mask of each is in a folder of its name.

    Returns
    -------
    Clearance
        Only when the verdict lets the images go.

    Raises
    ------
    Refused
        ``no-verdict``, ``verdict-forbids``, ``verdict-of-other-image``.
    """
    report, record = _read(qc / REPORT), _read(qc / PROVENANCE)
    parts = report.get("images")
    reports = parts if isinstance(parts, dict) and parts else {"": report}
    verdicts = {str(part.get("verdict")) for part in (report, *reports.values())}
    if not verdicts <= MAY_LEAVE:
        raise Refused(
            "verdict-forbids",
            "The verdict of de-facing lets this scan not leave as DICOM.",
            remedy="Let a curator look at DEFACE_QC; only pass and no-face go on.",
        )
    _same_files(images, record)
    masks = tuple(_mask(image, qc, alone=len(images) == 1) for image in images)
    return Clearance(str(report["verdict"]), _method(next(iter(reports.values())), record), masks)


def _same_files(images: Sequence[Path], record: dict[str, Any]) -> None:
    known = {str(entry.get("sha256")) for entry in record.get("outputs", []) if isinstance(entry, dict)}
    if not images or any(sha256_of(image) not in known for image in images):
        raise Refused(
            "verdict-of-other-image", "The verdict was given on another image than this.", remedy=_REMEDY
        )


def _mask(image: Path, qc: Path, *, alone: bool) -> Path:
    folder = qc if alone else qc / image.name.removesuffix(".nii.gz")
    mask = folder / MASK
    if not mask.is_file():
        raise Refused("no-verdict", "DEFACE_QC does not hold what deface writes.", remedy=_REMEDY)
    return mask


def _method(report: dict[str, Any], record: dict[str, Any]) -> str:
    names = (str(report.get(key, "")) for key in ("method", "method_version"))
    return " ".join(name for name in names if name) or f"lethe {record.get('library_version', '')}".strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused("no-verdict", "DEFACE_QC does not hold what deface writes.", remedy=_REMEDY) from error
    if not isinstance(content, dict):
        raise Refused("no-verdict", "DEFACE_QC does not hold what deface writes.", remedy=_REMEDY)
    return content
