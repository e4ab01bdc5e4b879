"""Clean the headers of 300 synthetic 512x512 CT slices in RAM: ours against pydicom and two peers.

Every contestant runs in a process of its own, `--rounds` times in turn, and its best round counts. Ratios are
of processor seconds, as a busy machine distorts the clock; files per second are printed for both. The peers
are installed into a virtual environment that is thrown away. For two processes the clock is what matters, so
run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from lethe.header import Anonymizer, LookupTable, bundled_script, load_script

PEERS = ("dicognito==0.19.0", "dicom-anonymizer==2.1.0", "pydicom==3.0.2")
OURS, FLOOR = "lethe strict", "pydicom read+write"
CONTESTANTS = (OURS, FLOOR, "dicognito", "dicom-anonymizer")
TABLE = LookupTable({"prid/PAT001": "A1B2", "shift/PAT001": "-12", "salt/PAT001": "5e" * 16})
CTP_FILES_S = 206
_TEXTS = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "Modality": "CT", "Manufacturer": "SIEMENS",
    "InstitutionName": "General Hospital", "InstitutionAddress": "Road 1", "StationName": "CT07",
    "ReferringPhysicianName": "Miller^Anna", "PerformingPhysicianName": "Jones^Ben", "OperatorsName": "Op^A",
    "StudyDescription": "Head", "SeriesDescription": "CTA head 1.0", "ManufacturerModelName": "SOMATOM Force",
    "StudyDate": "20210314", "SeriesDate": "20210314", "AcquisitionDate": "20210314", "StudyTime": "101112",
    "SeriesTime": "101213", "AcquisitionTime": "101314.5", "ContentTime": "101315", "AccessionNumber": "A77",
    "PatientName": "Smith^John", "PatientID": "PAT001", "PatientBirthDate": "19560229", "PatientSex": "M",
    "PatientAge": "065Y", "PatientWeight": "81", "PatientComments": "none", "BodyPartExamined": "HEAD",
    "ScanOptions": "HELICAL MODE", "SliceThickness": "1", "KVP": "120", "DataCollectionDiameter": "500",
    "SoftwareVersions": "VB20A", "ProtocolName": "Head CTA", "ReconstructionDiameter": "250",
    "DistanceSourceToDetector": "1085", "DistanceSourceToPatient": "595", "GantryDetectorTilt": "0",
    "TableHeight": "150", "RotationDirection": "CW", "ExposureTime": "500", "XRayTubeCurrent": "300",
    "Exposure": "150", "FilterType": "0", "GeneratorPower": "36", "FocalSpots": "1.2",
    "ConvolutionKernel": "Hv40f", "PatientPosition": "HFS", "StudyID": "1", "SeriesNumber": "3",
    "AcquisitionNumber": "2", "ImagePositionPatient": ["-125", "-125", "10"], "PixelSpacing": ["0.5", "0.5"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"], "FrameOfReferenceUID": "1.2.3.9",
    "SliceLocation": "10", "PhotometricInterpretation": "MONOCHROME2", "WindowCenter": "40",
    "WindowWidth": "80", "RescaleIntercept": "-1024", "RescaleSlope": "1", "RescaleType": "HU",
    "RequestingPhysician": "Miller^Anna", "RequestedProcedureDescription": "CT head",
    "PerformedProcedureStepStartDate": "20210314", "PerformedProcedureStepID": "P1",
}  # fmt: skip


def write_slices(folder: Path, count: int) -> None:
    """Write CT slices with a hundred attributes, nested and private ones among them."""
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 2000, 512 * 512, dtype=np.uint16).tobytes()
    for number in range(count):
        dataset = Dataset()
        dataset.SpecificCharacterSet, dataset.SOPClassUID = "ISO_IR 100", CTImageStorage
        dataset.SOPInstanceUID = f"1.2.3.4.1.{number}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.1"
        for keyword, value in _TEXTS.items():
            setattr(dataset, keyword, value)
        dataset.InstanceNumber = str(number)
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, "1.2.3.4.9"
        dataset.ReferencedImageSequence, dataset.SourceImageSequence = [reference], [reference]
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", bytes(8000))
        dataset.Rows = dataset.Columns = 512
        dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored = 1, 16, 12
        dataset.HighBit, dataset.PixelRepresentation = 11, 0
        dataset.add_new(0x7FE00010, "OW", pixels)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, dataset.SOPInstanceUID
        FileDataset("", dataset, file_meta=meta, preamble=bytes(128)).save_as(folder / f"{number:04d}.dcm")


@cache
def _engine() -> Anonymizer:
    return Anonymizer(load_script(bundled_script("strict")), TABLE)


def clean(files: Iterable[Path], out: Path) -> tuple[float, float]:
    """Clean files with our strict profile; return seconds by the clock and of the processor."""
    engine = _engine()
    start, processor = time.perf_counter(), time.process_time()
    for path in files:
        outcome = engine.run(path, out / path.name)
        if outcome.status != "OK":
            raise SystemExit(f"an object was not cleaned: {outcome.code}")
    return time.perf_counter() - start, time.process_time() - processor


def _round(name: str, python: Path, source: Path, out: Path) -> tuple[float, float]:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if name == OURS:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(clean, sorted(source.iterdir()), out).result()
    script = Path(__file__).with_name("header_peers.py")
    said = subprocess.run(
        [python, script, name, source, out],
        check=True,
        capture_output=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    wall, processor = json.loads(said.stdout.splitlines()[-1])
    return wall, processor


def _two(source: Path, out: Path) -> tuple[float, float]:
    """Return how much faster two processes are than one: by the clock, and at best by processor seconds."""
    files = sorted(source.iterdir()) * 4
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(clean, [files[:20], files[20:40]], [out, out]))
        start = time.perf_counter()
        _, processor = pool.submit(clean, files, out).result()
        one = time.perf_counter() - start
        start = time.perf_counter()
        halves = list(pool.map(clean, [files[::2], files[1::2]], [out, out]))
        two = time.perf_counter() - start
        return one / two, processor / max(half for _, half in halves)


def _memory(source: Path, out: Path, count: int) -> tuple[float, float]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_grow, sorted(source.iterdir()), out, count).result()


def _grow(files: list[Path], out: Path, count: int) -> tuple[float, float]:
    """Return the peak of memory (MB) after a tenth of the files and after all."""
    clean(islice(cycle(files), count // 10), out)
    early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clean(islice(cycle(files), count - count // 10), out)
    return early, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _peer_python() -> Iterator[Path]:
    """Give the Python of a virtual environment that holds the peers, and throw it away."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *PEERS], check=True, stderr=subprocess.DEVNULL
        )
        yield python


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog=sys.argv[0], description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--many", type=int, default=10_000, help="files of the memory measurement")
    given = parser.parse_args()
    ram = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=ram) as folder, _peer_python() as python:
        source, out = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        write_slices(source, given.slices)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(given.rounds):
            for name in CONTESTANTS:
                wall, processor = _round(name, python, source, out)
                before = best.get(name, (wall, processor))
                best[name] = min(wall, before[0]), min(processor, before[1])
        gain = max(_two(source, out) for _ in range(given.rounds))
        early, late = _memory(source, out, given.many)
    _print(best, given.slices, gain, (early, late, given.many))
    return 0


def _print(
    best: dict[str, tuple[float, float]],
    count: int,
    gain: tuple[float, float],
    memory: tuple[float, float, int],
) -> None:
    floor = best[FLOOR][1]
    print(f"{'':20} {'files/s':>9} {'files/cpu s':>12} {'x floor':>8} {'ours is x':>10}")
    for name, (wall, processor) in best.items():
        ratio, ahead = floor / processor, processor / best[OURS][1]
        print(f"{name:20} {count / wall:9.0f} {count / processor:12.0f} {ratio:8.2f} {ahead:10.2f}")
    print(
        f"two processes against one: {gain[0]:.2f} x by the clock (load now {os.getloadavg()[0]:.1f}), ",
        end="",
    )
    print(f"{gain[1]:.2f} x by processor seconds")
    print(f"more than CTP's {CTP_FILES_S} files/s on one core: {count / best[OURS][1] > CTP_FILES_S}")
    early, late, many = memory
    print(f"peak memory after {many // 10} files {early:.1f} MB, after {many} files {late:.1f} MB")
