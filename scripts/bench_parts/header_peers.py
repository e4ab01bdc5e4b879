"""What the peers of the header benchmark do; run by the Python that holds them, prints seconds as JSON."""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


def _floor() -> Callable[[Path, Path], object]:
    import pydicom

    return lambda path, out: pydicom.dcmread(path).save_as(out)


def _dicognito() -> Callable[[Path, Path], object]:
    import pydicom

    anonymizer = import_module("dicognito.anonymizer").Anonymizer(seed="bench")

    def run(path: Path, out: Path) -> None:
        dataset = pydicom.dcmread(path)
        anonymizer.anonymize(dataset)
        dataset.save_as(out)

    return run


def _dicom_anonymizer() -> Callable[[Path, Path], object]:
    anonymize = import_module("dicomanonymizer").anonymize_dicom_file
    return lambda path, out: anonymize(str(path), str(out))


def measure(name: str, source: Path, out: Path) -> None:
    """Run one contestant over a folder and print its seconds by the clock and of the processor."""
    makers = {"pydicom read+write": _floor, "dicognito": _dicognito, "dicom-anonymizer": _dicom_anonymizer}
    run = makers[name]()
    files = sorted(source.iterdir())
    start, processor = time.perf_counter(), time.process_time()
    for path in files:
        run(path, out / path.name)
    print(json.dumps([time.perf_counter() - start, time.process_time() - processor]))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
