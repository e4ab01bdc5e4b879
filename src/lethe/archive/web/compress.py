"""Lists and documents leave compressed for clients that say they understand; files leave as they are."""

from __future__ import annotations

import gzip
import re

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LEAST = 2048
_LEVEL = 3
_KINDS = re.compile(
    r"(?:application/(?:json|javascript|xml)|text/(?:csv|xml|html|css|plain|javascript)|image/svg\+xml)"
)
_ACCEPTS = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?(?=,|$)", re.IGNORECASE)


class Compress:
    """ASGI middleware that compresses whole answers of text; streams and attachments pass untouched.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not accepts(Headers(scope=scope).get("accept-encoding", "")):
            await self._app(scope, receive, send)
            return
        start: Message | None = None

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is None:
                await send(message)
                return
            first, start = start, None
            if not message.get("more_body") and fits(first, message):
                message = {**message, "body": await to_thread.run_sync(_packed, message["body"])}
                headers = MutableHeaders(scope=first)
                headers["Content-Encoding"] = "gzip"
                headers["Content-Length"] = str(len(message["body"]))
                headers.append("Vary", "Accept-Encoding")
                if "etag" in headers and not headers["etag"].startswith("W/"):
                    headers["ETag"] = f"W/{headers['etag']}"
            await send(first)
            await send(message)

        await self._app(scope, receive, sending)


def accepts(text: str) -> bool:
    """Tell whether an ``Accept-Encoding`` header allows gzip.

    Examples
    --------
    >>> accepts("gzip, deflate, br"), accepts("identity"), accepts("gzip;q=0")
    (True, False, False)
    """
    found = _ACCEPTS.search(text)
    return found is not None and (found[1] is None or found[1].strip("0.") != "")


def fits(start: Message, body: Message) -> bool:
    """Tell whether an answer is worth compressing and may be changed."""
    headers = Headers(raw=start["headers"])
    return (
        start["status"] == 200
        and len(body.get("body", b"")) >= _LEAST
        and "content-encoding" not in headers
        and "content-disposition" not in headers
        and "accept-ranges" not in headers
        and _KINDS.match(headers.get("content-type", "")) is not None
    )


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)
