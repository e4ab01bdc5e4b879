"""The real server process dies at any moment; nothing that was acknowledged is lost, every retry succeeds."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest

from contract.conftest import start_archive, stop_archive
from contract.helpers import Site
from contract.test_commands import register
from contract.workload import Workload
from kit.ports import free_port
from lethe.archive.check import check
from lethe.archive.context import open_context

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(bool(os.environ.get("LETHE_XNAT_URL")), reason="kills the server"),
]
KILLS = int(os.environ.get("LETHE_KILLS", "4"))
SEED = int(os.environ.get("LETHE_SEED", "11"))


class Server:
    """One archive whose server is killed and started again."""

    def __init__(self, folder):
        self.root, self.users, self.port = folder / "root", folder / "users.json", free_port()
        self.process = None

    def start(self):
        more = ("--backend", "process", "--dicom", str(self.port))
        self.process, url = start_archive(self.root, self.users, *more)
        return Site(url)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.reader.join(5)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    yield made
    if made.process is not None:
        stop_archive(made.process)


def differences(root):
    ctx = open_context(root, exclusive=False)
    try:
        return check(ctx)
    finally:
        ctx.store.close()


def new_load(server):
    site = server.start()
    site.rq("POST", "/xapi/siteConfig", json={"sessionXmlRebuilderInterval": 0.005})
    project = site.new_project()
    session = site.mr(project)
    site.rq("PUT", f"/data/experiments/{session}/resources/IN/files/a.txt?inbody=true", data=b"hello")
    wrapper = register(site, project)
    return Workload(project, wrapper, f"/archive/experiments/{session}", site=site, port=server.port)


@pytest.mark.requirement("E-66", "M-57")
def test_kill_9_during_import_c_store_upload_delete_and_launch(server):
    chance, load = random.Random(SEED), new_load(server)
    for turn in range(KILLS):
        stop = threading.Event()
        threads = load.work(stop, turn)
        time.sleep(chance.uniform(0.05, 1.5))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        load.site = server.start()
        for job in [one for one in load.jobs if not one.acknowledged]:
            assert load.run(job, again=True), (job.kind, job.name, job.answer)
        runs = load.settle()
        assert load.differences(since=turn) == []
        assert [run["status"] for run in runs if run["status"] != "Complete"] == []
        assert differences(server.root) == []
    assert load.differences() == []
    stop_archive(server.process)
    assert differences(server.root) == []
    kinds = {kind: sum(job.kind == kind for job in load.jobs) for kind in {job.kind for job in load.jobs}}
    print(f"{KILLS} kills, {len(load.jobs)} deeds: {kinds}")
    assert set(kinds) >= {"upload", "import", "store", "launch"}
