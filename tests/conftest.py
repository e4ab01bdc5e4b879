"""What is a unit test, and which tests share a server, an engine or a walked demo and therefore a core."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent
# those on the Docker engine: a swarm, or images that are built anew, would disturb the others
ENGINE = (
    "system/test_command_images",
    "system/test_stack",
    "system/test_swarm",
    "test_docker.py",
    "[docker]",
)
# those that look at the walked demo
WALKED = ("administrator_journey", "bad_input", "demo", "demo_killed", "researcher_journey", "site_journey")
SERVED = ("browser/", "contract/")
ALONE = ("contract/test_crash", "contract/test_crowd", "contract/test_full_disk", "contract/test_screens")
# the longest first, so that the two cores end together
LONGEST = (
    *("engine", "walked", "tests/system/test_bulk.py", "browser/", "tests/system/test_site_kit.py"),
    *("tests/unit/image_deface/test_phantom.py", "tests/system/test_backup.py"),
)


def pytest_configure() -> None:
    """Heed Ctrl-C: a shell ignores it for what it puts in the background, and so would all it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def together(nodeid: str) -> str:
    """Name what a test shares with tests of other files; else its file."""
    file = nodeid.split("::")[0]
    if any(name in nodeid for name in ENGINE):
        return "engine"
    if file in {f"tests/system/test_{name}.py" for name in WALKED}:
        return "walked"
    if not any(name in file for name in ALONE):
        return next((name for name in SERVED if file.startswith(f"tests/{name}")), file)
    return file


class Together(LoadScopeScheduling):
    """Give the tests that share something to one core, in one go."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Divide the tests among the cores (`-n 2`)."""
    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the unit tests, so that `scripts/test` can run them first."""
    for item in items:
        if TESTS / "unit" in item.path.parents and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.unit)
        walked = TESTS / "system" in item.path.parents and "walked" in getattr(item, "fixturenames", ())
        for needed, name in ((item.get_closest_marker("docker"), "engine"), (walked, "walked")):
            if needed and together(item.nodeid) != name:
                raise pytest.UsageError(
                    f"{item.nodeid} needs {name}: name it in {name.upper()} of {__file__}"
                )
    if hasattr(config, "workerinput"):
        rank = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(together(item.nodeid), len(rank)))
