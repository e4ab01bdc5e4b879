"""Results of prepare-session on their way to the scans, against a scripted archive."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any

import pytest

from lethe.errors import Refused, Unavailable
from lethe.xnat import placing
from lethe.xnat.bulk import Ended
from lethe.xnat.runs import Job
from lethe.xnat.wrappers import Wrapper

WRAPPER = Wrapper(1, 2, "prepare-session", "session", "Session", results=(placing.REPORT,))
BASE = "/data/experiments/E1"
FAILED = {"step": "deface", "code": "no-head", "sentence": "No head.", "remedy": "Leave it out."}


class Answer:
    def __init__(self, content: bytes = b"", status_code: int = 200) -> None:
        self.content, self.status_code, self.text = content, status_code, ""

    def json(self) -> Any:
        return json.loads(self.content)

    def iter_content(self, size: int) -> list[bytes]:
        return [self.content]

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@dataclass
class Xnat:
    """Resources by path, files by name."""

    held: dict[str, dict[str, bytes]]
    scans: tuple[str, ...] = ("1", "2")
    may_write: bool = True
    may_delete: bool = True
    uploads: list[str] = field(default_factory=list)

    def rows(self, path: str, what: str) -> list[dict[str, str]]:
        assert path == f"{BASE}/scans"
        return [{"ID": number} for number in self.scans]

    def request(self, method: str, path: str, what: str, **more: Any) -> Answer:
        resource, _, name = path.removesuffix("/files").partition("/files/")
        if method == "DELETE":
            if self.may_delete:
                del self.held[resource]
            return Answer(status_code=200 if self.may_delete else 403)
        if method == "PUT" and name:
            self.uploads.append(resource)
            if self.may_write:
                packed = zipfile.ZipFile(io.BytesIO(more["data"].read()))
                self.held.setdefault(resource, {}).update({n: packed.read(n) for n in packed.namelist()})
            return Answer()
        if method == "PUT":
            return Answer()
        if name:
            return Answer(self.held[resource][name])
        if resource not in self.held:
            return Answer(status_code=404)
        rows = [
            {"URI": f"{resource}/files/{n}", "digest": hashlib.md5(data).hexdigest()}
            for n, data in self.held[resource].items()
        ]
        return Answer(json.dumps({"ResultSet": {"Result": rows}}).encode())


def prepared(**more: Any) -> Xnat:
    files = {"1/NIFTI/image.nii.gz": b"a", "1/NIFTI/image.json": b"b", "2/DICOM_CLEAN/x/1.dcm": b"c"}
    rows = [
        {"scan": "1", "verdict": "pass", "resources": ["NIFTI"], "failed": None},
        {"scan": "2", "verdict": "", "resources": [], "failed": FAILED},
    ]
    report = json.dumps({"scans": rows}).encode()
    held = {f"{BASE}/resources/PREPARED": files, f"{BASE}/resources/PREPARE_REPORT": {"report.json": report}}
    return Xnat(held, **more)


def place(xnat: Xnat) -> int:
    return placing.place(xnat, "E1")  # type: ignore[arg-type]


def test_each_file_gets_to_the_resource_of_its_scan_and_the_sessions_own_is_removed() -> None:
    xnat = prepared()
    assert place(xnat) == 3
    assert xnat.held[f"{BASE}/scans/1/resources/NIFTI"] == {"image.nii.gz": b"a", "image.json": b"b"}
    assert xnat.held[f"{BASE}/scans/2/resources/DICOM_CLEAN"] == {"x/1.dcm": b"c"}
    assert f"{BASE}/resources/PREPARED" not in xnat.held
    assert place(xnat) == 0


def test_what_is_there_with_the_same_bytes_is_not_sent_again_and_other_bytes_are_replaced() -> None:
    xnat = prepared()
    xnat.held[f"{BASE}/scans/1/resources/NIFTI"] = {"image.nii.gz": b"a", "image.json": b"b"}
    xnat.held[f"{BASE}/scans/2/resources/DICOM_CLEAN"] = {"x/1.dcm": b"old"}
    assert place(xnat) == 1
    assert xnat.uploads == [f"{BASE}/scans/2/resources/DICOM_CLEAN"]
    assert xnat.held[f"{BASE}/scans/2/resources/DICOM_CLEAN"] == {"x/1.dcm": b"c"}


def test_an_upload_that_was_not_stored_is_noticed_and_nothing_is_removed() -> None:
    xnat = prepared(may_write=False)
    with pytest.raises(Unavailable, match="does not hold those bytes"):
        place(xnat)
    assert f"{BASE}/resources/PREPARED" in xnat.held


def test_who_may_not_delete_has_all_in_place_nevertheless() -> None:
    xnat = prepared(may_delete=False)
    assert place(xnat) == 3
    assert place(xnat) == 0


@pytest.mark.parametrize("name", ["9/NIFTI/a", "1/OTHER/a", "1/NIFTI", "a"])
def test_a_file_that_belongs_to_no_scan_or_resource_is_refused_before_anything_is_sent(name: str) -> None:
    xnat = prepared()
    xnat.held[f"{BASE}/resources/PREPARED"][name] = b"x"
    with pytest.raises(Refused, match="belongs to no scan"):
        place(xnat)
    assert xnat.uploads == []


def test_scans_that_failed_are_told_as_runs_that_failed() -> None:
    run = Ended(Job(WRAPPER, "/archive/experiments/E1"), "Complete", container="7")
    whole, failed = placing.settle(prepared(), [run])  # type: ignore[arg-type]
    assert whole == run
    assert failed.job.root_uri == "/archive/experiments/E1/scans/2"
    assert (failed.complete, failed.container) == (False, "7")
    assert failed.reason == "deface: No head. Leave it out. [no-head]"


def test_other_commands_and_runs_that_failed_are_left_alone() -> None:
    other = Ended(Job(Wrapper(1, 3, "deface-scan", "scan"), "/archive/experiments/E1/scans/1"), "Complete")
    broken = Ended(Job(WRAPPER, "/archive/experiments/E1"), "Failed", "why")
    xnat = prepared()
    assert placing.settle(xnat, [other, broken]) == [other, broken]  # type: ignore[arg-type]
    assert xnat.uploads == []
