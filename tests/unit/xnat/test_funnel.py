"""The funnel of a collection: same vectors as the dashboard's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lethe.xnat.funnel import STAGES, Facts, funnel

_VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "funnel.json").read_text())


@pytest.mark.requirement("E-68", "E-74")
@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_the_funnel_counts_as_the_shared_vectors_say(vector: dict[str, Any]) -> None:
    assert funnel(Facts(**vector["facts"])) == vector["funnel"]


def test_the_stages_are_those_of_the_vectors() -> None:
    assert all(tuple(vector["funnel"]) == STAGES for vector in _VECTORS)
