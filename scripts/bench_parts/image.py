"""De-face heads and what hospitals do to heads: brain lost, faces found after, seconds, MB; two peers.

Each case runs `lethe image deface` in a process of its own. Brain masks come from deepbet (MR), from
Hounsfield units without any template (CT) or from the drawing (phantoms). Faces are looked for before and
after by four public detectors (MTCNN, dlib, MediaPipe, Haar cascades) on pictures of the skin from five
angles. `--acceptance` adds what the design's acceptance table asks: identity distance, landmarks, volumes,
the mask carried over, the same bytes twice, four more angles, and ten pictures by VTK, which shares nothing
with our renderer. quickshear is given the brain mask; pydeface's approach is its own average head and face
mask, matched with SimpleITK where it calls FLIRT. The peers set removed voxels to 0, which is water in CT:
there the benchmark puts air instead, to their favour. They and the detectors are installed into a virtual
environment that is thrown away; `--peers` names a folder that keeps it for the next run. `--results` keeps
every finished case in a file and takes what is there: a run that was stopped goes on, and tables of several
runs become one. Begin a new file when the engine has changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bench_parts import image_views
from bench_parts.image_accept import CARRIED, Accepted, Judge, dice, intracranial
from bench_parts.image_heads import Image, Mask, heads, write
from bench_parts.image_table import BACK, OURS, QUICKSHEAR, TEMPLATE, Result, keep, kept, report
from bench_parts.image_variants import variants
from lethe.image.deface.render import View

PACKAGES = (
    "deepbet==1.0.2", "torchvision", "requests", "dlib-bin", "mediapipe==0.10.21", "opencv-python-headless<5",
    "SimpleITK", "quickshear==1.2.0", "nibabel", "scipy", "pillow", "vtk",
)  # fmt: skip
# their own dependencies are older or not needed
ALONE = ("facenet-pytorch==2.6.0", "face_recognition_models==0.3.0", "pydeface==2.1.0")
QUICK = ("ct_cranium|mr_sub3_T1w|phantom", "as it is|5 mm|turned|top 100")
SIDE_BY_SIDE = "as it is|^5 mm|oblique|chin cut"
SEES = Path(__file__).with_name("image_peers.py")


class Peers:
    """The Python of the peers, and a server in it."""

    def __init__(self, python: Path, wheels: Path) -> None:
        self.python, self.wheels = python, wheels
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the server)
        self._process = subprocess.Popen(
            [python, SEES, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=_plain_environment(),
        )

    def ask(self, **request: Any) -> Any:
        """Send one request and wait for its answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the peers do not listen")
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._log.seek(0)
            raise SystemExit(f"the peers broke down: {self._log.read()[-600:].decode(errors='replace')}")
        return json.loads(answer)

    def close(self) -> None:
        """End the server."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._log.close()


def _plain_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


@contextmanager
def peers(kept: Path | None) -> Iterator[Peers]:
    """Install the peers where they are not yet, and give them."""
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = kept or Path(thrown_away)
        python, wheels, done = folder / "bin" / "python", folder / "wheels", folder / "complete"
        content = " ".join((*PACKAGES, *ALONE))
        if not done.is_file() or done.read_text() != content:
            say("installing detectors and peers (some minutes)")
            venv.create(folder, with_pip=True)
            quiet = {"check": True, "stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            pip = [str(python), "-m", "pip"]
            subprocess.run([*pip, "install", *PACKAGES], **quiet)  # type: ignore[call-overload]
            subprocess.run([*pip, "install", "--no-deps", *ALONE[:-1]], **quiet)  # type: ignore[call-overload]
            subprocess.run([*pip, "download", "--no-deps", "--dest", str(wheels), ALONE[-1]], **quiet)  # type: ignore[call-overload]
            done.write_text(content)
        found = Peers(python, wheels)
        try:
            yield found
        finally:
            found.close()


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def with_brain(image: Image, seeing: Peers, folder: Path) -> Image:
    """Add the brain mask of an independent tool."""
    if image.brain.any():
        return image
    if image.ct:
        return replace(image, brain=intracranial(image))
    target = folder / "brain.nii.gz"
    seeing.ask(do="brain", source=str(image.save(folder / "whole.nii.gz")), target=str(target))
    return replace(image, brain=np.asarray(nib.load(target).dataobj) > 0)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    seconds: float
    megabytes: float
    code: int
    said: str
    complained: str


# between the benchmark and the process it measures: a forked process inherits the peak of its parent
_BETWEEN = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


def measured(command: list[str | Path]) -> Done:
    """Run a command and measure it."""
    with tempfile.NamedTemporaryFile("r") as peak:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-S", "-c", _BETWEEN, peak.name, *map(str, command)],
            env=_plain_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - start
        return Done(seconds, int(peak.read()) / 1024, done.returncode, done.stdout, done.stderr)


class Bench:
    """Runs cases in one folder."""

    def __init__(self, seeing: Peers, folder: Path, pictures: Path | None, *, accept: bool) -> None:
        self._seeing, self._folder, self._pictures = seeing, folder, pictures
        self._judge = Judge(seeing, pictures or folder) if accept else None
        self._mask = folder / "mask_of_result.nii.gz"

    def mask(self, image: Image) -> Image:
        """Return the mask of an image, as an image."""
        self._deface(OURS, image.save(self._folder / "plain.nii.gz"), self._folder / "plain_o.nii.gz", image)
        return replace(image, values=self._label().astype(np.float32), ct=False)

    def run(self, image: Image, variant: str, *, others: bool, carried: Mask | None = None) -> list[Result]:
        """De-face one image with our engine and, if asked, with the others."""
        source = image.save(self._folder / "source.nii.gz")
        stage = image_views.set_stage(image)
        before = image_views.views(stage, image, image.values)
        name = re.sub(r"\W+", "-", f"{image.name}-{variant}")
        seen = self._faces(before, name, "before")
        results = [Result(image.name, variant, BACK, after=self._backs(stage, image, name))]
        for tool in (OURS, QUICKSHEAR, TEMPLATE) if others else (OURS,):
            target = self._folder / "target.nii.gz"
            target.unlink(missing_ok=True)
            result = self._deface(tool, source, target, image)
            result.variant, result.before = variant, seen
            after = image.values
            if target.is_file():
                after = np.asarray(nib.load(target).dataobj, np.float32)  # type: ignore[attr-defined]
                if image.ct and tool != OURS:
                    after = np.where((after == 0) & (np.rint(image.values) != 0), np.float32(-1000), after)
            if result.verdict != "refused":
                result.brain_lost = int(np.count_nonzero((after != np.rint(image.values)) & image.brain))
                views = image_views.views(stage, image, after)
                result.moved = image_views.moved(before, views)
                result.after = self._faces(views, name, tool.split()[0])
                if tool == OURS and self._judge is not None and target.is_file():
                    result.accepted = self._accept(
                        stage, image, after, source, target, (before, views), carried
                    )
            results.append(result)
        return results

    def _accept(
        self,
        stage: image_views.Stage,
        image: Image,
        after: NDArray[np.float32],
        source: Path,
        target: Path,
        views: tuple[list[View], list[View]],
        carried: Mask | None,
    ) -> Accepted:
        judge, label = self._judge, self._label()
        if judge is None:
            raise AssertionError
        again = self._folder / "again.nii.gz"
        first = target.read_bytes(), self._mask.read_bytes()
        again.unlink(missing_ok=True)
        self._deface(OURS, source, again, image)
        same = again.is_file() and first == (again.read_bytes(), self._mask.read_bytes())
        accepted = Accepted(same_bytes=same)
        raw = np.where(label == 2, np.float32(image.air), after)
        unfilled = image_views.views(stage, image, raw, angles=(0.0,))[0]
        front = image_views.ANGLES.index(0.0)
        judge.likeness(accepted, views[0][front], views[1][front], unfilled)
        accepted.volume = judge.volume(image, source, after, target)
        accepted.overlap = None if carried is None else dice(carried, label > 0)
        accepted.before, accepted.after = (judge.look(stage, image, each) for each in (image.values, after))
        return accepted

    def _label(self) -> NDArray[np.uint8]:
        return np.asarray(nib.load(self._mask).dataobj)  # type: ignore[attr-defined]

    def _backs(self, stage: image_views.Stage, image: Image, name: str) -> list[dict[str, float]]:
        """Look where there is no face, to know how often a detector is wrong."""
        return self._faces(image_views.views(stage, image, image.values, behind=True), name, "back")

    def _faces(self, views: list[View], name: str, when: str) -> list[dict[str, float]]:
        folder = self._pictures or self._folder
        paths = image_views.save(views, folder, f"{name}_{when}")
        return list(self._seeing.ask(do="faces", pictures=[str(path) for path in paths]))

    def _deface(self, tool: str, source: Path, target: Path, image: Image) -> Result:
        result = Result(image.name, "", tool)
        command: list[str | Path]
        if tool == OURS:
            command = [
                sys.executable,
                "-m",
                "lethe.cli",
                "image",
                "deface",
                source,
                target,
                "--mask-out",
                self._mask,
                "--output",
                "json",
            ]
        elif tool == QUICKSHEAR:
            brain = write(self._folder / "mask.nii.gz", image.brain.astype(np.uint8), image.affine)
            command = [self._seeing.python, SEES, "quickshear", source, brain, target]
        else:
            wheel = next(self._seeing.wheels.glob("pydeface-*.whl"))
            command = [self._seeing.python, SEES, "template", source, wheel, target]
        done = measured(command)
        result.seconds, result.megabytes = done.seconds, done.megabytes
        if tool == OURS and done.said:
            said = json.loads(done.said)
            result.verdict, result.measures = said["verdict"], said["measures"]
            result.reasons = [reason["code"] for reason in said["reasons"]]
        elif done.code:
            result.verdict = "refused" if tool == OURS else "failed"
            result.reasons = done.complained.split()[:1] if tool == OURS else []
        return result


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog=sys.argv[0], description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four heads, four variants")
    parser.add_argument("--heads", default="", help="only heads whose name matches this pattern")
    parser.add_argument("--variants", default="", help="only variants whose name matches this pattern")
    parser.add_argument("--issue-only", action="store_true", help="without children, operations and the like")
    parser.add_argument("--alone", action="store_true", help="without quickshear and pydeface's template")
    parser.add_argument("--acceptance", action="store_true", help="also the design's acceptance table")
    parser.add_argument("--peers", type=Path, help="folder of the peers' environment, kept for the next run")
    parser.add_argument("--results", type=Path, help="file of finished cases: go on where a run was stopped")
    parser.add_argument("--pictures", type=Path, help="keep the pictures there; they show faces")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    given = parser.parse_args()
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
    quick = QUICK if given.quick else ("", "")
    patterns = [
        re.compile(word or other) for word, other in zip((given.heads, given.variants), quick, strict=True)
    ]
    with peers(given.peers) as seeing, tempfile.TemporaryDirectory() as folder:
        bench = Bench(seeing, Path(folder), given.pictures, accept=given.acceptance)
        chosen = [
            image for image in heads(seeing.wheels, patterns[0].search) if patterns[0].search(image.name)
        ]
        results = _run(bench, chosen, seeing, Path(folder), patterns[1], given)
    if given.output == "json":
        print(json.dumps([asdict(result) for result in results], indent=1))
    else:
        report(results)
    return 0


def _run(
    bench: Bench,
    chosen: list[Image],
    seeing: Peers,
    folder: Path,
    pattern: re.Pattern[str],
    given: argparse.Namespace,
) -> list[Result]:
    work: list[tuple[Image, str, Callable[[Image], Image]]] = []
    for image in chosen:
        whole = with_brain(image, seeing, folder)
        say(f"{image.name}: brain of {whole.brain.sum() * np.prod(image.spacing) / 1000:.0f} ml")
        made = variants(whole, further=not given.issue_only)
        work += [(whole, name, make) for name, make in made.items() if pattern.search(name)]
    results = kept(given.results)
    known = {(result.head, result.variant) for result in results}
    work = [case for case in work if (case[0].name, case[1]) not in known]
    plain: dict[str, Image] = {}
    start = time.perf_counter()
    for number, (whole, name, make) in enumerate(work, 1):
        others = not given.alone and re.search(SIDE_BY_SIDE, name) is not None
        carried = None
        if given.acceptance and name.startswith(CARRIED):
            if whole.name not in plain:
                plain = {whole.name: bench.mask(whole)}
            carried = make(plain[whole.name]).values > 0.5
        results += (fresh := bench.run(make(whole), name, others=others, carried=carried))
        keep(given.results, fresh)
        left = (time.perf_counter() - start) / number * (len(work) - number) / 60
        ours = next(result for result in fresh if result.tool == OURS)
        said = "; ".join(ours.misses()) or "nothing missed"
        case = f"{number}/{len(work)} {whole.name}, {name}"
        say(f"{case}: {ours.verdict}, {said} (about {left:.0f} min left)")
    return results


if __name__ == "__main__":
    sys.exit(main())
