"""Check and scramble a table of 100 variables: seconds and memory at 1,000, 10,000 and 100,000 patients.

Each size runs in a process of its own, so that the peak of memory is that size's. Reading the CSV file is
counted with the check. The work runs in one thread: on an idle machine seconds and processor seconds are
the same, and on a busy one only the latter mean something; the limits are held against these.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lethe.clinical import Dictionary, Role, Type, Variable, link_table, scramble_table
from lethe.clinical.check import check_table
from lethe.clinical.dictionary import DROPPED
from lethe.clinical.eligibility import RuleSet
from lethe.clinical.table import load
from lethe.identity import Assignment

SIZES = (1_000, 10_000, 100_000)
VARIABLES = 100
LIMIT_S, LIMIT_MB = 2.0, 500.0  # at 10,000 patients
_DATES = {  # minutes after the onset
    "onset_datetime": 0,
    "admission_datetime": 90,
    "imaging_datetime": 115,
    "ivt_datetime": 130,
    "groin_datetime": 160,
    "recanalisation_datetime": 210,
    "control_imaging_datetime": 1600,
    "discharge_date": 9 * 1440,
    "followup_date": 90 * 1440,
    "death_date": 200 * 1440,
}


def _cells(variable: Variable, onset: npt.NDArray[np.int64], rng: np.random.Generator) -> list[str]:
    rows = len(onset)
    if variable.name == "patient_id":
        return [f"ZRH-{number:07d}" for number in range(rows)]
    if variable.name == "occlusion_site":
        return ["m1"] * rows
    if variable.name == "opt_out":
        return ["0"] * rows
    if variable.role is Role.DATE:
        moments = (onset + _DATES[variable.name]).astype("datetime64[m]").astype(datetime)
        form = "%Y-%m-%d" if variable.type is Type.DATE else "%Y-%m-%d %H:%M"
        return [one.strftime(form) for one in moments]
    if variable.codes:
        chosen: list[str] = rng.choice(list(variable.codes), rows).tolist()
        return chosen
    low, high = float(variable.minimum or 0), float(variable.maximum or 100)
    values = np.clip(rng.normal(low + (high - low) * 0.25, (high - low) * 0.06, rows), low, high)
    digits = 0 if variable.type is Type.INTEGER or variable.resolution == 1 else 1
    return [f"{value:.{digits}f}" for value in values]


def write_registry(path: Path, rows: int, dictionary: Dictionary) -> None:
    """Write an invented registry of `rows` patients and 100 variables."""
    rng = np.random.default_rng(1)
    onset = rng.integers(26_297_280, 28_401_120, rows)  # minutes since 1970: 2020 to 2023
    names = [n for n, v in dictionary.variables.items() if n == "patient_id" or v.role not in DROPPED]
    columns = {name: _cells(dictionary.variables[name], onset, rng) for name in names[:VARIABLES]}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def measure(path: Path) -> dict[str, float]:
    """Check and scramble the registry at `path` in this process."""
    dictionary = Dictionary.load()
    rules = RuleSet.load(dictionary)
    start, began = time.perf_counter(), time.process_time()
    report = check_table(path, dictionary, rules)
    checked, checked_cpu = time.perf_counter() - start, time.process_time() - began
    if report.issues:
        raise SystemExit(f"the invented registry has {len(report.issues)} faults: {report.issues[0]}")
    table = load(path, dictionary).table
    given = {
        one: Assignment(f"{place:08X}", place % 43 - 21) for place, one in enumerate(table["patient_id"])
    }
    linked = link_table(table, dictionary, given, patient_column="patient_id")
    del table, given
    start, began = time.perf_counter(), time.process_time()
    released = scramble_table(linked, dictionary, noise_key=bytes(range(32)))
    scrambled, scrambled_cpu = time.perf_counter() - start, time.process_time() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "patients": report.rows,
        "variables": len(released.table.columns),
        "check_s": round(checked, 2),
        "scramble_s": round(scrambled, 2),
        "seconds": round(checked + scrambled, 2),
        "cpu_s": round(checked_cpu + scrambled_cpu, 2),
        "peak_mb": round(megabytes),
    }


def run(size: int) -> dict[str, float]:
    """Measure one size in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "registry.csv"
        write_registry(path, size, Dictionary.load())
        done = subprocess.run(
            [sys.executable, __file__, str(path)], check=True, capture_output=True, text=True
        )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def main() -> int:
    """Print one line a size; 1 when the limits at 10,000 patients or the growth are missed."""
    results = {size: run(size) for size in SIZES}
    for told in results.values():
        print(json.dumps(told))
    middle = results[10_000]
    slope = results[100_000]["cpu_s"] / (10 * middle["cpu_s"])
    held = middle["cpu_s"] < LIMIT_S and middle["peak_mb"] < LIMIT_MB and slope < 1.3
    print(
        f"10,000 patients: {middle['cpu_s']:.2f} s of processor (limit {LIMIT_S:g}), "
        f"{middle['peak_mb']:.0f} MB (limit {LIMIT_MB:g}); "
        f"ten times the patients take {10 * slope:.1f} times as long: "
        f"{'held' if held else 'MISSED'}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        sys.exit(main())
