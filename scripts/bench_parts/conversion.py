"""DICOM to NIfTI with the check that nothing was lost, against dcm2niix alone: ratios, memory, linearity.

Both run in turn on the same series, read from memory. The best of several runs counts, since whatever else
the machine does only adds. Ours compresses the image as well, which ``dcm2niix -z n`` does not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import dcm2niix
import numpy as np

from kit.enhanced import write_enhanced
from kit.people import people
from kit.phantom import Volume, head
from kit.series import write_series
from lethe.image.convert import convert_series

LIMIT, GROWTH, RUNS = 2.5, 1.3, 9


@dataclass(frozen=True)
class Case:
    """One synthetic series."""

    name: str
    modality: Literal["CT", "MR"]
    shape: tuple[int, int, int]
    enhanced: bool = False

    def write(self, folder: Path) -> None:
        """Write the phantom with that many voxels, and noise as scanners have it."""
        small = head("ct" if self.modality == "CT" else "mr", spacing=(3.0, 3.0, 4.0), seed=1)
        index = [np.arange(n) * old // n for n, old in zip(self.shape, small.data.shape, strict=True)]
        noise = np.random.default_rng(1).normal(0, 6, self.shape).astype(np.float32)
        data = small.data[np.ix_(*index)] + noise
        size = np.diag([*(old / n for n, old in zip(self.shape, small.data.shape, strict=True)), 1.0])
        lowest = -1024 if self.modality == "CT" else 0
        volume = Volume(np.maximum(data, lowest).astype(np.int16), small.affine @ size)
        person = people(1, seed=3)[0]
        if self.enhanced:
            write_enhanced(volume, folder, modality=self.modality, person=person)
        else:
            write_series(volume, None, folder, modality=self.modality, person=person)


CASES = (
    Case("CT", "CT", (512, 512, 324)),
    Case("CT, half", "CT", (512, 512, 162)),
    Case("MR", "MR", (256, 256, 180)),
    Case("CT, one object", "CT", (512, 512, 324), enhanced=True),
    Case("MR, one object", "MR", (256, 256, 180), enhanced=True),
)


def measure(series: Path) -> dict[str, float]:
    """Convert a series several times in this process, in turn with dcm2niix alone."""
    ours, alone = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            line = [dcm2niix.bin, "-z", "n", "-o", folder, str(series)]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
            alone.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            convert_series(series, Path(folder))
            ours.append(time.perf_counter() - start)
    # Not getrusage: that begins with the memory of the process that started this one.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    return {"seconds": min(ours), "alone": min(alone), "peak_mb": peak}


def run(case: Case) -> dict[str, float]:
    """Measure one case in a process of its own, so that its peak of memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        case.write(Path(folder) / "series")
        line = [sys.executable, __file__, str(Path(folder) / "series")]
        done = subprocess.run(line, check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def main() -> int:
    """Print one line a series; 1 when a ratio or the growth is beyond its limit."""
    found = {}
    print(f"{'series':16} {'voxels':>15} {'dcm2niix -z n':>14} {'ours':>8} {'ratio':>6} {'peak MB':>8}")
    for case in CASES:
        told = found[case.name] = run(case)
        told["ratio"] = told["seconds"] / told["alone"]
        voxels = "x".join(map(str, case.shape))
        print(
            f"{case.name:16} {voxels:>15} {told['alone']:12.3f} s {told['seconds']:6.3f} s "
            f"{told['ratio']:6.2f} {told['peak_mb']:8.0f}",
            flush=True,
        )
    growth = found["CT"]["seconds"] / found["CT, half"]["seconds"] / 2
    held = all(told["ratio"] <= LIMIT for told in found.values()) and growth <= GROWTH
    print(f"twice the voxels take {2 * growth:.2f} times as long; limit of the ratio {LIMIT:g}: "
          f"{'held' if held else 'MISSED'}")  # fmt: skip
    return 0 if held else 1


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        sys.exit(main())
