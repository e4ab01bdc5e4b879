"""A logged-in connection to an XNAT, and its errors said by name.

Login, session cookie and heartbeat are xnatpy's; the calls go through xnatpy's `requests.Session`, since
listings and uploads of whole projects must neither cache nor hold a file in memory.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import requests

from lethe.errors import Misconfigured, Refused, Unavailable

# connect quickly or say so; an answer may take long, since archiving happens inside the request
TIMEOUT_S = (10.0, 600.0)
_RENEW_S = 30.0  # a refusal may be meant: a new login is tried this seldom

_REFUSALS = {
    400: (
        "bad-request",
        "The archive found the request faulty",
        "This client and the server do not fit together.",
    ),
    401: ("login", "The archive did not accept the login", "Check user and password, or log in again."),
    403: ("forbidden", "Your role does not allow this", "Ask the owner of the project for the right."),
    404: (
        "not-found",
        "The archive does not know it, or you may not see it",
        "Check the name and your role.",
    ),
    409: ("conflict", "The archive already holds something of that name", "Look at what is there first."),
    417: (
        "bad-request",
        "The archive found the request faulty",
        "This client and the server do not fit together.",
    ),
    422: (
        "bad-request",
        "The archive found the request faulty",
        "This client and the server do not fit together.",
    ),
}


def _fail(status: int, what: str) -> None:
    if status in _REFUSALS:
        code, sentence, remedy = _REFUSALS[status]
        raise Refused(code, f"{sentence} ({what}).", remedy=remedy)
    if status == 507:
        raise Unavailable(
            "archive-full", f"The archive's disk is full ({what}).", remedy="Free space, then run again."
        )
    raise Unavailable(
        "archive-error", f"The archive answered {status} ({what}).", remedy="See the archive's log."
    )


def _untrusted() -> Refused:
    return Refused(
        "certificate",
        "The archive's certificate is not trusted by this machine, so nothing was sent.",
        remedy="Ask its administrator for the certificate of the issuing authority and name that file in "
        "REQUESTS_CA_BUNDLE; never switch the check off.",
    )


class Archive:
    """One connection to an XNAT, real or embedded.

    Parameters
    ----------
    session : xnat.session.BaseXNATSession
        A connected xnatpy session; :func:`connect` makes one.
    login : tuple of str, optional
        User and password, to log in again when the archive was started again and has forgotten the session.
    """

    def __init__(self, session: Any, *, login: tuple[str, str] | None = None) -> None:
        self.session = session
        self._login = login
        self._renewed = -_RENEW_S
        self._http: requests.Session = session.interface
        self._url = str(session._original_uri).rstrip("/")

    def request(
        self,
        method: str,
        path: str,
        what: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (200, 201, 204),
        stream: bool = False,
    ) -> requests.Response:
        """Send one request.

        Parameters
        ----------
        method, path : str
            HTTP method and path below the server's root.
        what : str
            What was tried, in a few words without any patient's value; part of the error.
        ok : tuple of int
            Status codes that are returned instead of raised.

        Raises
        ------
        Refused
            The archive says no (400 to 499).
        Unavailable
            It does not answer, or failed (5xx).
        """
        options: dict[str, Any] = {"params": params, "json": json, "data": data, "headers": headers}
        options["stream"] = stream
        response = self._send(method, path, what, **options)
        again = response.status_code in (401, 403) and (data is None or isinstance(data, bytes))
        if again and response.status_code not in ok and self._log_in_again(what):
            response = self._send(method, path, what, **options)
        if response.status_code not in ok:
            _fail(response.status_code, what)
        return response

    def _send(self, method: str, path: str, what: str, **options: Any) -> requests.Response:
        try:
            return self._http.request(
                method, self._url + path, timeout=TIMEOUT_S, allow_redirects=False, **options
            )
        except requests.exceptions.SSLError:
            raise _untrusted() from None
        except requests.RequestException as error:
            raise Unavailable(
                "archive-unreachable",
                f"The archive does not answer ({what}; {type(error).__name__}).",
                remedy="Check that it runs and that the address is right.",
            ) from None

    def _log_in_again(self, what: str) -> bool:
        """Open a new session in place of one that the archive may have forgotten; not for every refusal."""
        if self._login is None or time.monotonic() - self._renewed < _RENEW_S:
            return False
        self._renewed = time.monotonic()
        self._http.cookies.clear()
        # the answer sets the session's cookie
        return self._send("POST", "/data/JSESSION", what, auth=self._login).status_code == 200

    def rows(self, path: str, what: str, **params: str) -> list[dict[str, str]]:
        """Return a list resource as rows of strings."""
        response = self.request("GET", path, what, params={"format": "json", **params})
        result: list[dict[str, str]] = response.json()["ResultSet"]["Result"]
        return result

    def exists(self, path: str, what: str) -> bool:
        """Tell whether an item can be read."""
        return self.request("GET", path, what, params={"format": "json"}, ok=(200, 404)).status_code == 200


@contextlib.contextmanager
def connect(url: str, user: str, password: str) -> Iterator[Archive]:
    """Log in and give an `Archive`; log out at the end.

    Raises
    ------
    Refused
        Wrong user or password.
    Unavailable
        Nothing answers at `url`.
    Misconfigured
        What answers is not an XNAT.
    """
    # imported here: xnatpy brings pandas and pydicom, a second for every call of the command line
    import xnat
    import xnat.exceptions

    try:
        session = xnat.connect(url, user=user, password=password, loglevel="ERROR", cli=False)
    except xnat.exceptions.XNATLoginFailedError:
        raise Refused(
            "login", "The archive did not accept the login.", remedy="Check user and password."
        ) from None
    except requests.exceptions.SSLError:
        raise _untrusted() from None
    except requests.RequestException:
        raise Unavailable(
            "archive-unreachable", "No archive answers at that address.", remedy="Check that it runs."
        ) from None
    except (xnat.exceptions.XNATError, ValueError, KeyError):
        raise Misconfigured(
            "not-an-xnat",
            "What answers at that address does not speak XNAT's REST.",
            remedy="Check the address.",
        ) from None
    try:
        yield Archive(session, login=(user, password))
    finally:
        with contextlib.suppress(requests.RequestException, xnat.exceptions.XNATError):
            session.disconnect()
