"""The audit trail of a collection on an XNAT: files of a resource of the intake project.

A record's file is named by its number alone and never overwritten, so that of two writers one takes the
number and the other goes on with the next. The head of the chain goes to the config service as well, which
keeps every version with its author.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from lxml import etree

from lethe.errors import Refused, Unavailable
from lethe.governance.collection import Collection
from lethe.governance.trail import START, Head, Record, file_of, stamp
from lethe.xnat.client import Archive
from lethe.xnat.records import Caller, write_config
from lethe.xnat.resources import list_files

RESOURCE = "ACCESS_TRAIL"
_HEAD = "access-head"
_TRIES = 100


class Trail:
    """The trail of one collection, for reading and for appending.

    Parameters
    ----------
    archive : Archive
    collection : Collection
    caller : Caller
        In whose name records are appended.
    """

    def __init__(self, archive: Archive, collection: Collection, caller: Caller) -> None:
        self._archive, self._caller = archive, caller
        self._project = collection.intake
        self._resource = f"/data/projects/{collection.intake}/resources/{RESOURCE}"
        self._last: Record | None = None
        self._known = False

    def append(self, what: Mapping[str, Any], why: str) -> Record:
        """Append one record and return it; others may append at the same time, none is lost.

        Raises
        ------
        Refused
            The last record is no record: the trail has been tampered with.
        """
        for _ in range(_TRIES):
            if not self._known:
                self._last, self._known = self._read_last(), True
            draft = Record(0, START, stamp(self._caller.now), self._caller.login, what, why)
            record = draft.after(self._last)
            if self._store(record):
                self._last = record
                self._note(record)
                return record
            self._known = False  # somebody else has taken the number
        raise Unavailable("trail-busy", "The audit trail is too busy.", remedy="Try again.")

    def _store(self, record: Record) -> bool:
        answer = self._archive.request(
            "PUT",
            f"{self._resource}/files/{record.file}",
            "append to the audit trail",
            params={"inbody": "true", "format": "JSON", "content": "AUDIT"},
            data=record.data,
            headers={"Content-Type": "application/octet-stream"},
        )
        if "duplicates" in answer.text:
            return False
        stored = self._archive.request(
            "GET", f"{self._resource}/files/{record.file}", "read the audit trail back", ok=(200, 404)
        )
        if stored.status_code == 404:  # XNAT answers 200 and stores nothing where the right is missing
            raise Refused(
                "trail-not-stored",
                "The audit trail could not be written, so nothing was changed.",
                remedy=f"You need to be an owner of {self._project}.",
            )
        return stored.content == record.data

    def _note(self, record: Record) -> None:
        text = json.dumps({"number": record.number, "digest": record.digest}, sort_keys=True)
        write_config(self._archive, self._project, _HEAD, text)

    def _read_last(self) -> Record | None:
        files = list_files(self._archive, self._resource)
        if not files:
            return None
        name = max(files)
        answer = self._archive.request("GET", f"{self._resource}/files/{name}", "read the audit trail")
        record = Record.read(answer.content)
        if record is None or name != file_of(record.number):
            raise Refused(
                "trail-broken",
                "The last record of the audit trail is broken.",
                remedy="Run lethe access audit.",
            )
        return record

    # ---- reading ------------------------------------------------------------------------------------------

    def files(self) -> dict[str, bytes]:
        """Return the bytes of every record's file."""
        answer = self._archive.request(
            "GET", f"{self._resource}/files", "read the audit trail", params={"format": "zip"}, ok=(200, 404)
        )
        if answer.status_code == 404:
            return {}
        with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
            return {name.rsplit("/", 1)[-1]: bundle.read(name) for name in bundle.namelist()}

    def authors(self) -> dict[str, str]:
        """Return file name -> login that stored it, as the archive's catalogue has it."""
        answer = self._archive.request("GET", self._resource, "read the trail's catalogue", ok=(200, 404))
        if answer.status_code == 404:
            return {}
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        found = {}
        for entry in etree.fromstring(answer.content, parser).iter("{*}entry"):
            if entry.get("createdBy"):
                found[str(entry.get("URI")).rsplit("/", 1)[-1]] = str(entry.get("createdBy"))
        return found

    def heads(self) -> list[Head]:
        """Return every head that was recorded, from the version history of the config service."""
        answer = self._archive.request(
            "GET",
            f"/data/projects/{self._project}/config/lethe/{_HEAD}",
            "read the heads of the audit trail",
            params={"action": "getHistory", "format": "json"},
            ok=(200, 404),
        )
        if answer.status_code == 404:
            return []
        rows = [json.loads(row["contents"]) for row in answer.json()["ResultSet"]["Result"]]
        return [Head(int(row["number"]), str(row["digest"])) for row in rows]
