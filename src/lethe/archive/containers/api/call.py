"""What a handler of this room sees of a request, and how it is called."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lethe.archive import access
from lethe.archive.containers import rights
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem
from lethe.archive.web.request import small_body, user_of


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read whole; handlers block and run in a thread."""

    ctx: Context
    user: User
    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body; None for an empty one, 400 for one that is not JSON."""
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Problem(400, "The body is not valid JSON.") from error

    def number(self, name: str) -> int:
        """Return a whole number of the path; 404 for anything else."""
        text = self.path[name]
        if not text.isdecimal() or len(text) > 15:
            raise Problem(404, f"There is no ID {text}." if text.isalnum() else "There is no such ID.")
        return int(text)

    def manager(self) -> None:
        """Raise unless the sender manages commands."""
        self.known()
        rights.require_manager(self.user)

    def known(self) -> None:
        """Raise unless somebody is logged in."""
        access.require_login(self.user)

    def project(self, verb: str = "read") -> str:
        """Return the id of the project in the path, after asking for a right in it; empty without one."""
        ref = self.path.get("project", "")
        return rights.project_of(self.ctx, self.user, ref, verb).id if ref else ""


Handler = Callable[[Call], Response]


def route(ctx: Context, path: str, methods: str, handler: Handler) -> Route:
    """Return a route whose handler runs in a thread.

    Parameters
    ----------
    methods : str
        Separated by blanks (``"GET POST"``).
    """

    async def endpoint(request: Request) -> Response:
        call = Call(
            ctx,
            user_of(request),
            request.method,
            request.path_params,
            request.query_params,
            await small_body(request),
        )
        return await to_thread.run_sync(handler, call)

    return Route(path, endpoint, methods=methods.split())
