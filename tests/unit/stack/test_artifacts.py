"""Artifacts of the stack: recorded at first sight, compared ever after."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.stack.artifacts import Artifact, Ledger, fetch, image_digest, read_artifacts
from lethe.stack.settings import read_env

ROOT = Path(__file__).resolve().parents[3]


class _Publisher(http.server.BaseHTTPRequestHandler):
    body: ClassVar[bytes] = b"a war file"
    promised: ClassVar[int | None] = None

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.promised or len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Publisher)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_first_fetch_records_and_a_changed_file_is_refused_and_not_kept(
    publisher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, ledger = Artifact("x.war", f"{publisher}/x.war"), tmp_path / "artifacts.lock"
    assert fetch(one, tmp_path / "d", Ledger(ledger)) == "recorded"
    assert fetch(one, tmp_path / "d", Ledger(ledger)) == "same"
    (tmp_path / "d" / "x.war").unlink()
    monkeypatch.setattr(_Publisher, "body", b"another war file")
    with pytest.raises(Refused, match="recorded"):
        fetch(one, tmp_path / "d", Ledger(ledger))
    assert list((tmp_path / "d").iterdir()) == []


def test_a_published_digest_counts_from_the_first_fetch_on(publisher: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="published"):
        fetch(Artifact("x", f"{publisher}/x", "0" * 64), tmp_path, Ledger(tmp_path / "l"))
    assert not (tmp_path / "x").exists()


def test_a_file_changed_on_disk_is_refused(publisher: str, tmp_path: Path) -> None:
    one = Artifact("x.war", f"{publisher}/x.war")
    fetch(one, tmp_path, Ledger(tmp_path / "l"))
    (tmp_path / "x.war").write_bytes(b"tampered")
    with pytest.raises(Refused):
        fetch(one, tmp_path, Ledger(tmp_path / "l"))


def test_a_cut_or_missing_file_is_no_artifact(
    publisher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable):
        fetch(Artifact("x", f"{publisher}/gone"), tmp_path / "d", Ledger(tmp_path / "l"))
    monkeypatch.setattr(_Publisher, "promised", 1000)
    with pytest.raises(Unavailable):
        fetch(Artifact("x", f"{publisher}/x"), tmp_path / "d", Ledger(tmp_path / "l"))
    assert list((tmp_path / "d").iterdir()) == []
    assert not (tmp_path / "l").exists()


def test_our_list_is_complete_for_the_example_settings_and_a_missing_one_is_named() -> None:
    settings = read_env(ROOT / ".env.example")
    files, images = read_artifacts(ROOT / "stack" / "artifacts.toml", settings)
    assert {one.name for one in files} == {
        f"xnat-web-{settings['XNAT_VERSION']}.war",
        f"container-service-{settings['CONTAINER_SERVICE_VERSION']}-fat.jar",
        "CTP-installer.jar",
    }
    assert not any("{" in one.url or "latest" in one.url for one in files)
    assert set(images) == {name for name in settings if name.endswith("_IMAGE")}
    with pytest.raises(Misconfigured, match="XNAT_VERSION"):
        read_artifacts(ROOT / "stack" / "artifacts.toml", {**settings, "XNAT_VERSION": ""})


def test_an_image_has_its_registry_digest_and_a_local_one_its_id() -> None:
    pulled = {"Id": "sha256:1", "RepoDigests": ["other@sha256:9", "postgres@sha256:2"]}
    assert image_digest(pulled, "postgres:16.6-bookworm") == "sha256:2"
    assert image_digest({"Id": "sha256:1", "RepoDigests": []}, "postgres:16") == "local sha256:1"
