"""Many senders at once, and a process that dies at any moment: nothing lost, nothing doubled."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE

from lethe.archive import content, intake, items
from lethe.archive.context import Context, open_context
from lethe.archive.intake import prearchive
from lethe.archive.intake.importer import ImportRequest, import_upload
from lethe.archive.intake.objects import file_name
from lethe.archive.model import User

from .conftest import as_file, as_zip, study_objects

pytestmark = pytest.mark.slow

CHILD = Path(__file__).with_name("crash_child.py")
KILLS = int(os.environ.get("LETHE_KILLS", "2"))


def session_objects(ctx: Context, label: str) -> dict[str, str]:
    """Return path and md5 of the objects of a session, after looking at the bytes themselves."""
    session = items.find_experiment(ctx, label, "P")
    if session is None:
        return {}
    found: dict[str, str] = {}
    for scan in items.children(ctx, session, "scan"):
        for resource in content.list_resources(ctx, [scan]):
            for entry in content.list_files(ctx, resource):
                data = content.file_path(ctx, resource, entry).read_bytes()
                assert hashlib.md5(data, usedforsecurity=False).hexdigest() == entry.md5
                assert entry.path not in found
                found[entry.path] = entry.md5
    return found


def names(objects: list[Dataset]) -> set[str]:
    return {file_name(data.SOPInstanceUID) for data in objects}


def labelled(label: str, series: int = 2, slices: int = 12) -> list[Dataset]:
    comments = f"Project:P Subject:A1B2 Session:{label}"
    return study_objects(series, slices, PatientComments=comments)


@pytest.fixture
def crowd(ctx: Context) -> Iterator[Context]:
    ctx.dicom_port, ctx.http_url = 0, "http://127.0.0.1:1"
    ctx.settings.set("sessionXmlRebuilderInterval", 0.002)
    intake.start(ctx)
    yield ctx
    intake.stop(ctx)


def send(ctx: Context, objects: list[Dataset]) -> None:
    """Send until each object is acknowledged, as senders do: on a busy machine pynetdicom loses an answer.

    Its reactor may take the answer out of the queue in place of the waiting sender ("Received unexpected
    C-STORE service message").
    """
    waiting = list(objects)
    for _ in range(5):
        entity = AE(ae_title="SENDER")
        entity.add_requested_context(objects[0].SOPClassUID, objects[0].file_meta.TransferSyntaxUID)
        association = entity.associate("127.0.0.1", ctx.dicom_port or 0, ae_title="XNAT")
        assert association.is_established
        while waiting and "Status" in (answer := association.send_c_store(waiting[0])):
            assert answer.Status == 0
            del waiting[0]
        if not waiting:
            association.release()
            return
        association.abort()
    raise AssertionError("an object was never acknowledged")


@pytest.mark.requirement("M-57")
def test_eight_senders_by_c_store_and_eight_by_zip_lose_and_double_nothing(
    crowd: Context, alice: User
) -> None:
    """The rebuilder runs all the while, so that sessions are built and archived under the senders' hands."""
    by_store = {f"S{n}": labelled(f"S{n}") for n in range(8)}
    by_zip = {f"Z{n}": labelled(f"Z{n}") for n in range(8)}
    engine = intake.intake_of(crowd)

    def pack(label: str) -> None:
        path = crowd.store.temporary()
        path.write_bytes(as_zip(by_zip[label]))
        import_upload(engine, path, ImportRequest.of(alice, {"dest": "/archive"}, "SI"))

    with ThreadPoolExecutor(24) as pool:
        jobs = [pool.submit(send, crowd, objects) for objects in by_store.values()]
        jobs += [
            pool.submit(send, crowd, objects[::2]) for objects in by_store.values()
        ]  # and some of it twice
        jobs += [pool.submit(pack, label) for label in by_zip]
        for job in jobs:
            job.result()
    deadline = time.monotonic() + 60
    while prearchive.listing(crowd) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [(row.label, row.status, row.message) for row in prearchive.listing(crowd)] == []
    for label, objects in {**by_store, **by_zip}.items():
        assert set(session_objects(crowd, label)) == names(objects)
    assert len(items.many(crowd, "kind = 'experiment'")) == 16
    assert len(items.many(crowd, "kind = 'subject'")) == 1


def run_child(root: Path, folder: Path, patience: float | None) -> list[str]:
    """Run the importing process, killing it `patience` seconds after it is ready; return what it said."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", str(CHILD), str(root), str(folder)],
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        if patience is not None:
            time.sleep(patience)
            process.send_signal(signal.SIGKILL)
        return process.stdout.read().splitlines()


@pytest.mark.requirement("M-57")
def test_a_killed_import_is_whole_after_a_restart_and_a_second_sending(ctx: Context, tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    folder.mkdir()
    packed = {f"E{n}": labelled(f"E{n}", 2, 8) for n in range(6)}
    single = labelled("ONE", 1, 12)
    for label, objects in packed.items():
        (folder / f"{label}.zip").write_bytes(as_zip(objects))
    for index, data in enumerate(single):
        (folder / f"{index:02d}.dcm").write_bytes(as_file(data))
    root = ctx.root
    ctx.store.close()
    rng = random.Random(int(os.environ.get("LETHE_SEED", "7")))
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        said = run_child(root, folder, rng.uniform(0.0, 0.5))
        acknowledged |= {line.split()[1] for line in said if line.startswith(("archived", "stored"))}
        after = open_context(root)
        for name in acknowledged:
            if name.endswith(".zip"):
                label = name.removesuffix(".zip")
                assert set(session_objects(after, label)) == names(packed[label])
        after.store.close()
    last = run_child(root, folder, None)
    assert last[-1] == "finished"
    refused = {line.split()[1] for line in last if line.startswith("refused")}
    assert refused <= acknowledged
    after = open_context(root)
    assert [(row.label, row.status, row.message) for row in prearchive.listing(after)] == []
    for label, objects in {**packed, "ONE": single}.items():
        assert set(session_objects(after, label)) == names(objects), (label, last)
    assert [path for path in (root / "prearchive").rglob("*") if path.is_file()] == []
    assert list((root / "tmp").iterdir()) == []
    on_disk = list((root / "archive").rglob("*.dcm"))
    assert len(on_disk) == 6 * 16 + 12
    after.store.close()
