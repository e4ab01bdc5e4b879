"""The embedded archive against bare programs that do the least possible, as ratios in one run.

C-STORE against a pynetdicom receiver that only writes files, zip import against ``unzip`` and a look at each
header, a 512 MB upload against a Starlette handler that streams to disk; lists, cost of a request as the
archive grows, start. Rounds of both sides alternate, the best of each counts. A bare program forgets
fsync; the archive never answers before the bytes are on disk, so both kinds of baseline are shown and the
limits are held against the one that does fsync, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pydicom
import requests
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from lethe.archive import items
from lethe.archive.context import open_context

ADMIN = ("admin", "admin")
ROUNDS = int(os.environ.get("LETHE_BENCH_ROUNDS", "3"))
SLICES, SIDE = 100, 512
UPLOAD_MB = 512


class Archive:
    """A running ``lethe archive serve`` in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.root, self.dicom_port = folder / "root", free_port()
        users = folder / "users.json"
        users.write_text(json.dumps({"admin": {"password": "admin", "admin": True}}))
        command = [
            sys.executable,
            "-m",
            "lethe.cli",
            "archive",
            "serve",
            "--root",
            str(self.root),
            "--http",
            "0",
        ]
        started = time.perf_counter()
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--users", str(users), "--backend", "process", "--dicom", str(self.dicom_port)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        self.http = requests.Session()
        self.http.auth = ADMIN
        self.url = self._wait()
        self.start_seconds = time.perf_counter() - started

    def _wait(self) -> str:
        for _ in range(2000):
            found = re.search(r"archive at (\S+)", self._log.read_text())
            with contextlib.suppress(requests.ConnectionError):
                if found and self.http.get(found[1] + "/xapi/siteConfig/buildInfo", timeout=5).ok:
                    return found[1]
            time.sleep(0.01)
        raise SystemExit("the archive did not start")

    def call(self, method: str, path: str, **more: object) -> requests.Response:
        """Send a request; anything but a success ends the benchmark."""
        answer = self.http.request(method, self.url + path, timeout=600, **more)  # type: ignore[arg-type]
        answer.raise_for_status()
        return answer

    def peak_mb(self) -> float:
        """Return the greatest resident memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu(self) -> float:
        """Return the processor seconds used so far."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait(30)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def bare(kind: str, folder: Path, *, fsync: bool) -> Iterator[int]:
    """Run a server of `archive_servers`; yield its port."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    program = Path(__file__).with_name("archive_servers.py")
    process = subprocess.Popen([sys.executable, str(program), kind, str(folder), str(port), str(int(fsync))])
    try:
        for _ in range(1000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def slices(label: str) -> list[Dataset]:
    """Return a CT series of 512 x 512 slices with noise, as big as a real one."""
    rng, study, series = np.random.default_rng(7), generate_uid(), generate_uid()
    found = []
    for number in range(SLICES):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid()
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.Modality, data.StudyInstanceUID, data.SeriesInstanceUID = "CT", study, series
        data.PatientName = data.PatientID = label
        data.PatientComments = f"Project:P Subject:{label} Session:{label}"
        data.SeriesNumber, data.InstanceNumber = 1, number + 1
        data.Rows = data.Columns = SIDE
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelData = rng.integers(0, 4096, SIDE * SIDE, dtype=np.uint16).tobytes()
        found.append(data)
    return found


def send(port: int, objects: list[Dataset]) -> float:
    """Send a series in one association; return the seconds."""
    entity = AE(ae_title="BENCH")
    entity.maximum_pdu_size = 1 << 20
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title="XNAT")
    started = time.perf_counter()
    for data in objects:
        if association.send_c_store(data).get("Status") != 0:
            raise SystemExit("an object was refused, or the association broke")
    seconds = time.perf_counter() - started
    association.release()
    return seconds


def zipped(objects: list[Dataset]) -> bytes:
    """Pack a series as a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, data in enumerate(objects):
            one = io.BytesIO()
            data.save_as(one, enforce_file_format=True)
            archive.writestr(f"{number}.dcm", one.getvalue())
    return stream.getvalue()


def unzip_and_read(body: bytes, folder: Path, *, fsync: bool) -> float:
    """Receive nothing: unpack a zip that is there and read each header; return the seconds."""
    packed, target = folder / "in.zip", folder / "unzipped"
    packed.write_bytes(body)
    started = time.perf_counter()
    subprocess.run(["unzip", "-q", str(packed), "-d", str(target)], check=True)
    for path in target.iterdir():
        pydicom.dcmread(path, stop_before_pixels=True)
        if fsync:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    seconds = time.perf_counter() - started
    shutil.rmtree(target)
    return seconds


class Rows:
    """The lines of the result, each with its limit."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def add(
        self, what: str, value: float, limit: float, *, least: bool, note: str = "", unit: str = ""
    ) -> None:
        """Print a figure and whether it keeps its limit (`least`: at least, else at most)."""
        kept = value >= limit if least else value <= limit
        if not kept:
            self.missed.append(what)
        sign = ">=" if least else "<="
        print(f"{what}: {value:.2f}{unit} ({sign} {limit:g}) {'held' if kept else 'MISSED'} {note}".rstrip())
        sys.stdout.flush()

    def ratio(self, what: str, ours: list[float], bare_: dict[str, list[float]], limit: float) -> None:
        """Print how fast the archive is next to each baseline: best round of each."""
        best = min(ours)
        for name, seconds in bare_.items():
            note = f"[{best:.2f} s; bare {min(seconds):.2f} s]"
            self.add(f"{what}, against {name}", min(seconds) / best, limit, least=True, note=note, unit="x")


def measure_store(archive: Archive, folder: Path, rows: Rows) -> None:
    """C-STORE intake."""
    ours: list[float] = []
    others: dict[str, list[float]] = {"bare receiver with fsync": [], "bare receiver without fsync": []}
    for number in range(ROUNDS):
        objects = slices(f"S{number}")
        for (_, seconds), fsync in zip(others.items(), (True, False), strict=True):
            with bare("receiver", folder / "bare", fsync=fsync) as port:
                seconds.append(send(port, objects))
        ours.append(send(archive.dicom_port, objects))
    rows.ratio(f"C-STORE of {SLICES} CT slices", ours, others, 0.8)


def measure_zip(archive: Archive, folder: Path, rows: Rows) -> None:
    """Zip import."""
    ours: list[float] = []
    others: dict[str, list[float]] = {"unzip + header read with fsync": [], "unzip + header read": []}
    for number in range(ROUNDS):
        body = zipped(slices(f"Z{number}"))
        for (_, seconds), fsync in zip(others.items(), (True, False), strict=True):
            seconds.append(unzip_and_read(body, folder, fsync=fsync))
        started = time.perf_counter()
        archive.call("POST", "/data/services/import?project=P&dest=/archive&inbody=true", data=body,
                     headers={"Content-Type": "application/zip"})  # fmt: skip
        ours.append(time.perf_counter() - started)
    rows.ratio(f"zip import of {SLICES} CT slices", ours, others, 0.5)


def measure_upload(archive: Archive, folder: Path, rows: Rows) -> None:
    """One large file by REST."""
    source, md5 = folder / "big.bin", hashlib.md5(usedforsecurity=False)
    with source.open("wb") as stream:
        for _ in range(UPLOAD_MB):
            piece = os.urandom(1 << 20)
            stream.write(piece)
            md5.update(piece)
    digest, digested = md5.hexdigest(), list[float]()

    def put(url: str) -> float:
        started = time.perf_counter()
        with source.open("rb") as stream:
            requests.put(url, data=stream, auth=ADMIN, timeout=600).raise_for_status()
        return time.perf_counter() - started

    ours: list[float] = []
    others: dict[str, list[float]] = {"bare handler with fsync": [], "bare handler without fsync": []}
    for number in range(ROUNDS):
        for (_, seconds), fsync in zip(others.items(), (True, False), strict=True):
            with bare("upload", folder / "bare", fsync=fsync) as port:
                seconds.append(put(f"http://127.0.0.1:{port}/big"))
        name = f"/data/projects/P/resources/BIG/files/{number}.bin"
        ours.append(put(f"{archive.url}{name}?inbody=true"))
        started = time.perf_counter()
        listed = archive.call("GET", "/data/projects/P/resources/BIG/files?format=json").json()
        digested.append(time.perf_counter() - started)
        if listed["ResultSet"]["Result"][0]["digest"] != digest:
            raise SystemExit("the digest of the upload is wrong")
        archive.call("DELETE", name)
    rows.ratio(f"upload of {UPLOAD_MB} MB", ours, others, 0.8)
    print(f"its digest, asked for at once: after {min(digested):.2f} s more, right every time")
    source.unlink()


def fill(root: Path, count: int) -> None:
    """Put rows into an archive that is not running."""
    ctx = open_context(root)
    with ctx.store.write():
        items.create_project(ctx, "MANY", login="admin")
        for label in (f"S{number:05d}" for number in range(count)):
            subject, _ = items.ensure_subject(ctx, "MANY", label, login="admin")
            item, _ = items.ensure_experiment(
                ctx, "MANY", subject, f"{label}_CT", "xnat:ctSessionData", login="admin",
                data={"date": "2024-05-01"},
            )  # fmt: skip
            items.ensure_scan(ctx, item, "1", "xnat:ctScanData", login="admin", data={"type": "A"})
    ctx.store.close()


def best(deed: Callable[[], object], times: int = 3) -> float:
    """Return the seconds of the quickest of some tries."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        deed()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def per_request(archive: Archive, project: str, number: int) -> dict[str, float]:
    """Return the median milliseconds of single requests to one session of a project."""
    base = f"/data/projects/{project}/subjects/S{number:05d}/experiments/S{number:05d}_CT"
    file = f"{base}/resources/R/files"
    deeds: dict[str, Callable[[int], object]] = {
        "read a session": lambda _: archive.call("GET", base + "?format=json"),
        "list its scans": lambda _: archive.call("GET", base + "/scans"),
        "write a field": lambda n: archive.call("PUT", f"{base}?note=n{n}"),
        "upload a file": lambda n: archive.call("PUT", f"{file}/{n}?inbody=true", data=b"x"),
        "new subject": lambda n: archive.call("PUT", f"/data/projects/{project}/subjects/NEW{n}"),
    }
    return {
        what: 1000 * statistics.median(best(partial(deed, n), 1) for n in range(40))
        for what, deed in deeds.items()
    }


def grown(folder: Path, count: int) -> Archive:
    """Return a running archive with as many subjects, sessions and scans."""
    home = folder / f"grown-{count}"
    home.mkdir()
    fill(home / "root", count)
    return Archive(home)


SUBJECTS, SESSIONS = 10_000, 3_000
OVERVIEW = {
    "sessions": "xsiType=xnat:imageSessionData&columns=ID,label,xsiType,date,insert_date,subject_label,"
    "acquisition_site",
    "verdicts": "xsiType=lethe:defaceQcData&columns=ID,label,session_label,session_ID,last_modified,"
    + ",".join(f"lethe:defaceQcData/{name}" for name in ("verdict", "auto_verdict", "scan_id")),
    "records": "xsiType=lethe:clinicalData&columns=ID,label,subject_label,last_modified,"
    + ",".join(
        f"lethe:clinicalData/{name}"
        for name in ("record_status", "nihss_admission", "mrs_3m", "sex", "age_years", "evt", "ivt", "mtici")
    ),
}
"""What the dashboard's overview asks for before its first paint."""


def fill_collection(root: Path) -> None:
    """Put a collection into an archive that is not running: subjects, sessions, verdicts, records."""
    ctx = open_context(root)
    with ctx.store.write():
        items.create_project(ctx, "BIG", login="admin")
        for number in range(SUBJECTS):
            subject, _ = items.ensure_subject(ctx, "BIG", f"S{number:05d}", login="admin")
            if number >= SESSIONS:
                continue
            label = f"S{number:05d}"
            item, _ = items.ensure_experiment(
                ctx, "BIG", subject, f"{label}_CT", "xnat:ctSessionData", login="admin",
                data={"date": "2024-05-01", "acquisition_site": "Bern"},
            )  # fmt: skip
            items.ensure_assessor(
                ctx, item, f"{label}_DQC", "lethe:defaceQcData", login="admin",
                data={"scan_id": "2", "verdict": "pass", "auto_verdict": "review"},
            )  # fmt: skip
            items.ensure_experiment(
                ctx, "BIG", subject, f"{label}_CLIN_1", "lethe:clinicalData", login="admin",
                data={"nihss_admission": "14", "mrs_3m": "2", "sex": "F", "record_status": "draft"},
            )  # fmt: skip
    ctx.store.close()


def measure_overview(folder: Path, rows: Rows) -> None:
    """The three lists of the overview of a large collection, one after the other."""
    home = folder / "overview"
    home.mkdir()
    fill_collection(home / "root")
    archive = Archive(home)
    base = "/data/projects/BIG/experiments?format=json&"
    try:
        seconds = {
            name: best(lambda query=query: archive.call("GET", base + query))  # type: ignore[misc]
            for name, query in OVERVIEW.items()
        }
    finally:
        archive.stop()
    note = "[" + ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items()) + "]"
    what = f"overview of {SUBJECTS:,} subjects, {SESSIONS:,} sessions, verdicts and records"
    rows.add(what, sum(seconds.values()), 0.75, least=False, note=note, unit=" s")


def measure_growth(folder: Path, rows: Rows) -> None:
    """Lists, and the cost of single requests with 100 and with 10,000 sessions in the archive."""
    small, large = grown(folder, 100), grown(folder, 10_000)
    try:
        rows.add("start with 10,000 sessions", large.start_seconds, 2, least=False, unit=" s")
        for what, path in (
            ("list of 10,000 subjects", "/data/projects/MANY/subjects?format=json"),
            ("list of 1,000 of 10,000 sessions", "/data/projects/MANY/experiments?format=json&limit=1000"),
        ):
            seconds = best(lambda path=path: large.call("GET", path))  # type: ignore[misc]
            rows.add(what, seconds, 0.5, least=False, unit=" s")
        few, many = per_request(small, "MANY", 50), per_request(large, "MANY", 5000)
    finally:
        small.stop()
        large.stop()
    for what, before in few.items():
        note = f"[{before:.1f} -> {many[what]:.1f} ms]"
        name = f"{what}, 10,000 against 100 sessions"
        rows.add(name, many[what] / before, 1.5, least=False, note=note, unit="x")


def main() -> int:
    """Print one line a figure; 1 when a limit is missed."""
    rows = Rows()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = Archive(folder)
        try:
            rows.add("start of an empty archive", archive.start_seconds, 2, least=False, unit=" s")
            archive.call("PUT", "/data/projects/P")
            measure_upload(archive, folder, rows)
            rows.add("peak memory after the uploads", archive.peak_mb(), 200, least=False, unit=" MB")
            measure_store(archive, folder, rows)
            measure_zip(archive, folder, rows)
            rows.add("peak memory at the end", archive.peak_mb(), 200, least=False, unit=" MB")
        finally:
            archive.stop()
        measure_growth(folder, rows)
        measure_overview(folder, rows)
    print("missed: " + ", ".join(rows.missed) if rows.missed else "every limit held")
    return 1 if rows.missed else 0


if __name__ == "__main__":
    sys.exit(main())
