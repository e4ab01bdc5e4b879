"""The ASGI application: every part's routes behind the one gate."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lethe.archive import digests
from lethe.archive.context import Context, open_context
from lethe.archive.problem import Problem
from lethe.archive.web import anonymize, cache, dashboard, downloads, people, saved, services, tree, xapi
from lethe.archive.web.answers import status_page
from lethe.archive.web.compress import Compress
from lethe.archive.web.gate import Gate
from lethe.archive.web.sessions import Sessions

_PARTS = ("lethe.archive.intake", "lethe.archive.containers", "lethe.archive.pages")


def _parts() -> list[ModuleType]:
    found = []
    for name in _PARTS:
        module = importlib.import_module(name)
        if hasattr(module, "routes"):
            found.append(module)
    return found


def create_app(root: Path, *, ctx: Context | None = None) -> Starlette:
    """Return the archive in `root` as an ASGI application.

    Parameters
    ----------
    root : Path
        Folder of the archive; made when missing.
    ctx : Context, optional
        An opened context to serve (then the caller closes its store).
    """
    context = ctx or open_context(root)
    sessions = Sessions(context)
    parts = _parts()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if ctx is None:
                stack.push_async_callback(to_thread.run_sync, context.store.close)
            for part in (digests, *parts):
                if hasattr(part, "start"):
                    await to_thread.run_sync(part.start, context)
                if hasattr(part, "stop"):
                    stack.push_async_callback(to_thread.run_sync, part.stop, context)
            yield

    async def items_tree(request: Request) -> Response:
        if not tree.handles(request.state.words[1:]):
            raise Problem(404, "There is nothing at this address.")
        return await tree.endpoint(context, request)

    async def http_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return status_page(Problem(status), request.url.path, context.settings.site_id)

    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    routes = [
        *services.routes(context, sessions),
        *people.routes(context, sessions),
        *xapi.routes(context),
        *cache.routes(context),
        *saved.routes(context),
        *anonymize.routes(context),
        *dashboard.routes(context),
        *downloads.routes(context),
        *(route for part in parts for route in part.routes(context)),
        Route("/data/{path:path}", items_tree, methods=methods),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Compress), Middleware(Gate, ctx=context, sessions=sessions)],
        exception_handlers={HTTPException: http_error},
    )
    app.router.redirect_slashes = False
    app.state.ctx = context
    app.state.sessions = sessions
    return app
