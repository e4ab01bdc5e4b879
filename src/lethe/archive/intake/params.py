"""Parameters of a request from its query and, for forms, its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.archive.web.request import small_body, user_of


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what: path words, parameters (query first, each may be repeated) and a small body."""

    user: User
    path: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    body: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return every value of a parameter."""
        return [value for key, value in self.pairs if key == name]

    def first(self, *names: str) -> str:
        """Return the first value that is not empty among several spellings of a parameter."""
        return next((value for name in names if (value := self.get(name))), "")

    def as_dict(self) -> dict[str, str]:
        """Return the first value of each parameter."""
        return dict(reversed(self.pairs))


Handler = Callable[[Context, Asked], Response]


async def asked(request: Request) -> Asked:
    """Read the request; a form body adds to the parameters."""
    pairs = list(request.query_params.multi_items())
    body = await small_body(request) if request.method in {"POST", "PUT", "DELETE"} else b""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            pairs += parse_qsl(body.decode(), keep_blank_values=True)
        except UnicodeDecodeError as error:
            raise Problem(400, "The form is not UTF-8.") from error
    return Asked(user_of(request), request.path_params, tuple(pairs), body)


class Endpoint:
    """An ASGI endpoint that runs a blocking handler in a thread.

    Parameters
    ----------
    ctx : Context
        The archive.
    handlers : Handler by method
        ``GET=list_them, POST=make_one``.
    """

    def __init__(self, ctx: Context, **handlers: Handler) -> None:
        self._ctx = ctx
        self._handlers = handlers

    @property
    def methods(self) -> list[str]:
        """Methods that are answered."""
        return sorted(self._handlers)

    async def serve(self, request: Request) -> Response:
        """Answer one request."""
        handler = self._handlers["GET" if request.method == "HEAD" else request.method]
        return await to_thread.run_sync(partial(handler, self._ctx, await asked(request)))
