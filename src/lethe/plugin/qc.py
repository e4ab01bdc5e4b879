"""The de-facing QC as an item: from the report of a run to the elements of ``lethe:defaceQcData``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from lethe.errors import Refused
from lethe.plugin.types import NAMESPACE, deface_qc

_VERDICTS = {"pass": "pass", "no-face": "pass", "review": "review", "fail": "fail"}


def assessment(report: Mapping[str, Any], *, scan: str, scan_type: str = "") -> dict[str, str]:
    """Return the elements that a run fills, from ``report.json`` of its resource DEFACE_QC.

    Parameters
    ----------
    report : mapping
        Of one image, or the summary of several images of a scan.
    scan, scan_type : str

    Raises
    ------
    Refused
        The report holds no verdict.
    """
    images = list(report["images"].values()) if isinstance(report.get("images"), Mapping) else [report]
    verdict = _VERDICTS.get(str(report.get("verdict")))
    if verdict is None or not all(isinstance(image, Mapping) for image in images):
        raise Refused(
            "no-verdict", "A de-facing report holds no verdict.", remedy="Launch deface on the scan again."
        )
    measures = [image.get("measures", {}) for image in images]
    removed = [one["removed_ml"] for one in measures if one.get("removed_ml") is not None]
    brain = [one["brain_changed"] for one in measures if one.get("brain_changed") is not None]
    values = {
        "scan_id": scan,
        "scan_type": scan_type,
        "method": str(images[0].get("method", "")),
        "method_version": str(images[0].get("method_version", "")),
        "verdict": verdict,
        "auto_verdict": verdict,
        "removed_ml": f"{sum(removed):.1f}" if removed else "",
        "brain_damage": "none" if brain and not any(brain) else "",
        "remarks": "No face in the image." if report["verdict"] == "no-face" else "",
    }
    return {name: text for name, text in values.items() if text}


def document(values: Mapping[str, str]) -> bytes:
    """Return an item of the type as XML; its elements come in the order of the schema.

    Raises
    ------
    Refused
        An element is not of the type, or its text is not allowed.
    """
    elements = deface_qc().elements
    for name, text in values.items():
        if name not in elements or elements[name].fault(text):
            raise Refused("qc-element", f"{name} is no allowed element of a de-facing QC.")
    root = etree.Element(f"{{{NAMESPACE}}}DefaceQc", nsmap={"lethe": NAMESPACE})
    for name in elements:
        if values.get(name):
            etree.SubElement(root, f"{{{NAMESPACE}}}{name}").text = values[name]
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
