"""What verdicts and measures are called where people read them; the report keeps their short names."""

from __future__ import annotations

from collections.abc import Mapping

_SHARE, _PLAIN = "%", ""

_MEASURES: dict[str, tuple[str, str]] = {
    "brain_changed": ("brain voxels changed", _PLAIN),
    "clearance_mm": ("nearest removed voxel to the brain", "mm"),
    "front_moved": ("eyes, nose and mouth moved back by 8 mm or more", _SHARE),
    "skin_removed": ("facial skin removed", _SHARE),
    "ears_removed": ("ears removed", _SHARE),
    "removed_ml": ("tissue removed", "ml"),
    "voxels_changed": ("voxels changed", _PLAIN),
    "face_in_view_cm2": ("face in view", "cm2"),
    "face_present": ("of it tissue", _SHARE),
    "recession_mm": ("face behind the average one", "mm"),
    "modality": ("kind of image", _PLAIN),
    "nmi": ("match with the average head (NMI; doubtful under 1.05)", _PLAIN),
    "second_nmi": ("match of the next best pose", _PLAIN),
    "inside": ("head inside the average head's data", _SHARE),
    "scales": ("size against the average head", _PLAIN),
    "intracranial_ml": ("space inside the skull", "ml"),
    "brain_ml": ("brain (approximate)", "ml"),
    "brain_overlap": ("brain confirmed by the image", _SHARE),
    "vault": ("brain case filled by the average brain", _SHARE),
    "bumps_cm2": ("forehead that stands out like a nose", "cm2"),
}


def readable(measures: Mapping[str, object]) -> dict[str, str]:
    """Return the measures people ask for, in order of weight: words -> value with its unit."""
    return {
        words: _with_unit(measures[name], unit)
        for name, (words, unit) in _MEASURES.items()
        if measures.get(name) is not None
    }


def _with_unit(value: object, unit: str) -> str:
    if unit == _SHARE and isinstance(value, int | float):
        return f"{value:.1%}"
    text = " x ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{text} {unit}".rstrip()
