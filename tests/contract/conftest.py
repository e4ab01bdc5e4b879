"""A server for the scenarios: the one of LETHE_XNAT_URL, else the embedded archive on a free port."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest
import requests

from contract.helpers import PASSWORDS, Site


def start_archive(root, users_file, *more):
    """Start `lethe archive serve` as its own process; return it and its address."""
    users_file.write_text(
        json.dumps(
            {
                n: {"password": p, "email": f"{n}@example.org", "admin": n == "admin"}
                for n, p in PASSWORDS.items()
            }
        )
    )
    command = [sys.executable, "-m", "lethe.cli", "archive", "serve", "--root", str(root), "--http", "0"]
    process = subprocess.Popen(
        [*command, "--users", str(users_file), *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r"archive at (http://\S+)", line)
        if found:
            break
    assert found, "".join(said)
    address = found[1]
    log = root.with_suffix(".log")
    process.reader = threading.Thread(target=_copy, args=(process.stderr, log), daemon=True)
    process.reader.start()
    for _ in range(100):
        try:
            requests.get(address + "/xapi/siteConfig/buildInfo", timeout=5)
            break
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.05)
    return process, address


def _copy(stream, path):
    with path.open("w") as log, stream:
        for line in stream:
            log.write(line)
            log.flush()


def stop_archive(process):
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.reader.join(5)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The server under test, with users admin, alice and bob."""
    given = os.environ.get("LETHE_XNAT_URL")
    if given:
        yield Site(given.rstrip("/"))
        return
    folder = tmp_path_factory.mktemp("archive")
    process, address = start_archive(folder / "root", folder / "users.json", "--backend", "process")
    yield Site(address)
    stop_archive(process)
