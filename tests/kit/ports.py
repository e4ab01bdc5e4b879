"""A port for a server that is started again on it."""

from __future__ import annotations

import contextlib
import secrets
import socket

FIRST, LAST = 20_000, 32_000  # below those that the system gives to clients, who could take it meanwhile


def free_port() -> int:
    """Return a port that is free now."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", FIRST + secrets.randbelow(LAST - FIRST)))
            return int(probe.getsockname()[1])
