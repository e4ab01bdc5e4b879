"""What a handler sees of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem

MOST_BODY = 32 << 20
"""Largest body that is read into memory (XML, JSON, forms), in bytes; files are streamed."""


def user_of(request: Request) -> User:
    """Return who sends the request (``GUEST`` without credentials)."""
    user: User = request.state.user
    return user


def flag(params: Mapping[str, str], name: str) -> bool:
    """Return whether a switch is on: any present value except ``false`` and ``0``, the empty text too."""
    value = params.get(name)
    return value is not None and value.lower() not in {"false", "0"}


@dataclass(slots=True)
class Call:
    """A request to the tree of items, with its path cut into decoded words."""

    ctx: Context
    user: User
    method: str
    words: list[str]
    query: QueryParams
    headers: Mapping[str, str]
    body: bytes = b""
    form: dict[str, str] = field(default_factory=dict)
    folder: bool = False
    base: str = "/data"

    @property
    def login(self) -> str:
        """Return the login of the sender."""
        return self.user.login

    @property
    def format(self) -> str:
        """Return the asked format in lower case, empty if none was asked."""
        return self.query.get("format", "").lower()

    def flag(self, name: str) -> bool:
        """Return whether a switch of the query is on."""
        return flag(self.query, name)

    def values(self) -> list[tuple[str, str]]:
        """Return query parameters, then form fields."""
        return [_rejoined(*pair) for pair in (*self.query.multi_items(), *self.form.items())]


def _rejoined(name: str, value: str) -> tuple[str, str]:
    """Mend ``field[name=mrs]/field=2`` that was sent without encoding and so was cut at its first ``=``."""
    whole = f"{name}={value}"
    end = whole.find("]")
    if "[" not in name or "]" in name or end < 0:
        return name, value
    left, _, right = whole[end:].partition("=")
    return whole[:end] + left, right


async def small_body(request: Request) -> bytes:
    """Read a body into memory.

    Raises
    ------
    Problem
        413 if it is larger than `MOST_BODY`.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BODY:
            raise Problem(413, "The request body is too large.")
        pieces.append(piece)
    return b"".join(pieces)


def header_of(request: Request, name: str) -> str:
    """Return a header, or the empty text."""
    return str(request.headers.get(name, ""))


def state(request: Request) -> Any:
    """Return the per-request state the gate filled (``user``, ``session_id``, ``words``)."""
    return request.state
