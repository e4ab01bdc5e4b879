"""The network of a swarm, where two runs ask for it at once. The rest: tests/system/test_swarm.py."""

from __future__ import annotations

from typing import Any

import pytest
from docker.errors import APIError

from lethe.archive.containers.backends.swarm import NETWORK, SwarmBackend


class Engine:
    """An engine that refuses to make a network; `there`: what it answers to each question for it."""

    def __init__(self, *there: bool) -> None:
        self.there = list(there)

    def networks(self, names: list[str]) -> list[str]:
        return names if self.there.pop(0) else []

    def create_network(self, name: str, **_: Any) -> None:
        raise APIError(f"network with name {name} already exists")


def test_of_two_first_runs_the_later_one_uses_the_network_of_the_other() -> None:
    engine = Engine(False, True)
    SwarmBackend()._require_network(engine)
    assert engine.there == []
    with pytest.raises(APIError, match=NETWORK):
        SwarmBackend()._require_network(Engine(False, False))
