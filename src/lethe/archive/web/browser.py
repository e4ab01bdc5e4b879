"""Changes that a browser sends carry the token of its session: ``XNAT_CSRF=`` in the query, as XNAT asks."""

from __future__ import annotations

import hmac
import re
from urllib.parse import unquote_plus

from starlette.datastructures import Headers
from starlette.types import Scope

from lethe.archive.problem import Problem

NAME = "XNAT_CSRF"
_BROWSER = re.compile("mozilla|opera", re.IGNORECASE)
_LOGIN = "/data/services/auth"


def is_browser(headers: Headers) -> bool:
    """Tell whether a browser sends a request: by its name, or by a header that only browsers set.

    Examples
    --------
    >>> is_browser(Headers({"user-agent": "Mozilla/5.0 (X11) Firefox/140.0"}))
    True
    >>> is_browser(Headers({"user-agent": "python-requests/2.32"}))
    False
    """
    return bool(_BROWSER.search(headers.get("user-agent", ""))) or "sec-fetch-site" in headers


def take_token(scope: Scope) -> str:
    """Return the token of the query (empty without one) and take it out: no handler shall store it."""
    query: bytes = scope.get("query_string", b"")
    if NAME.encode() not in query:
        return ""
    kept, found = [], ""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if unquote_plus(name.decode("latin-1")) == NAME:
            found = unquote_plus(value.decode("latin-1"))
        else:
            kept.append(pair)
    scope["query_string"] = b"&".join(kept)
    return found


def check(scope: Scope, headers: Headers, sent: str, token: str) -> None:
    """Refuse a change that another site made a browser send. Programs are left alone.

    Parameters
    ----------
    sent : str
        The token of the query.
    token : str
        The token of the login session, empty without a session.

    Raises
    ------
    Problem
        403: sent from elsewhere, or without the right token to ``/data``, ``/REST`` or ``/xapi``.
    """
    if scope["method"] in {"GET", "HEAD"} or not is_browser(headers):
        return
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise Problem(403, "The request was not sent by a page of this site.")
    path: str = scope["path"]
    if not path.startswith(("/data", "/xapi")) or path == _LOGIN:
        return
    if not token or not hmac.compare_digest(sent.encode(), token.encode()):
        raise Problem(403, f"A browser must send {NAME}; read it from /data/JSESSION?CSRF=true.")
