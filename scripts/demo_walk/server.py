"""The embedded archive as a child process that ends with the demo."""

from __future__ import annotations

import contextlib
import ctypes
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from lethe.errors import Refused, Unavailable
from lethe.files import write_json

PEOPLE = ("admin", "curator", "coordinator", "member", "collaborator")
_START_S = 60.0
_GOING_DOWN_S = 20.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Server:
    """Where the archive answers and who may log in."""

    url: str
    http_port: int
    dicom_port: int
    passwords: dict[str, str]


def free_port(wanted: int | None, fallback: int) -> int:
    """Return `wanted` if it is free, else refuse; without a wish, the first free one from `fallback`."""
    candidates = [wanted] if wanted is not None else list(range(fallback, fallback + 50))
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Refused(
        "port-busy",
        f"Port {candidates[0]} is in use by another program.",
        remedy="Name another with --http or --dicom-port, or leave the option out.",
    )


def users(folder: Path) -> dict[str, str]:
    """Return login -> password; generated once and kept in a file only its owner can read."""
    file = folder / "users.json"
    if not file.exists():
        entries = {
            login: {
                "password": secrets.token_urlsafe(12),
                "email": f"{login}@demo.invalid",
                "admin": login == "admin",
            }
            for login in PEOPLE
        }
        write_json(file, entries, mode=0o600)
    return {login: str(entry["password"]) for login, entry in json.loads(file.read_text()).items()}


def _end_with_parent() -> None:
    # a demo that is killed must not leave an archive behind that holds the port and the folder
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(url: str, password: str) -> bool:
    """Tell whether our own archive answers; a foreign one on that port does not know the password."""
    try:
        return requests.get(f"{url}/data/auth", auth=("admin", password), timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, preexec_fn=_end_with_parent
        )


@contextlib.contextmanager
def archive(folder: Path, http_port: int, dicom_port: int, backend: str) -> Iterator[Server]:
    """Run the embedded archive below `folder` while the block runs.

    Raises
    ------
    Unavailable
        It did not start; the last line of its log is told.
    """
    passwords = users(folder)
    url = f"http://127.0.0.1:{http_port}"
    log = folder / "archive.log"
    command = [sys.executable, "-m", "lethe.cli", "archive", "serve"]
    command += ["--root", str(folder / "archive"), "--http", str(http_port), "--dicom", str(dicom_port)]
    command += ["--users", str(folder / "users.json"), "--backend", backend]
    child = _start(command, log)
    try:
        deadline, patience = time.monotonic() + _START_S, time.monotonic() + _GOING_DOWN_S
        while not _answers(url, passwords["admin"]):
            ended = child.poll()
            if ended == Unavailable.exit_code and time.monotonic() < patience:
                time.sleep(0.5)  # the archive of a demo that was just killed is still going down
                child = _start(command, log)
            elif ended == Unavailable.exit_code:
                raise Unavailable(
                    "archive-in-use",
                    "Another archive works on this folder.",
                    remedy="End that demo with Ctrl-C, or name another folder with --dir.",
                )
            elif ended is not None or time.monotonic() > deadline:
                raise Unavailable(
                    "archive-start",
                    "The embedded archive did not start.",
                    remedy="Its log, archive.log in the demo's folder, says why.",
                )
            time.sleep(0.1)
        yield Server(url, http_port, dicom_port, passwords)
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
