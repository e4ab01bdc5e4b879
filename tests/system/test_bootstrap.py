"""A fresh archive becomes a Lethe site, twice the same; the password it was born with is gone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kit.served import served

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.system, pytest.mark.requirement("E-09", "E-21", "E-24", "M-81")]
PASSWORD = "set-by-this-test-only"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "admin_password").write_text(PASSWORD + "\n")
    (tmp_path / "xnat-containers").symlink_to(ROOT / "xnat-containers")
    settings = {"LETHE_HOST": "x", "LETHE_UID": 10001, "LETHE_GID": 10001, "LETHE_DATA": "/srv/lethe",
                "LETHE_SECRETS": tmp_path / "secrets"}  # fmt: skip
    text = (ROOT / ".env.example").read_text()
    for name, value in settings.items():
        text = re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text)
    (tmp_path / ".env").write_text(text)
    with served(tmp_path / "root", {"admin": {"password": "admin", "admin": True}}) as url:
        yield tmp_path, url


def bootstrap(root: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lethe.stack.bootstrap_xnat", "--root", str(root), "--url", url, *words],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ},
    )  # fmt: skip


def words(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("  ")[-2].strip() for line in done.stdout.splitlines() if line.strip()]


def test_a_fresh_archive_becomes_a_closed_site_and_a_second_run_changes_nothing(
    site: tuple[Path, str],
) -> None:
    root, url = site
    assert set(words(bootstrap(root, url))) == {"made"}
    assert set(words(bootstrap(root, url))) == {"kept"}
    assert set(words(bootstrap(root, url, "--dry-run"))) == {"kept"}
    assert requests.get(f"{url}/data/projects", auth=("admin", "admin"), timeout=10).status_code == 401
    assert requests.get(f"{url}/data/projects", timeout=10).status_code == 401
    admin = requests.Session()
    admin.auth = ("admin", PASSWORD)
    config = admin.get(f"{url}/xapi/siteConfig", timeout=10).json()
    assert config["requireLogin"] is True
    assert config["uiAllowNonAdminProjectCreation"] is False
    receivers = admin.get(f"{url}/xapi/dicomscp", timeout=10).json()
    assert {"aeTitle": "XNAT", "port": 8104}.items() <= next(
        r for r in receivers if r["port"] == 8104
    ).items()
    assert admin.get(f"{url}/xapi/events/prefs", timeout=10).json()["enabled"] is True
    names = {row["name"] for row in admin.get(f"{url}/xapi/commands", timeout=10).json()}
    assert {"deface", "dicom-to-nifti", "clean-header"} <= names
    engine = admin.get(f"{url}/xapi/docker/server", timeout=10).json()
    assert engine["path-translation-docker-prefix"] == "/srv/lethe/xnat"


def test_drift_is_found_and_mended(site: tuple[Path, str]) -> None:
    root, url = site
    bootstrap(root, url)
    admin = requests.Session()
    admin.auth = ("admin", PASSWORD)
    admin.post(f"{url}/xapi/siteConfig", json={"requireLogin": False}, timeout=10).raise_for_status()
    assert "would change" in words(bootstrap(root, url, "--dry-run"))
    assert words(bootstrap(root, url)).count("made") == 1


def test_an_unknown_administrator_password_is_said(site: tuple[Path, str]) -> None:
    root, url = site
    bootstrap(root, url)
    (root / "secrets" / "admin_password").write_text("yet another\n")
    done = bootstrap(root, url)
    assert done.returncode == 4
    assert "secrets/admin_password" in done.stderr
    assert "yet another" not in done.stdout + done.stderr
