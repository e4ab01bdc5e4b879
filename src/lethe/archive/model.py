"""What the archive speaks of: items, resources, files, users. Immutable pictures of database rows."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

PROJECT, SUBJECT, EXPERIMENT = "project", "subject", "experiment"
ASSESSOR, SCAN, RECONSTRUCTION = "assessor", "scan", "reconstruction"

Data = dict[str, Any]
"""Fields of an item: path -> text, and list path -> {key: {attribute: text}}."""


@dataclass(frozen=True, slots=True)
class Item:
    """A project, subject, experiment (session), assessor, scan or reconstruction.

    `id` is the accession id (project id, scan id), `label` the name within the owning project, `project`
    the id of the owning project, `parent` the row of the subject (of an experiment), of the session (of
    a scan or assessor), else None. `data` holds the fields by path. `created`, `modified`: seconds, UTC.
    """

    pk: int
    kind: str
    id: str
    label: str
    xsi_type: str
    project: str
    parent: int | None
    folder: str
    status: str
    data: Data
    created: float
    created_by: str
    modified: float
    modified_by: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> Item:
        """Make the item of a row of table ``item``."""
        return cls(
            row["pk"], row["kind"], row["id"], row["label"], row["xsi_type"], row["project"], row["parent"],
            row["folder"], row["status"], json.loads(row["data"]), row["created"], row["created_by"],
            row["modified"], row["modified_by"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resource:
    """A labelled set of files of one item; `variant` is ``""``, ``"in"`` or ``"out"`` (assessors)."""

    pk: int
    owner: int
    variant: str
    label: str
    format: str
    content: str
    tags: str
    description: str
    created: float
    created_by: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> Resource:
        """Make the resource of a row of table ``resource``."""
        return cls(*(row[name] for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a resource: `path` inside it (slashes), size in bytes, md5 in lower hex.

    An empty md5 is computed later; who needs it asks `lethe.archive.digests.settled`.
    """

    pk: int
    resource: int
    path: str
    size: int
    md5: str
    format: str
    content: str
    tags: str
    description: str
    created: float
    created_by: str

    @classmethod
    def of(cls, row: sqlite3.Row) -> FileEntry:
        """Make the file of a row of table ``file``."""
        return cls(*(row[name] for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who acts: a person with a login, or ``guest``. `site_roles` as XNAT names them."""

    login: str
    number: int
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    enabled: bool = True
    verified: bool = True
    modified: float = 0.0
    last_login: float | None = None
    site_roles: frozenset[str] = frozenset()

    @property
    def is_guest(self) -> bool:
        """Whether nobody is logged in."""
        return self.login == "guest"

    @property
    def is_admin(self) -> bool:
        """Whether this is an administrator of the site."""
        return "Administrator" in self.site_roles


GUEST = User(login="guest", number=0)
"""The user of requests without credentials on an open site."""
