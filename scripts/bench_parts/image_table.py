"""What the image benchmark prints: one line for each result, every miss, the comparison."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench_parts import image_views
from bench_parts.image_accept import Accepted

OURS, QUICKSHEAR, TEMPLATE = "lethe", "quickshear", "pydeface's template"
BACK = "back of the head"
VERDICTS = ("pass", "no-face", "review", "fail", "refused")


@dataclass
class Result:
    """One tool on one image."""

    head: str
    variant: str
    tool: str
    verdict: str = ""
    reasons: list[str] = field(default_factory=list)
    brain_lost: int | None = None
    moved: float | None = None
    before: list[dict[str, float]] = field(default_factory=list)
    after: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    megabytes: float = 0.0
    measures: dict[str, Any] = field(default_factory=dict)
    accepted: Accepted | None = None

    def misses(self) -> list[str]:
        """Return every face that was found after de-facing, and every lost voxel of the brain."""
        found = [f"{self.brain_lost} brain voxels lost"] if self.brain_lost else []
        sighted = {name for view in self.before for name in view}
        for angle, view in zip(image_views.ANGLES, self.after, strict=False):
            for name, score in view.items():
                also = "" if name in sighted else ", which saw none before"
                found.append(f"a face at {angle:+.0f} degrees for {name} ({score}){also}")
        more = self.accepted or Accepted()
        sighted = {name for view in more.before.values() for name in view}
        for place, view in more.after.items():
            for name, score in view.items():
                also = "" if name in sighted else ", which saw none before"
                found.append(f"a face in {place} for {name} ({score}){also}")
        return found


def keep(file: Path | None, case: list[Result]) -> None:
    """Add the results of one case to a file, in one line."""
    if file is not None:
        with file.open("a") as stream:
            stream.write(json.dumps([asdict(result) for result in case]) + "\n")


def kept(file: Path | None) -> list[Result]:
    """Read the results of the cases that a file holds; the line of a run that was killed is left out."""
    if file is None or not file.is_file():
        return []
    text = file.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole)
    found = [Result(**each) for line in whole.splitlines() for each in json.loads(line)]
    for result in found:
        if result.accepted is not None:
            result.accepted = Accepted(**result.accepted)  # type: ignore[arg-type]
    return found


def _count(found: list[dict[str, float]]) -> int:
    return sum(len(view) for view in found)


def _line(result: Result) -> str:
    lost = "-" if result.brain_lost is None else str(result.brain_lost)
    moved = "-" if result.moved is None else f"{result.moved:.0%}"
    shares = [result.measures.get(name) for name in ("skin_removed", "front_moved", "ears_removed")]
    skin, middle, ears = ("-" if share is None else f"{share:.0%}" for share in shares)
    faces = f"{_count(result.before):>4} ->{_count(result.after):>3}"
    return (
        f"{result.head:17} {result.variant:23} {result.tool:20} {result.verdict:8}{lost:>7}{moved:>7}"
        f"{skin:>6}{middle:>8}{ears:>6} {faces:>11}{result.seconds:7.1f}{result.megabytes:6.0f}"
        f"  {', '.join(result.reasons)}"
    )


def report(results: list[Result]) -> None:
    """Print the table, every miss and the comparison."""
    print(
        f"{'head':17} {'variant':23} {'tool':20} {'verdict':8}{'brain':>7}{'moved':>7}{'skin':>6}"
        f"{'middle':>8}{'ears':>6} {'faces':>11}{'s':>7}{'MB':>6}  reasons"
    )
    for result in results:
        if result.tool != BACK:
            print(_line(result))
    print(
        "\nbrain: voxels of the independent mask that changed; moved: frontal surface that lies more than"
        " 4 mm further back;\nskin, middle, ears: facial skin removed, eyes, nose, mouth more than 8 mm back"
        " and ears removed, as the report says;\nfaces: detections of 4 detectors from 5 angles"
    )
    ours = [result for result in results if result.tool == OURS]
    print("\nMisses of lethe (a result under review stays in the intake project):")
    missed = [(result, result.misses()) for result in ours]
    for result, misses in missed:
        for miss in misses:
            print(f"  {result.head}, {result.variant} [{result.verdict}]: {miss}")
    if not any(misses for _, misses in missed):
        print("  none")
    released = [result for result in ours if result.verdict in ("pass", "no-face")]
    counts = ", ".join(f"{sum(r.verdict == v for r in ours)} {v}" for v in VERDICTS)
    lost, seen = sum(r.brain_lost or 0 for r in released), sum(bool(_count(r.after)) for r in released)
    print(f"\n{len(ours)} images: {counts}")
    print(f"{len(released)} may be released: {lost} brain voxels lost, a face found on {seen} of them")
    _by_detector(released, [result for result in results if result.tool == BACK])
    _acceptance(ours)
    _compare(results)


def _by_detector(released: list[Result], backs: list[Result]) -> None:
    """Print how often each detector sees a face, and how often it does where there is none."""
    before, after, back = (
        [view for seen in each for view in seen]
        for each in ([r.before for r in released], [r.after for r in released], [r.after for r in backs])
    )
    print(
        f"\nPictures with a face, by detector: of {len(before)} before, of {len(after)} after, and of"
        f" {len(back)} of the untouched backs of the same heads,\nwhere there is none:"
    )
    for name in sorted({name for view in (*before, *after, *back) for name in view}):
        one, other, wrong = (sum(name in view for view in views) for views in (before, after, back))
        print(f"  {name:12}{one:>5} ->{other:>4}{wrong:>7} on backs")
    both = sum(len(view) > 1 for view in after)
    print(f"  two detectors agree on {both} pictures after and on {sum(len(v) > 1 for v in back)} backs")


def _shares(accepted: Accepted) -> str:
    numbers = (accepted.identity, accepted.unfilled, accepted.earless)
    shares = (accepted.in_box, accepted.five, accepted.many)
    volume = "-" if accepted.volume is None else f"{accepted.volume:+.2%}"
    overlap = "-" if accepted.overlap is None else f"{accepted.overlap:.3f}"
    faces = [sum(map(len, seen.values())) for seen in (accepted.before, accepted.after)]
    return (
        "".join(f"{'-' if n is None else f'{n:.2f}':>9}" for n in numbers)
        + "".join(f"{'-' if n is None else f'{n:.0%}':>6}" for n in shares)
        + f"{volume:>8}{overlap:>7}{'yes' if accepted.same_bytes else 'NO':>6}{faces[0]:>6} ->{faces[1]:>3}"
    )


def _acceptance(ours: list[Result]) -> None:
    judged = [(result, result.accepted) for result in ours if result.accepted is not None]
    if not judged:
        return
    heading = f"{'identity':>9}{'no wall':>9}{'no ears':>9}{'box':>6}{'five':>6}{'many':>6}"
    heading += f"{'volume':>8}{'Dice':>7}{'same':>6}{'faces':>10}"
    print(f"\nThe design's acceptance table:\n{'head':17} {'variant':23} {'verdict':8}{heading}")
    for result, accepted in judged:
        print(f"{result.head:17} {result.variant:23} {result.verdict:8}{_shares(accepted)}")
    print(
        "\nidentity: distance of the frontal view from that before in dlib's 128 dimensions; the same without"
        "\nplug and wall, and with ears hidden; box: surface in the old detector box more than 4 mm back;"
        "\nfive, many: eyes, nose and mouth of MTCNN and dlib more than 8 mm back; volume: of brain or skull"
        "\nafter, by the same tool; Dice: of the mask with that of the plain image; same: bytes of a second"
        "\nrun; faces: from more angles and by VTK"
    )
    for said, target, met in _TARGETS:
        known = [(a, met(a)) for r, a in judged if r.verdict == "pass"]
        asked = [good for _, good in known if good is not None]
        print(f"  {said:34} {target:9} {sum(asked):>4} of {len(asked)} images that pass")
    boxes = [a.in_box for r, a in judged if r.verdict == "pass" and a.in_box is not None]
    if boxes:
        print(f"  {'median in the old box':34} {'>= 75%':9} {statistics.median(boxes):>4.0%}")


def _at_least(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


_TARGETS: tuple[tuple[str, str, Callable[[Accepted], bool | None]], ...] = (
    ("identity distance", ">= 0.54", lambda a: _at_least(a.identity, 0.54)),
    ("surface in the old box moved", ">= 60%", lambda a: _at_least(a.in_box, 0.6)),
    ("MTCNN's five points moved", "100%", lambda a: _at_least(a.five, 1.0)),
    ("dlib's eyes, nose, mouth moved", "100%", lambda a: _at_least(a.many, 1.0)),
    ("volume of an independent tool", "0.5%", lambda a: None if a.volume is None else abs(a.volume) <= 0.005),
    ("mask as on the plain image (Dice)", ">= 0.9", lambda a: _at_least(a.overlap, 0.9)),
    ("same bytes twice", "", lambda a: a.same_bytes),
    ("no face on any further picture", "", lambda a: not any(a.after.values())),
)


def _compare(results: list[Result]) -> None:
    shared = {(r.head, r.variant) for r in results if r.tool in (QUICKSHEAR, TEMPLATE)}
    if not shared:
        return
    print(f"\nSide by side on {len(shared)} images (medians; sums for brain and faces):")
    heading = f"{'brain lost':>11}{'images':>8}{'faces after':>12}{'images':>8}{'moved':>7}{'s':>7}{'MB':>7}"
    print(f"{'tool':20}{heading}")
    for tool in (OURS, QUICKSHEAR, TEMPLATE):
        these = [r for r in results if r.tool == tool and (r.head, r.variant) in shared]
        moved = statistics.median([r.moved for r in these if r.moved is not None] or [0.0])
        seconds = statistics.median(r.seconds for r in these)
        megabytes = statistics.median(r.megabytes for r in these)
        brains, faces = [r.brain_lost or 0 for r in these], [_count(r.after) for r in these]
        print(
            f"{tool:20}{sum(brains):>11}{sum(map(bool, brains)):>8}{sum(faces):>12}{sum(map(bool, faces)):>8}"
            f"{moved:>7.0%}{seconds:>7.1f}{megabytes:>7.0f}"
        )
