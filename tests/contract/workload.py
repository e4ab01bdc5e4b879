"""Clients that work on a server until it dies, remember every answer, and try again what had none."""

from __future__ import annotations

import hashlib
import io
import os
import threading
import time
import zipfile
from dataclasses import dataclass, field

import pydicom
import requests
from pynetdicom import AE

from contract.helpers import Site, dicom_bytes, generate_uid

SERIES, SLICES = 2, 6
GONE = (requests.RequestException, OSError, RuntimeError, ValueError)
"""What a client sees of a server that dies."""


def study(project, label, series=SERIES, slices=SLICES):
    """Return the files of one study whose comments name project, subject and session."""
    uid, comments = generate_uid(), f"Project:{project} Subject:{label} Session:{label}"
    found = []
    for number in range(1, series + 1):
        one = generate_uid()
        found += [
            dicom_bytes(study=uid, series=one, num=number, inst=n, comments=comments) for n in range(slices)
        ]
    return found


def packed(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, data in enumerate(files):
            archive.writestr(f"{number}.dcm", data)
    return stream.getvalue()


def send(port, files):
    """Send objects by C-STORE; return how many of them were acknowledged."""
    entity = AE(ae_title="SENDER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    first = pydicom.dcmread(io.BytesIO(files[0]))
    entity.add_requested_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title="XNAT")
    if not association.is_established:
        return 0
    done = 0
    try:
        for data in files:
            answer = association.send_c_store(pydicom.dcmread(io.BytesIO(data)))
            if answer.get("Status") != 0:
                return done
            done += 1
    finally:
        association.release() if association.is_established else association.abort()
    return done


def sop_uids(files):
    return {str(pydicom.dcmread(io.BytesIO(data), specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
            for data in files}  # fmt: skip


@dataclass
class Job:
    """One deed of a client: what it did, whether the server said yes."""

    kind: str
    name: str
    data: object = None
    acknowledged: bool = False
    answer: str = ""


@dataclass
class Workload:
    """Uploads, deletions, imports, C-STORE sessions and launches on one project."""

    project: str
    wrapper: int
    target: str
    jobs: list[Job] = field(default_factory=list)
    site: Site | None = None
    port: int = 0

    def path(self, name):
        return f"/data/projects/{self.project}/resources/R/files/{name}"

    def run(self, job, *, again=False):
        """Do a job; `again` says that it may have been done before without an answer."""
        answer = getattr(self, f"_{job.kind}")(job, again)
        job.acknowledged = answer is None or answer.status_code == 200
        if answer is not None:
            job.answer = answer.text.strip()
        return job.acknowledged

    def _upload(self, job, again):
        more = "&overwrite=true" if again else ""
        return self.site.rq("PUT", self.path(job.name) + "?inbody=true" + more, data=job.data)

    def _delete(self, job, again):
        answer = self.site.rq("DELETE", self.path(job.name))
        return None if again and answer.status_code == 404 else answer

    def _import(self, job, again):
        url = f"/data/services/import?project={self.project}&dest=/archive&inbody=true"
        return self.site.rq("POST", url, data=packed(job.data), headers={"Content-Type": "application/zip"})

    def _store(self, job, again):
        if send(self.port, job.data) != len(job.data):
            raise RuntimeError("not everything was acknowledged")

    def _launch(self, job, again):
        url = f"/xapi/projects/{self.project}/wrappers/{self.wrapper}/root/session/launch"
        return self.site.rq("POST", url, json={"session": self.target, "OUT": job.name})

    # ---- the workers --------------------------------------------------------------------------------

    def work(self, stop, turn):
        """Let five clients work until told to stop; return their threads."""
        workers = [self._uploads, self._deletes, self._imports, self._stores, self._launches]
        threads = [threading.Thread(target=self._guarded, args=(one, stop, turn)) for one in workers]
        for thread in threads:
            thread.start()
        return threads

    def _guarded(self, worker, stop, turn):
        number = 0
        while not stop.is_set():
            job = worker(f"{turn}-{number}")
            number += 1
            if job is None:
                time.sleep(0.02)
                continue
            self.jobs.append(job)
            try:
                self.run(job)
            except GONE:
                return

    def _uploads(self, name):
        return Job("upload", f"u{name}", os.urandom(40_000))

    def _deletes(self, name):
        gone = {job.name for job in self.jobs if job.kind == "delete"}
        ready = [j for j in self.jobs if j.kind == "upload" and j.acknowledged and j.name not in gone]
        return Job("delete", ready[0].name) if len(ready) > 3 else None

    def _imports(self, name):
        return Job("import", f"I{name}", study(self.project, f"I{name}"))

    def _stores(self, name):
        return Job("store", f"C{name}", study(self.project, f"C{name}"))

    def _launches(self, name):
        pending = sum(job.kind == "launch" for job in self.jobs)
        return Job("launch", f"{name}.txt") if pending < 8 + 2 * int(name.partition("-")[0]) else None

    # ---- what must hold -----------------------------------------------------------------------------

    def settle(self, patience=60):
        """Wait until the prearchive is empty and no run is on its way."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            rows = self.site.rq("GET", f"/data/prearchive/projects/{self.project}").json()
            runs = self.site.rq("GET", f"/xapi/projects/{self.project}/containers").json()
            running = [r for r in runs if r["status"] != "Complete" and not r["status"].startswith("Failed")]
            if not rows["ResultSet"]["Result"] and not running:
                return runs
            time.sleep(0.1)
        raise AssertionError((rows["ResultSet"]["Result"], [r["status"] for r in running]))

    def differences(self, since=0):
        """Return every acknowledged deed that the archive does not show; sessions from turn `since` on."""
        rows = self.site.rq("GET", self.path("")).json()["ResultSet"]["Result"]
        stored = {row["Name"]: row["digest"] for row in rows}
        gone = {job.name for job in self.jobs if job.kind == "delete" and job.acknowledged}
        asked = {job.name for job in self.jobs if job.kind == "delete"}
        wrong = []
        for job in [one for one in self.jobs if one.acknowledged]:
            match job.kind:
                case "upload" if job.name in asked:
                    right = job.name not in gone or job.name not in stored
                case "upload":
                    right = stored.get(job.name) == hashlib.md5(job.data).hexdigest()
                case "import" | "store":
                    right = int(job.name[1:].partition("-")[0]) < since or self.session_is(job)
                case _:
                    right = True
            if not right:
                wrong.append((job.kind, job.name))
        return wrong

    def session_is(self, job):
        """Tell whether a session holds exactly the objects that were sent, each once."""
        url = f"/data/projects/{self.project}/subjects/{job.name}/experiments/{job.name}/scans/ALL/files"
        rows = self.site.rq("GET", url + "?format=json").json()["ResultSet"]["Result"]
        wanted = {hashlib.sha256(uid.encode()).hexdigest()[:32] + ".dcm" for uid in sop_uids(job.data)}
        return len(rows) == len(job.data) and {row["Name"] for row in rows} == wanted
