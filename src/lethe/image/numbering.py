"""What the numbers that the scanner gave say about the slices, compared with their places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lethe.image.findings import Finding
from lethe.image.frames import Frame, Instance

REPEATED = Finding(
    "numbers-begin-again",
    "Image numbers are not unique; slices go by their places, and a missing outer one would not be noticed.",
    fatal=False,
)
NOT_NUMBERED = Finding(
    "no-numbers",
    "Images have no number; slices go by their places, and a missing outer one would not be noticed.",
    fatal=False,
)


def numbering(groups: Sequence[Sequence[Frame]], instances: Sequence[Instance], apart: bool) -> list[Finding]:
    """Compare the numbers the scanner gave with the places of the slices.

    Parameters
    ----------
    groups : sequence of sequence of Frame
        The frames of each position, in order of the places; inside a position in order of time.
    instances : sequence of Instance
        All objects of the series.
    apart : bool
        Whether the slices do not touch each other.

    Returns
    -------
    list of Finding
    """
    if any(instance.enhanced for instance in instances):
        return _enhanced(groups, instances)
    total = sum(len(group) for group in groups)
    findings = _declared(instances, total)
    # One row for each time point; the shortest positions end the table, but then images are missing anyway.
    table = [
        [frame.number for frame in row if frame.number is not None] for row in zip(*groups, strict=False)
    ]
    numbers = sorted(f.number for group in groups for f in group if f.number is not None)
    if len(numbers) < total:
        return [*findings, NOT_NUMBERED]
    # Some scanners begin again with each time point.
    for series in [numbers] if len(set(numbers)) == total else table:
        found = _repeating(series) if len(set(series)) < len(series) else _gaps(sorted(series), apart)
        findings += [finding for finding in found if finding not in findings]
    unique = [row for row in table if len(set(row)) == len(row)]
    if not all(map(_regular, unique)):
        findings.append(
            Finding(
                "order-contradiction",
                "Image numbers and slice positions contradict each other.",
                remedy="Send the series as the scanner stored it; numbers or positions were changed since.",
            )
        )
    return findings


def _repeating(row: Sequence[int]) -> list[Finding]:
    """Return what is wrong with numbers, in order of the places, some of which occur several times.

    They may begin again with each part of a stack, be given to two or more neighbours, or to all.
    """
    counts = Counter(row)
    alike = len(set(counts.values())) == 1
    merged = [number for n, number in enumerate(row) if n == 0 or number != row[n - 1]]
    parts = [merged] if alike and len(merged) == len(counts) else _parts(row)
    lowest = min(row)
    whole = all(sorted(part) == list(range(lowest, lowest + len(part))) for part in parts)
    if (len(counts) > 1 and lowest > 1) or not whole or not all(map(_regular, parts)):
        return [
            Finding(
                "repeated-numbers",
                "Image numbers repeat within one volume, and not from part to part.",
                remedy="Send the series again as the scanner stored it, each image with its own number.",
            )
        ]
    return [REPEATED]


def _parts(row: Sequence[int]) -> list[list[int]]:
    """Cut numbers where one comes that was there before."""
    parts: list[list[int]] = [[]]
    for number in row:
        if number in parts[-1]:
            parts.append([])
        parts[-1].append(number)
    return parts


def _gaps(numbers: Sequence[int], apart: bool) -> list[Finding]:
    """Return what is wrong with numbers in rising order; `apart` slices do not touch each other."""
    findings = []
    steps = np.diff(numbers)
    if len(steps) and steps.max() > steps.min():
        findings.append(
            Finding(
                "missing-slices",
                "The image numbers of the scanner have gaps.",
                remedy="Send the complete series again.",
            )
        )
    elif len(steps) and steps[0] > 1 and apart:
        # Some scanners number every second image only, but then the slices still touch each other.
        findings.append(
            Finding(
                "missing-slices",
                "Image numbers and slice distance jump evenly.",
                remedy="Send the complete series again.",
            )
        )
    # Parts of a study are numbered from 101, 501 or 1001; as many slices are hardly lost.
    counted_on = numbers[0] > len(numbers) and numbers[0] % 100 == 1
    if numbers[0] > 1 and not counted_on and (not len(steps) or steps.max() == 1):
        findings.append(
            Finding(
                "first-slice-missing",
                "The image numbers do not begin with 1.",
                remedy="Send the complete series again.",
            )
        )
    return findings


def _enhanced(groups: Sequence[Sequence[Frame]], instances: Sequence[Instance]) -> list[Finding]:
    findings = []
    if len(instances) < max(instance.declared_parts for instance in instances):
        findings.append(
            Finding(
                "missing-slices",
                "Parts of a concatenation are missing.",
                remedy="Send all objects of the concatenation.",
            )
        )
    places = [frame.in_stack for group in groups for frame in group if frame.in_stack is not None]
    if not places:
        return findings
    numbers = sorted(set(places))
    if numbers[0] > 1:
        findings.append(
            Finding(
                "first-slice-missing",
                "The stack does not begin with its first slice.",
                remedy="Send the complete object again.",
            )
        )
    if numbers[-1] - numbers[0] + 1 > len(numbers):
        findings.append(
            Finding(
                "missing-slices",
                "The positions in the stack have gaps.",
                remedy="Send the complete object again.",
            )
        )
    order = [group[0].in_stack or 0 for group in groups]
    if len(numbers) == len(groups) and (
        not _regular(order) or any(f.in_stack != g[0].in_stack for g in groups for f in g)
    ):
        findings.append(
            Finding(
                "order-contradiction",
                "Stack numbers and slice places contradict each other.",
                remedy="Send the series as the scanner stored it; numbers or positions were changed since.",
            )
        )
    return findings


def _declared(instances: Sequence[Instance], total: int) -> list[Finding]:
    declared = {instance.declared_images for instance in instances}
    acquisitions = {frame.acquisition for instance in instances for frame in instance.frames}
    if len(declared) == 1 and len(acquisitions) == 1 and total < max(declared):
        return [
            Finding(
                "missing-slices",
                "The header announces more images than there are.",
                remedy="Send the complete series again.",
            )
        ]
    return []


def _regular(numbers: Sequence[int]) -> bool:
    """Return whether slices were numbered along the stack, in either direction, plainly or interleaved.

    Interleaved means: walking in order of number, the slice index advances by one fixed stride and
    jumps back at most stride - 1 times.
    """
    walk = np.diff(np.argsort(numbers))
    if len(walk) == 0:
        return True
    stride = int(Counter(walk.tolist()).most_common(1)[0][0])
    jumps = int((walk != stride).sum())
    return jumps <= max(abs(stride) - 1, 0) and abs(stride) <= max(2, len(numbers) // 2)
