"""A disk that is full for real (a small tmpfs): 507, and nothing that was acknowledged is lost."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import suppress

import pytest

from contract.conftest import stop_archive
from contract.test_crash import Server, differences
from contract.workload import packed, send, study

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(bool(os.environ.get("LETHE_XNAT_URL")), reason="fills the server's disk"),
]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system of its own can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.requirement("E-66")
def test_a_full_disk_is_507_and_what_was_acknowledged_stays(small_disk):
    server = Server(small_disk)
    site = server.start()
    try:
        project = site.new_project()
        files = f"/data/projects/{project}/resources/R/files"
        imported = f"/data/services/import?project={project}&dest=/archive&inbody=true"
        zip_type = {"headers": {"Content-Type": "application/zip"}}

        def put(name, size=1 << 20):
            data = os.urandom(size)
            return site.rq("PUT", f"{files}/{name}?inbody=true", data=data).status_code, data

        kept, codes = {}, []
        for number in range(24):
            code, data = put(f"{number}.bin")
            codes.append(code)
            if code == 200:
                kept[f"{number}.bin"] = hashlib.md5(data).hexdigest()
        assert set(codes) == {200, 507}
        assert 4 < len(kept) < 24
        filler = small_disk / "filler"
        fill(filler)
        one = study(project, "FULL")
        assert put("more.bin", 100_000)[0] == 507
        assert site.rq("POST", imported, data=packed(one), **zip_type).status_code == 507
        assert send(server.port, one) == 0
        assert site.rq("PUT", f"/data/projects/{project}/subjects/NEW").status_code == 507
        rows = site.rq("GET", files).json()["ResultSet"]["Result"]
        assert {row["Name"]: row["digest"] for row in rows} == kept
        filler.unlink()
        site.rq("DELETE", f"{files}/0.bin")
        assert put("more.bin", 100_000)[0] == 200
        assert site.rq("POST", imported, data=packed(one), **zip_type).status_code == 200
        assert send(server.port, study(project, "LATER")) == 12
    finally:
        stop_archive(server.process)
    assert differences(server.root) == []
    assert not list((server.root / "tmp").iterdir())


def fill(path):
    """Write until nothing more goes."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(b"\0" * 4096):
            pass
