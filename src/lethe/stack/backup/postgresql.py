"""XNAT's PostgreSQL and its archive folder as something to back up."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import LiteralString

import psycopg
from lxml import etree
from psycopg import sql

from lethe.errors import Misconfigured, Unavailable
from lethe.stack.backup.manifest import Expected, Manifest

DUMP = "database.dump"
# equal text of equal values on every server
_PLAIN: tuple[LiteralString, ...] = (
    "SET timezone = 'UTC'", "SET datestyle = 'ISO, YMD'", "SET extra_float_digits = 3",
    "SET bytea_output = 'hex'", "SET intervalstyle = 'iso_8601'",
)  # fmt: skip
_TABLES: LiteralString = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
      AND n.nspname NOT LIKE 'pg_temp%' ORDER BY 1, 2"""
# The sum of 60 bits of each row's md5: independent of order, flat in memory
_DIGEST: LiteralString = """
    SELECT COUNT(*), COALESCE(SUM(('x' || SUBSTR(MD5(t::text), 1, 15))::bit(60)::bigint), 0)::text
    FROM {} AS t"""


class PostgreSql:
    """XNAT's database and the folders of its files.

    Parameters
    ----------
    folders : sequence of Path
        Archive and prearchive, under the absolute paths that XNAT's database holds.
    scratch : str
        Connection string of a server on which the drill may make and drop a database; empty for a backup.

    Notes
    -----
    The server is found as libpq finds it: ``PGHOST``, ``PGUSER``, ``PGDATABASE``, ``PGPASSFILE``.
    """

    def __init__(self, folders: Sequence[Path], *, scratch: str = "") -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._scratch = scratch

    @property
    def folders(self) -> Sequence[Path]:
        """Folders with files of the archive."""
        if not self._folders or not all(folder.is_dir() for folder in self._folders):
            raise Misconfigured("no-archive", "A folder with the archive's files is missing.")
        return self._folders

    def dump(self, staging: Path) -> Manifest:
        """Dump the database of one moment (an exported snapshot); list what its catalogs speak of."""
        moment = time.time()
        with _connect("") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
            snapshot = str(row[0]) if row else ""
            _run("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={staging / DUMP}")
            tables = _digests(connection)
            catalogs = _catalogs(connection)
        folders = tuple(str(folder) for folder in self.folders)
        return Manifest("postgresql", moment, folders, tuple(self._files(catalogs)), tables)

    def _files(self, catalogs: Sequence[str]) -> Iterator[Expected]:
        for name in catalogs:
            path = Path(name)
            if not any(path.is_relative_to(folder) for folder in self._folders):
                continue
            yield Expected(name)
            yield from entries(path)

    def compare(self, restored: Path, staging: Path, manifest: Manifest) -> list[str]:
        """Restore the dump into a database of its own on the scratch server and compare every table."""
        if not self._scratch:
            raise Misconfigured("no-scratch", "The drill needs a scratch server.", remedy="Name --scratch.")
        name = f"lethe_drill_{secrets.token_hex(6)}"
        with _connect(self._scratch, autocommit=True) as server:
            server.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
            )
            try:
                target = psycopg.conninfo.make_conninfo(self._scratch, dbname=name)
                _run("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={target}",
                     str(staging / DUMP))  # fmt: skip
                with _connect(target) as copy:
                    found = _digests(copy)
            finally:
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        names = sorted({*found, *manifest.tables})
        return [f"table {name}: differs" for name in names if found.get(name) != manifest.tables.get(name)]


def entries(catalog: Path) -> Iterator[Expected]:
    """Yield the files that an XNAT catalog names, with the digest it holds (empty where it has none)."""
    try:
        root = etree.parse(catalog, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
    except (OSError, etree.XMLSyntaxError):
        return  # a missing catalog is itself expected, and named by that
    for entry in root.iter("{*}entry"):
        uri = PurePosixPath(str(entry.get("URI", "")))
        if uri.parts and ".." not in uri.parts and "://" not in str(uri):
            yield Expected(str(catalog.parent / uri), md5=str(entry.get("digest") or ""))


def _catalogs(connection: psycopg.Connection) -> list[str]:
    there = connection.execute("SELECT to_regclass('xnat_resource')").fetchone()
    if not there or there[0] is None:
        return []
    return [
        str(row[0])
        for row in connection.execute("SELECT uri FROM xnat_resource WHERE uri IS NOT NULL ORDER BY 1")
    ]


def _digests(connection: psycopg.Connection) -> Mapping[str, tuple[int, str]]:
    for line in _PLAIN:
        connection.execute(line)
    found = {}
    for schema, table in connection.execute(_TABLES).fetchall():
        row = connection.execute(sql.SQL(_DIGEST).format(sql.Identifier(schema, table))).fetchone()
        if row:
            found[f"{schema}.{table}"] = (int(row[0]), str(row[1]))
    return found


@contextmanager
def _connect(target: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(target, autocommit=autocommit, connect_timeout=10)
    except psycopg.OperationalError:
        raise Unavailable(
            "no-database",
            "The database does not answer.",
            remedy="Check PGHOST, PGUSER and the password file.",
        ) from None
    with connection:
        yield connection


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Misconfigured(
            "no-postgresql-client",
            f"{words[0]} is not installed.",
            remedy="Install Debian's package postgresql-client.",
        ) from None
    if done.returncode != 0:
        raise Unavailable(
            "database-tool", f"{words[0]} failed ({done.returncode}).", remedy="See the database's log."
        )
