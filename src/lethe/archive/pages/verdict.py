"""The de-face verdict of a scan: what its ``DEFACE_QC`` resource says and shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lethe.archive import content
from lethe.archive.context import Context
from lethe.archive.model import Item, Resource

RESOURCE = "DEFACE_QC"
_LARGEST_REPORT = 1 << 20
_WORDS = {
    "pass": ("Face removed", "good"),
    "no-face": ("No face in the image", "good"),
    "review": ("A person must look", "warn"),
    "fail": ("Not safe", "bad"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict with its reasons and the paths of its pictures."""

    resource: Resource
    word: str
    reasons: Sequence[str]
    pictures: Sequence[str]

    @property
    def text(self) -> str:
        """The verdict in words."""
        return _WORDS.get(self.word, ("Unknown verdict", ""))[0]

    @property
    def style(self) -> str:
        """The style class of its badge."""
        return _WORDS.get(self.word, ("", "bad"))[1]


def verdict_of(ctx: Context, resource: Resource) -> Verdict:
    """Read verdict and pictures of a ``DEFACE_QC`` resource; an unreadable report is no pass."""
    entries = content.list_files(ctx, resource)
    reports = [one for one in entries if one.path.rsplit("/", 1)[-1] == "report.json"]
    words: list[str] = []
    reasons: list[str] = []
    for entry in reports:
        found: object = None
        if entry.size <= _LARGEST_REPORT:
            try:
                found = json.loads(content.file_path(ctx, resource, entry).read_bytes())
            except (ValueError, OSError):
                found = None
        report = found if isinstance(found, dict) else {}
        words.append(str(report.get("verdict", "unknown")))
        listed = report.get("reasons", [])
        reasons += [str(reason) for reason in listed] if isinstance(listed, list) else []
    pictures = [one.path for one in entries if one.path.lower().endswith(".png")]
    return Verdict(resource, _worst(words), reasons, pictures)


def session_verdicts(ctx: Context, scans: Sequence[Item]) -> dict[int, Verdict]:
    """Return the verdicts of the scans that have one, by row number of the scan."""
    return {
        resource.owner: verdict_of(ctx, resource)
        for resource in content.list_resources(ctx, scans)
        if resource.label == RESOURCE
    }


def _worst(words: Sequence[str]) -> str:
    order = ("no-face", "pass", "review", "fail")
    if not words or any(word not in order for word in words):
        return "unknown"
    return max(words, key=order.index)
