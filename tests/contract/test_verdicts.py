"""The way of a verdict: recorded from a run, judged by people, decided at the gate."""

import json
import time

import pytest

from contract.conftest import start_archive, stop_archive
from contract.helpers import PASSWORDS
from lethe.plugin.qc import document
from lethe.xnat.client import connect
from lethe.xnat.intake import series_of
from lethe.xnat.resources import put_file
from lethe.xnat.verdicts import assessments, record_results

REPORT = {"method": "lethe-front", "method_version": "2", "verdict": "review", "reasons": [],
          "measures": {"removed_ml": 200.0, "brain_changed": 0}}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An archive with one de-faced scan in an intake project, and who may work there."""
    folder = tmp_path_factory.mktemp("archive")
    process, address = start_archive(folder / "root", folder / "users.json", "--backend", "process")
    with connect(address, "admin", PASSWORDS["admin"]) as archive:
        base = "/data/projects/S_INTAKE"
        archive.request("PUT", base, "create")
        session = f"{base}/subjects/A001/experiments/A001_CT"
        archive.request("PUT", f"{base}/subjects/A001", "create")
        archive.request("PUT", session, "create", params={"xsiType": "xnat:ctSessionData"})
        scan = f"{session}/scans/2"
        archive.request("PUT", scan, "create", params={"xsiType": "xnat:ctScanData", "type": "CTA"})
        for resource, name, body in (
            ("CONVERSION", "lane.json", json.dumps({"lane": "deface", "modality": "CT"})),
            ("DEFACE_QC", "report.json", json.dumps(REPORT)),
            ("NIFTI", "image.nii.gz", "before"),
            ("NIFTI_DEFACED", "image.nii.gz", "after"),
        ):
            spool = folder / "spool"
            spool.write_text(body)
            put_file(archive, f"{scan}/resources/{resource}", name, spool)
        for name in ("alice", "bob"):
            archive.request("PUT", f"{base}/users/Members/{name}", "grant")
        yield address, archive, session
    stop_archive(process)


def word(archive):
    ((_, series),) = series_of(archive, "S_INTAKE")
    return series.record.verdict, series.record.reviewed


def judge(place, login, verdict, *, reviewer=None):
    """Store a reader's own assessor, as the dashboard does."""
    address, _, session = place
    time.sleep(0.01)  # two words of one millisecond have no order
    values = {
        "scan_id": "2",
        "verdict": verdict,
        "reviewer": reviewer or login,
        "reviewed_at": "2026-05-31T08:30:00",
    }
    with connect(address, login, PASSWORDS[login]) as own:
        own.request(
            "PUT",
            f"{session}/assessors/A001_CT_DQC_2_{login}",
            "judge",
            params={"xsiType": "lethe:defaceQcData"},
            data=document(values),
            headers={"Content-Type": "text/xml"},
        )


@pytest.mark.requirement("M-24", "E-68", "E-77")
def test_a_verdict_goes_from_the_run_by_the_readers_to_the_gate(place):
    _, archive, _ = place
    assert assessments(archive, "S_INTAKE") == {}
    assert word(archive) == ("review", None)
    judge(place, "alice", "pass")
    assert word(archive) == ("review", None)  # nobody recorded what she looked at
    time.sleep(0.01)
    assert record_results(archive, "S_INTAKE") == 1
    assert record_results(archive, "S_INTAKE") == 0
    assert word(archive) == ("review", None)  # her word is older than the record
    judge(place, "alice", "review")
    assert word(archive) == ("review", "review")
    judge(place, "alice", "pass")
    assert word(archive) == ("review", "pass")  # her own later word replaces her question
    judge(place, "bob", "fail")
    assert word(archive) == ("review", "fail")
    judge(place, "bob", "pass", reviewer="alice")
    assert word(archive) == ("review", "pass")  # what is stored in another's name does not count
    judge(place, "bob", "pass")
    assert word(archive) == ("review", "pass")
