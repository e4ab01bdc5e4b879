"""An embedded archive in a process of its own, with the users a test wants."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import requests


@contextlib.contextmanager
def served(root: Path, users: dict[str, dict[str, object]], *options: str) -> Iterator[str]:
    """Serve the archive in `root` on a free port while the block runs; give its address."""
    table = root.parent / f"{root.name}-users.json"
    table.write_text(json.dumps(users))
    command = [sys.executable, "-m", "lethe.cli", "archive", "serve", "--root", str(root), "--http", "0"]
    command += ["--users", str(table), "--backend", "process", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = next(line for line in process.stderr if "archive at" in line).split()[-1]
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        try:
            _wait(url)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)
            drain.join()


def _wait(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            requests.get(f"{url}/xapi/siteConfig/buildInfo", timeout=5)
            return
        assert time.monotonic() < end, "the archive does not answer"
        time.sleep(0.1)
