from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lethe.command.cli import NAMES

from .dockerfile import findings, instructions

ROOT = Path(__file__).parents[3]
every_command = pytest.mark.parametrize("name", NAMES)
BASE = f"python:3.11-slim-bookworm@sha256:{'5e' * 32}"
GOOD = f"""FROM {BASE}
RUN pip install --no-cache-dir --require-hashes -r lock.txt
USER 10001
"""


def _text(name: str) -> str:
    return (ROOT / "xnat-containers" / name / "Dockerfile").read_text(encoding="utf-8")


@every_command
@pytest.mark.requirement("A-13")
def test_a_dockerfile_has_none_of_the_usual_weaknesses(name: str) -> None:
    assert findings(_text(name)) == []


@pytest.mark.parametrize(
    ("weak", "finding"),
    [
        (GOOD.replace("USER 10001\n", ""), "runs as root"),
        (GOOD.replace("USER 10001", "USER root"), "runs as root"),
        (GOOD.replace("USER 10001", "USER 0:0"), "runs as root"),
        (GOOD.replace(BASE, "python"), "base is not pinned"),
        (GOOD.replace(BASE, "python:3.11.15-slim-bookworm"), "base is not pinned"),
        (GOOD.replace("5e5e", "5e"), "base is not pinned"),
        (GOOD.replace(":3.11-slim-bookworm", ":latest"), "base is not pinned"),
        (f"ARG BASE=python:slim\n{GOOD.replace(BASE, '${BASE}')}", "base is not pinned"),
        (GOOD + "ADD https://example.org/x.tar.gz /\n", "ADD"),
        (GOOD + "ENV XNAT_PASSWORD=x PASSWORD=abc\n", "secret"),
        (GOOD + "RUN pip download https://user:word@example.org/x\n", "secret"),
        (GOOD.replace(" --no-cache-dir", ""), "pip keeps a cache"),
        (GOOD.replace(" --require-hashes", ""), "packages are not locked by hash"),
        (GOOD + "RUN apt-get update && apt-get install -y less\n", "apt keeps its lists"),
        (GOOD + "RUN apt-get install -y gcc && rm -rf /var/lib/apt/lists\n", "compiler"),
        (GOOD + "RUN chmod -R 777 /opt\n", "rights too wide"),
        (GOOD + "RUN curl https://example.org/i | sh\n", "not reproducible with the classic builder"),
    ],
)
def test_each_weakness_is_found(weak: str, finding: str) -> None:
    assert finding in findings(weak)


def test_the_sound_example_has_no_finding() -> None:
    assert findings(GOOD) == []


def test_a_stage_that_builds_on_an_earlier_stage_is_pinned_with_it() -> None:
    staged = GOOD.replace(BASE, f"{BASE} AS packages") + "FROM packages\nUSER 10001\n"
    assert findings(staged) == []
    assert findings(GOOD + "FROM packages\nUSER 10001\n") == ["base is not pinned"]


@every_command
def test_what_a_dockerfile_copies_is_in_the_repository_and_not_ignored(name: str) -> None:
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [value for step, value in instructions(_text(name)) if step == "COPY" and "--from" not in value]
    sources = [word for value in copied for word in value.split()[:-1] if "*" not in word]
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source.split('/')[0]}" in allowed


@every_command
def test_an_image_gets_the_one_extra_that_its_command_needs(name: str) -> None:
    locks = set(re.findall(r"requirements/(\w+)\.txt", _text(name)))
    wanted = {"clean-header": "base", "scramble-clinical": "clinical"}.get(name, "image")
    assert locks == {"build", wanted}


def test_the_locks_hold_a_hash_for_every_package_and_no_host_name() -> None:
    for lock in ("base", "build", "clinical", "image"):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
        assert "://" not in text
        entries = re.split(r"\n(?=\S)", text.strip())
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)


def test_packages_that_two_images_share_have_the_same_version_in_both() -> None:
    versions: dict[str, set[str]] = {}
    for lock in ("base", "clinical", "image"):
        text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
        for package, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
            versions.setdefault(package, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_build_images_names_the_commands_it_knows_when_one_is_unknown() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/build-images", "no-such"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no such command: no-such" in done.stderr
    assert all(name in done.stderr for name in NAMES)
