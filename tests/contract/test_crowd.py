"""Many senders at one real server: C-STORE and zip at once, nothing lost, nothing doubled."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pydicom
import pytest

from contract.conftest import stop_archive
from contract.test_crash import Server, differences
from contract.workload import Job, Workload, packed, send, study

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(bool(os.environ.get("LETHE_XNAT_URL")), reason="needs the DICOM port"),
]
SLICES = int(os.environ.get("LETHE_SLICES", "12"))
"""Slices of each session; the full size is 200."""


@pytest.mark.requirement("M-57", "E-66")
def test_eight_sessions_by_c_store_and_eight_by_zip_at_once(tmp_path):
    server = Server(tmp_path)
    site = server.start()
    try:
        site.rq("POST", "/xapi/siteConfig", json={"sessionXmlRebuilderInterval": 0.01})
        load = Workload(site.new_project(), 0, "", site=site, port=server.port)
        sent = [Job("store", f"C{n}-0", study(load.project, f"C{n}-0", 2, SLICES // 2)) for n in range(8)]
        zipped = [Job("import", f"I{n}-0", study(load.project, f"I{n}-0", 2, SLICES // 2)) for n in range(8)]
        bodies = {job.name: packed(job.data) for job in zipped}
        url = f"/data/services/import?project={load.project}&dest=/archive&inbody=true"

        def post(job):
            more = {"headers": {"Content-Type": "application/zip"}}
            return site.rq("POST", url, data=bodies[job.name], **more).status_code

        started = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            stored = [pool.submit(send, server.port, job.data) for job in sent]
            posted = [pool.submit(post, job) for job in zipped]
            assert [one.result() for one in posted] == [200] * 8
            assert [one.result() for one in stored] == [len(job.data) for job in sent]
        seconds = time.monotonic() - started
        load.settle()
        assert [job.name for job in (*sent, *zipped) if not load.session_is(job)] == []
        for job in zipped:
            assert set(stored_files(site, load.project, job.name)) == set(job.data)
        for job in sent:  # the receiver writes its own file meta
            assert by_uid(stored_files(site, load.project, job.name)) == by_uid(job.data)
        found = site.rq("GET", f"/data/projects/{load.project}/experiments").json()["ResultSet"]
        assert found["totalRecords"] == "16"
        print(f"{16 * SLICES} slices of 16 sessions in {seconds:.1f} s")
    finally:
        stop_archive(server.process)
    assert differences(server.root) == []


def stored_files(site, project, name):
    """Return the objects of a session as they are downloaded; their digests are those of the catalogue."""
    url = f"/data/projects/{project}/subjects/{name}/experiments/{name}/scans/ALL/files"
    rows = site.rq("GET", url + "?format=json").json()["ResultSet"]["Result"]
    with zipfile.ZipFile(io.BytesIO(site.rq("GET", url + "?format=zip").content)) as archive:
        found = {one.rsplit("/", 1)[-1]: archive.read(one) for one in archive.namelist()}
    assert {name: hashlib.md5(data).hexdigest() for name, data in found.items()} == {
        row["Name"]: row["digest"] for row in rows
    }
    return list(found.values())


def by_uid(files):
    objects = [pydicom.dcmread(io.BytesIO(data)) for data in files]
    return {str(one.SOPInstanceUID): one for one in objects}
