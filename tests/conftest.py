"""What is a unit test: everything below ``unit`` that is not marked slow."""

from __future__ import annotations

from pathlib import Path

import pytest

UNIT = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the unit tests, so that `scripts/test` can run them first and on both cores."""
    for item in items:
        if UNIT in item.path.parents and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.unit)
