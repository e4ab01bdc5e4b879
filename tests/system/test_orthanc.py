"""A real Orthanc takes originals and rebuilt objects, keeps their headers, and decodes every frame."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from kit.ports import free_port
from lethe.image.rebuild import Rebuilt
from unit.image_rebuild.conftest import Case, person, prepared, rebuilt

__all__ = ["person", "prepared", "rebuilt"]  # fixtures
pytestmark = pytest.mark.system
Rebuild = Callable[[str], tuple[Case, Rebuilt]]
KINDS = ("ct", "tilted", "enhanced-ct", "enhanced-4d", "scaled")
# Debian's package puts the server where only root looks for programs.
ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "Orthanc"


@dataclass(frozen=True)
class Orthanc:
    """A server of our own, empty at first."""

    url: str
    dicom_port: int

    def get(self, path: str) -> requests.Response:
        answer = requests.get(f"{self.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer

    def post(self, path: str, body: bytes | str) -> Any:
        answer = requests.post(f"{self.url}{path}", data=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def send(self, folder: Path) -> None:
        """Send the objects of a folder by C-STORE."""
        line = [
            "storescu",
            "--scan-directories",
            "-aec",
            "LETHE",
            "127.0.0.1",
            str(self.dicom_port),
            str(folder),
        ]
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def clear(self) -> None:
        """Forget everything."""
        for patient in self.get("/patients").json():
            requests.delete(f"{self.url}/patients/{patient}", timeout=30).raise_for_status()

    def find(self, instance_uid: str) -> str:
        """Return Orthanc's own name of an object."""
        (found,) = self.post("/tools/lookup", instance_uid)
        return f"/instances/{found['ID']}"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    root = tmp_path_factory.mktemp("orthanc")
    http, dicom = free_port(), free_port()
    settings = {
        "Name": "lethe-test",
        "StorageDirectory": str(root / "storage"),
        "IndexDirectory": str(root / "storage"),
        "Plugins": [],
        "SyncStorageArea": False,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": dicom,
        "DicomAet": "LETHE",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
    }
    (root / "orthanc.json").write_text(json.dumps(settings))
    with (root / "log").open("wb") as log:
        process = subprocess.Popen([ORTHANC, str(root / "orthanc.json")], stdout=log, stderr=log)
    server = Orthanc(f"http://127.0.0.1:{http}", dicom)
    try:
        for _ in range(600):
            try:
                server.get("/system")
                break
            except requests.ConnectionError:
                assert process.poll() is None, (root / "log").read_text()[-2000:]
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _frames(dataset: Dataset) -> NDArray[Any]:
    values = dataset.pixel_array
    return values if values.ndim == 3 else values[None]


@pytest.mark.requirement("M-27")
@pytest.mark.parametrize("kind", KINDS)
def test_orthanc_shows_the_rebuilt_series_frame_by_frame(
    orthanc: Orthanc, rebuilt: Rebuild, kind: str
) -> None:
    case, _ = rebuilt(kind)
    orthanc.clear()  # series of different kinds share their UIDs
    originals, objects = case.objects(), case.objects(case.out)
    for path in sorted(case.dicom.glob("*.dcm")):
        orthanc.post("/instances", path.read_bytes())
    orthanc.send(case.out)
    assert orthanc.get("/statistics").json()["CountInstances"] == len(originals) + len(objects)
    for dataset in objects:
        place = orthanc.find(dataset.SOPInstanceUID)
        tags = orthanc.get(f"{place}/simplified-tags").json()
        assert tags["SeriesInstanceUID"] == dataset.SeriesInstanceUID != originals[0].SeriesInstanceUID
        assert tags["StudyInstanceUID"] == originals[0].StudyInstanceUID
        assert tags["SOPClassUID"] == originals[0].SOPClassUID
        assert tags["ImageType"].startswith("DERIVED")
        assert tags["RecognizableVisualFeatures"] == "NO"
        codes = [item["CodeValue"] for item in tags["DeidentificationMethodCodeSequence"]]
        assert {"113100", "113102"} <= set(codes)
    _compare_pixels(orthanc, objects[:: max(1, len(objects) // 4)])


def _compare_pixels(orthanc: Orthanc, objects: list[Dataset]) -> None:
    for dataset in objects:
        place, frames = orthanc.find(dataset.SOPInstanceUID), _frames(dataset)
        assert len(orthanc.get(f"{place}/frames").json()) == len(frames)
        for n in sorted({0, len(frames) // 2, len(frames) - 1}):
            raw = orthanc.get(f"{place}/frames/{n}/raw").content
            assert np.array_equal(np.frombuffer(raw, frames.dtype)[: frames[n].size], frames[n].reshape(-1))
            picture = Image.open(io.BytesIO(orthanc.get(f"{place}/frames/{n}/image-uint16").content))
            assert np.array_equal(np.asarray(picture), np.clip(frames[n].astype(np.int64), 0, 65535))
        shown = orthanc.get(f"{place}/preview")
        assert Image.open(io.BytesIO(shown.content)).size == (dataset.Columns, dataset.Rows)


@pytest.mark.requirement("M-27")
def test_orthanc_counts_a_rebuilt_series_as_one_of_its_own(orthanc: Orthanc, rebuilt: Rebuild) -> None:
    case, _ = rebuilt("ct")
    orthanc.clear()
    orthanc.send(case.out)
    uid = case.objects(case.out)[0].SeriesInstanceUID
    (series,) = orthanc.post("/tools/lookup", uid)
    told = orthanc.get(f"/series/{series['ID']}").json()
    assert len(told["Instances"]) == len(case.objects(case.out))
    # objects are in order of the slices, as Orthanc sorts them by their geometry
    ordered = orthanc.get(f"/series/{series['ID']}/ordered-slices").json()
    assert ordered["Type"] == "Volume"
    assert len(ordered["Dicom"]) == len(told["Instances"])
