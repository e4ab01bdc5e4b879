"""A third client, xnatctl 0.6.0, which needs other versions of libraries: in an environment of its own.

The environment is made once, below ``.lethe/`` of the clone. Without a network it cannot be made; then the
tests are passed over, except where ``CI`` is set.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from contract.helpers import dicom_zip

pytestmark = pytest.mark.contract

VERSION = "0.6.0"
HOME = (
    Path(__file__).parents[2] / ".lethe" / f"xnatctl-{VERSION}-py{sys.version_info[0]}{sys.version_info[1]}"
)


@pytest.fixture(scope="session")
def program():
    """The client's program; installed at the first use."""
    found = HOME / "bin" / "xnatctl"
    if found.exists():
        return found
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    pip = [
        str(HOME / "bin" / "pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        f"xnatctl=={VERSION}",
    ]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(HOME, ignore_errors=True)
        if os.environ.get("CI"):
            pytest.fail(f"xnatctl could not be installed: {done.stderr[-500:]}")
        pytest.skip("xnatctl cannot be installed here (no network?)")
    return found


@pytest.fixture
def ctl(site, program, tmp_path):
    """Run the client; the answer to ``-o json`` comes decoded."""

    def run(*words, user="alice", code=0):
        home = tmp_path / f"home of {user}"  # it keeps the session of its user there
        home.mkdir(exist_ok=True)
        environment = {
            "HOME": str(home), "PATH": os.environ["PATH"], "XNAT_URL": site.url, "XNAT_USER": user,
            "XNAT_PASS": user, "NO_COLOR": "1", "XNAT_NO_UPDATE_CHECK": "1", "CI": "1",
        }  # fmt: skip
        done = subprocess.run(
            [str(program), *map(str, words)], env=environment, capture_output=True, text=True, cwd=tmp_path,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if "json" in words else done.stdout

    return run


@pytest.fixture
def quick_rebuilder(site):
    """Sessions without a final word are archived as soon as they rest for a second."""
    key = "sessionXmlRebuilderInterval"
    before = site.rq("GET", f"/xapi/siteConfig/{key}").json()
    assert site.rq("POST", "/xapi/siteConfig", json={key: 0.02}).status_code == 200
    yield
    site.rq("POST", "/xapi/siteConfig", json={key: before})


def until(deed, seconds=60):
    for _ in range(seconds * 20):
        found = deed()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.mark.requirement("E-15", "E-71")
def test_it_logs_in_and_lists(site, ctl):
    project = site.new_project("alice")
    session = site.mr(project, user="alice")
    site.rq("PUT", f"/data/experiments/{session}/scans/1?xsiType=xnat:mrScanData&type=T1w", "alice")
    ctl("health", "ping")
    assert "alice" in ctl("auth", "test")
    assert project in {row["id"] for row in ctl("project", "list", "-o", "json")}
    (subject,) = ctl("subject", "list", "-P", project, "-o", "json")
    assert (subject["label"], subject["sessions"]) == ("S1", 1)
    (row,) = ctl("session", "list", "-P", project, "-o", "json")
    assert (row["id"], row["label"], row["modality"]) == (session, "S1_MR1", "MR")
    (scan,) = ctl("scan", "list", "-E", session, "-o", "json")
    assert (scan["id"], scan["type"]) == ("1", "T1w")
    assert "Session" in ctl("event", "types")
    ctl("scp", "list", user="admin")
    ctl("scp", "list", code=6)  # alice is no administrator
    ctl("project", "show", "NONE", code=5)


@pytest.mark.requirement("E-66", "E-78")
def test_it_uploads_a_session_and_downloads_it_again(site, ctl, quick_rebuilder, tmp_path):
    project = site.new_project("alice")
    with zipfile.ZipFile(io.BytesIO(dicom_zip(n_series=1, n_inst=3))) as packed:
        packed.extractall(tmp_path / "dicom")
    for mode in ("tar", "gradual"):
        ctl("session", "upload", "dicom", "-P", project, "-S", f"S{mode}", "-E", f"E{mode}", "--mode", mode)
    rows = until(
        lambda: [row for row in ctl("session", "list", "-P", project, "-o", "json") if row["label"] == "Etar"]
    )
    assert rows[0]["subject"] == "Star"
    listed = f"/data/experiments/{rows[0]['id']}/scans/1/resources/DICOM/files?format=json"
    until(lambda: site.rq("GET", listed, "alice").json()["ResultSet"]["totalRecords"] == "3")
    ctl("session", "download", "-E", "Etar", "-P", project, "--out", "got", "--extract")
    got = sorted(path.read_bytes() for path in (tmp_path / "got").rglob("*.dcm"))
    assert got == sorted(path.read_bytes() for path in (tmp_path / "dicom").rglob("*.dcm"))


@pytest.mark.requirement("E-66")
def test_it_puts_and_lists_resources_and_variables(site, ctl, tmp_path):
    project = site.new_project("alice")
    session = site.mr(project, user="alice")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "a.txt").write_text("A")
    (tmp_path / "b.txt").write_text("B")
    ctl("resource", "upload", session, "QC", "folder")
    ctl("resource", "upload", session, "QC", "b.txt")
    listed = ctl("resource", "list", session, "-o", "json")
    assert [row["label"] for row in listed] == ["QC"]
    files = site.rq("GET", f"/data/experiments/{session}/resources/QC/files", "alice").json()["ResultSet"]
    assert len(files["Result"]) == 2
    ctl("subject", "vars", "set", "S1", "outcome=2", "-P", project, "--yes")
    item = site.rq("GET", f"/data/projects/{project}/subjects/S1?format=json", "alice").json()["items"][0]
    fields = [c["items"] for c in item["children"] if c["field"] == "fields/field"]
    assert fields[0][0]["data_fields"]["field"] == "2"


COMMAND = {
    "type": "docker", "schema-version": "1.0", "version": "1", "image": "busybox:1.36",
    "override-entrypoint": True, "command-line": "touch /output/x",
    "mounts": [{"name": "o", "writable": True, "path": "/output"}],
    "inputs": [], "outputs": [{"name": "out", "mount": "o", "path": "", "required": True}],
    "xnat": [{"name": "ctl", "contexts": ["xnat:imageSessionData"],
              "external-inputs": [{"name": "session", "type": "Session", "required": True}],
              "output-handlers": [{"name": "h", "type": "Resource", "accepts-command-output": "out",
                                   "as-a-child-of": "session", "label": "OUT"}]}],
}  # fmt: skip


@pytest.mark.requirement("M-31")
def test_it_registers_and_launches_a_command(site, ctl, tmp_path):
    project = site.new_project("alice")
    session = site.mr(project, user="alice")
    definition = tmp_path / "command.json"
    definition.write_text(json.dumps({**COMMAND, "name": f"ctl-{project.lower()}"}))
    ctl("command", "create", definition, "--yes", user="admin")
    (command,) = [c for c in site.rq("GET", "/xapi/commands").json() if c["name"] == f"ctl-{project.lower()}"]
    wrapper = command["xnat"][0]["id"]
    ctl("wrapper", "enable", command["id"], wrapper, "--yes", user="admin")
    ctl("wrapper", "enable", command["id"], wrapper, "-P", project, "--yes")
    for named in ("S1_MR1", session):
        ctl("container", "launch", wrapper, "-P", project, "-E", named)
    runs = until(
        lambda: [
            r for r in ctl("container", "list", "-P", project, "-o", "json") if r["status"] == "Complete"
        ]
    )
    files = f"/data/experiments/{session}/resources/OUT/files"
    assert site.rq("GET", files, "alice").json()["ResultSet"]["totalRecords"] == "1"
    assert {run["status"] for run in runs} == {"Complete"}


@pytest.mark.requirement("E-78")
def test_what_its_verification_takes_for_a_label_is_the_number_that_xnat_sends(site, ctl, tmp_path):
    """``session download --verify`` reads a label where the address of a file has the resource's number."""
    project = site.new_project("alice")
    session = site.mr(project, user="alice")
    base = f"/data/experiments/{session}/scans/1"
    site.rq("PUT", f"{base}?xsiType=xnat:mrScanData&type=T1w", "alice")
    site.rq("PUT", f"{base}/resources/NIFTI/files/a.nii?inbody=true", "alice", data=b"n" * 50)
    row = site.rq("GET", f"{base}/resources/NIFTI/files?format=json", "alice").json()["ResultSet"]["Result"][
        0
    ]
    assert row["URI"] == f"{base}/resources/{row['cat_ID']}/files/a.nii"
    assert row["cat_ID"].isdecimal()
    ctl("session", "download", "-E", session, "--out", "got", "--extract")
    assert [path.read_bytes() for path in (tmp_path / "got").rglob("a.nii")] == [b"n" * 50]


def test_it_renames_by_its_convention_and_makes_a_receiver(site, ctl):
    project = site.new_project("alice")
    site.mr(project, user="alice")
    ctl("session", "normalize-labels", "-P", project, "--yes")
    listed = site.rq("GET", f"/data/projects/{project}/experiments", "alice").json()["ResultSet"]["Result"]
    assert [row["label"] for row in listed] != ["S1_MR1"]
    ctl("scp", "create", "--ae-title", "CTLNEW", "--port", "18999", "--yes", user="admin")
    (made,) = [one for one in site.rq("GET", "/xapi/dicomscp").json() if one["aeTitle"] == "CTLNEW"]
    assert site.rq("DELETE", f"/xapi/dicomscp/{made['id']}").status_code == 200
