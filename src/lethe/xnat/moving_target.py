"""The XNAT that is moved into: every change counted, none made in a dry run, lost connections waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import requests

from lethe.errors import Refused, Unavailable
from lethe.xnat.client import Archive

Params = Mapping[str, str]
_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_DOWN = (502, 503, 504)
_BOUNDARY = "lethe-empty-file"


class Target:
    """Reads and changes of one XNAT.

    Parameters
    ----------
    archive : Archive
        A connection, best of a site administrator.
    dry_run : bool
        Read only; changes are counted as if they were made.
    sleep : Callable
        Waits some seconds before a lost connection is tried again.

    Attributes
    ----------
    changes : int
        How many changes were made.
    """

    def __init__(
        self, archive: Archive, *, dry_run: bool = False, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.archive = archive
        self.dry_run = dry_run
        self.changes = 0
        self._sleep = sleep

    def get(
        self, path: str, what: str, *, ok: tuple[int, ...] = (200, 204, 404), **params: str
    ) -> requests.Response:
        """Read; 404 is an answer unless `ok` says otherwise."""
        return self._patient("GET", path, what, ok, params=params)

    def item(self, path: str, what: str) -> dict[str, Any] | None:
        """Return the JSON of an item, None where there is none."""
        answer = self.get(path, what, format="json")
        return answer.json()["items"][0] if answer.status_code == 200 else None

    def rows(self, path: str, what: str, **params: str) -> list[dict[str, str]]:
        """Return a list, empty where there is none."""
        answer = self._patient("GET", path, what, (200, 204, 404), params={"format": "json", **params})
        return answer.json()["ResultSet"]["Result"] if answer.status_code == 200 else []

    def change(
        self,
        method: str,
        path: str,
        what: str,
        *,
        ok: tuple[int, ...] = (200, 201, 204),
        params: Params | None = None,
        **body: Any,
    ) -> None:
        """Change something, unless this is a dry run."""
        self.changes += 1
        if not self.dry_run:
            self._patient(method, path, what, ok, params=params, **body)

    def files(self, resource: str) -> dict[str, dict[str, str]]:
        """Return path within a resource -> row of the listing."""
        found = self.rows(f"{resource}/files", "list files")
        return {unquote(row["URI"].split("/files/", 1)[1]): row for row in found}

    def upload(self, resource: str, name: str, path: Path, params: Params) -> str:
        """Send one file; return an empty text, or why the target does not take it.

        An answer that speaks of a duplicate is no failure here: a lost connection may hide that the file
        arrived. Who calls compares the listing afterwards.
        """
        self.changes += 1
        if self.dry_run:
            return ""
        address, ok = f"{resource}/files/{quote(name)}", (200, 201, 422)
        try:
            answer = self._patient("PUT", address, "upload a file", ok, params=params, path=path)
        except Refused as refused:
            if refused.code not in {"login", "forbidden"}:
                raise
            # started again, the target has forgotten the session: a refused reading logs in anew
            self.get("/xapi/users", "log in again", ok=(200,))
            answer = self._patient("PUT", address, "upload a file", ok, params=params, path=path)
        return answer.text.strip() if answer.status_code == 422 else ""

    def _patient(
        self,
        method: str,
        address: str,
        what: str,
        ok: tuple[int, ...],
        *,
        path: Path | None = None,
        **more: Any,
    ) -> requests.Response:
        for wait in (*_WAITS, None):
            try:
                answer = self._once(method, address, what, (*ok, *_DOWN), path, more)
            except Unavailable as lost:
                if lost.code != "archive-unreachable" or wait is None:
                    raise
            else:
                if answer.status_code not in _DOWN:
                    return answer
            if wait is not None:
                self._sleep(wait)
        raise Unavailable(
            "archive-down", f"The target does not answer ({what}).", remedy="Run again: it goes on."
        )

    def _once(
        self,
        method: str,
        address: str,
        what: str,
        ok: tuple[int, ...],
        path: Path | None,
        more: dict[str, Any],
    ) -> requests.Response:
        if path is None:
            return self.archive.request(method, address, what, ok=ok, **more)
        params = dict(more["params"])
        if path.stat().st_size == 0:  # XNAT refuses an empty body, but takes an empty part of a form
            data = (
                f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
                f"Content-Type: application/octet-stream\r\n\r\n\r\n--{_BOUNDARY}--\r\n"
            ).encode()
            kind = f"multipart/form-data; boundary={_BOUNDARY}"
            return self.archive.request(
                method, address, what, ok=ok, params=params, data=data, headers={"Content-Type": kind}
            )
        with path.open("rb") as stream:
            return self.archive.request(
                method, address, what, ok=ok, params={"inbody": "true", **params}, data=stream,
                headers={"Content-Type": "application/octet-stream"},
            )  # fmt: skip
