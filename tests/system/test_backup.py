"""Backup with a writer at work and a kill -9 in between, and the drill that brings all of it back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from kit.served import served
from lethe.errors import Unavailable
from lethe.stack.backup.manifest import Expected, Manifest
from lethe.stack.backup.restic import Repository
from lethe.stack.backup.run import back_up

pytestmark = [pytest.mark.system, pytest.mark.timeout(600), pytest.mark.requirement("E-13", "E-14", "T-12")]
MARK = b"a-value-that-must-not-be-readable"
POSTGRES = Path("/usr/lib/postgresql/15/bin")


def program(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"lethe.stack.{module}", *words]


def run(*words: str, module: str = "backup", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(module, *words), env={**os.environ, **env}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


def killed(seconds: float, *words: str, **env: str) -> int:
    """Start a backup and kill it with signal 9 after some seconds; return its end."""
    with subprocess.Popen(
        program("backup", *words), env={**os.environ, **env}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@contextlib.contextmanager
def writing(step: Callable[[int], None]) -> Iterator[None]:
    """Call `step` again and again in the background."""
    stop = threading.Event()
    failed: list[Exception] = []

    def work() -> None:
        number = 0
        while not stop.is_set():
            try:
                step(number)
            except Exception as error:  # noqa: BLE001 - told by the main thread
                failed.append(error)
                return
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failed, failed


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    key = tmp_path / "backup.key"
    key.write_text("correct horse battery staple\n")
    return ["--repository", str(tmp_path / "repository"), "--password-file", str(key)]


class Writer:
    """A client that uploads files into an embedded archive, and remembers what was acknowledged."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self.url = root, url
        self.http = requests.Session()
        self.http.auth = ("admin", "only-for-this-test")
        self.kept: dict[str, bytes] = {}
        for path in ("P", "P/subjects/S", "P/subjects/S/resources/R"):
            self._ok(self.http.put(f"{self.url}/data/projects/{path}"))

    def step(self, number: int) -> None:
        """Upload one file; delete every third again."""
        name = f"f{time.monotonic_ns()}.bin"
        url = f"{self.url}/data/projects/P/subjects/S/resources/R/files/{name}"
        body = MARK + random.Random(number).randbytes(20_000)
        self._ok(self.http.put(url, params={"inbody": "true"}, data=body))
        if number % 3 == 2:
            self._ok(self.http.delete(url))
        else:
            self.kept[name] = body

    @staticmethod
    def _ok(answer: requests.Response) -> None:
        assert answer.status_code in (200, 201), (answer.status_code, answer.text[:300])


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    users: dict[str, dict[str, object]] = {"admin": {"password": "only-for-this-test", "admin": True}}
    with served(tmp_path / "root", users) as url:
        yield Writer(tmp_path / "root", url)


def test_an_embedded_archive_comes_back_whole(writer: Writer, place: list[str], tmp_path: Path) -> None:
    words = ("embedded", "--root", str(writer.root), "--staging", str(tmp_path / "staging"), *place)
    for number in range(30):
        writer.step(number)
    with writing(writer.step):
        first = run(*words)
        assert first.returncode == 0, first.stderr
        for seconds in (0.9, 1.4, 1.9):  # at the start, while restic works, while the database is read
            killed(seconds, *words)
        before = dict(writer.kept)
        done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    scratch = tmp_path / "scratch"
    drill = run(
        "embedded", "--scratch", str(scratch), "--keep", "--json", *place, module="backup.restore_drill"
    )
    assert drill.returncode == 0, drill.stdout + drill.stderr
    report = json.loads(drill.stdout)
    print(drill.stdout)
    assert report["differences"] == []
    assert report["files"] == report["by_digest"] >= len(before) > 20
    back = {path.name: path for path in scratch.rglob("*.bin")}
    assert all(back[name].read_bytes() == body for name, body in before.items())
    assert not any(
        MARK in path.read_bytes() for path in (tmp_path / "repository").rglob("*") if path.is_file()
    )
    assert not (tmp_path / "staging").exists()  # the plain dump does not stay


def test_a_damaged_backup_a_wrong_password_and_no_backup_fail_loudly(
    writer: Writer, place: list[str], tmp_path: Path
) -> None:
    def drill(*words: str) -> subprocess.CompletedProcess[str]:
        return run("embedded", *words, module="backup.restore_drill")

    none = drill("--repository", str(tmp_path / "nothing"), *place[2:])
    assert none.returncode != 0
    for number in range(3):
        writer.step(number)
    done = run("embedded", "--root", str(writer.root), "--staging", str(tmp_path / "s"), *place)
    assert done.returncode == 0, done.stderr
    other = tmp_path / "other.key"
    other.write_text("another\n")
    wrong = drill(*place[:2], "--password-file", str(other))
    assert wrong.returncode != 0
    refused = run("embedded", "--root", str(writer.root), *place[:2], "--password-file", str(other))
    assert "password" in refused.stderr
    packs = [path for path in (tmp_path / "repository" / "data").rglob("*") if path.is_file()]
    for pack in packs:
        pack.chmod(0o600)
        body = bytearray(pack.read_bytes())
        body[len(body) // 3] ^= 1
        pack.write_bytes(body)
    damaged = drill(*place)
    assert damaged.returncode != 0
    assert "Traceback" not in damaged.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL of its own; its socket's folder is what libpq needs."""
    assert POSTGRES.is_dir(), "PostgreSQL is missing; scripts/setup-system --test installs it"
    folder = Path("/tmp") / f"lethe-pg-{os.getpid()}"  # a socket's path may be 107 bytes long
    folder.mkdir(mode=0o700)
    root = os.getuid() == 0
    if root:
        shutil.chown(folder, "postgres")
    as_user = ["runuser", "-u", "postgres", "--"] if root else []
    data = folder / "data"
    subprocess.run(
        [*as_user, POSTGRES / "initdb", "--pgdata", data, "--username", "xnat", "--auth", "trust",
         "--no-sync"], check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    start = [
        *as_user,
        POSTGRES / "pg_ctl",
        "--pgdata",
        data,
        "--options",
        options,
        "--wait",
        "--silent",
        "start",
    ]
    subprocess.run(start, check=True, cwd="/", stdout=subprocess.DEVNULL)
    yield folder
    subprocess.run(
        [*as_user, POSTGRES / "pg_ctl", "--pgdata", data, "--mode", "immediate", "--silent", "stop"],
        check=True,
        cwd="/",
    )
    shutil.rmtree(folder)


class Xnat:
    """The part of an XNAT that a backup sees: rows that name catalogs, catalogs that name files with md5."""

    def __init__(self, folder: Path, connection: psycopg.Connection) -> None:
        self.folder, self.connection = folder, connection
        self.kept: list[Path] = []
        connection.execute(
            "CREATE TABLE xnat_resource (id serial PRIMARY KEY, uri text, at timestamptz DEFAULT now())"
        )
        connection.execute('CREATE TABLE "odd ""name" (a bytea, b double precision, c interval)')
        connection.execute(
            """INSERT INTO "odd ""name" VALUES ('\\x00ff', 0.1, '3 days'), (NULL, 'NaN', NULL)"""
        )
        connection.execute("CREATE SCHEMA xhbm CREATE TABLE container (id bigint, note text)")

    def step(self, number: int) -> None:
        """Add a resource with three files and its row; take every third away again."""
        place = self.folder / f"r{time.monotonic_ns()}"
        place.mkdir()
        entries = ""
        for name in "abc":
            body = MARK + random.Random(f"{number}{name}").randbytes(5_000)
            (place / f"{name}.dcm").write_bytes(body)
            entries += f'<cat:entry URI="{name}.dcm" digest="{hashlib.md5(body).hexdigest()}"/>'
        catalog = place / "DICOM_catalog.xml"
        catalog.write_text(
            f'<cat:DCMCatalog xmlns:cat="http://nrg.wustl.edu/catalog"><cat:entries>{entries}</cat:entries></cat:DCMCatalog>'
        )
        self.connection.execute("INSERT INTO xnat_resource (uri) VALUES (%s)", (str(catalog),))
        self.connection.execute("INSERT INTO xhbm.container VALUES (%s, %s)", (number, MARK.decode()))
        if number % 3 == 2:
            self.connection.execute("DELETE FROM xnat_resource WHERE uri = %s", (str(catalog),))
            shutil.rmtree(place)
        else:
            self.kept.append(catalog)


def test_postgresql_and_its_files_come_back_whole(server: Path, place: list[str], tmp_path: Path) -> None:
    env = {"PGHOST": str(server), "PGUSER": "xnat", "PGDATABASE": "xnat"}
    files = tmp_path / "files"
    files.mkdir()
    with psycopg.connect(f"host={server} user=xnat dbname=postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE xnat")
    words = ("postgresql", "--files", str(files), "--staging", str(tmp_path / "staging"), *place)
    with psycopg.connect(f"host={server} user=xnat dbname=xnat", autocommit=True) as connection:
        xnat = Xnat(files, connection)
        for number in range(30):
            xnat.step(number)
        with writing(lambda number: (xnat.step(number), time.sleep(0.02))[0]):
            for seconds in (0.8, 1.5, 2.2):
                killed(seconds, *words, **env)
            before = list(xnat.kept)
            done = run(*words, **env)
        assert done.returncode == 0, done.stdout + done.stderr
    scratch = tmp_path / "scratch"
    target = f"host={server} user=xnat dbname=postgres"
    drill = run(
        "postgresql", "--server", target, "--scratch", str(scratch), "--keep", "--json", *place,
        module="backup.restore_drill", **env,
    )  # fmt: skip
    assert drill.returncode == 0, drill.stdout + drill.stderr
    report = json.loads(drill.stdout)
    print(drill.stdout)
    assert report["differences"] == []
    assert report["tables"] == 3
    assert report["by_digest"] >= 3 * len(before)
    for catalog in before:
        assert (scratch / catalog.relative_to("/")).read_bytes() == catalog.read_bytes()
    with psycopg.connect(f"host={server} user=xnat dbname=postgres", autocommit=True) as connection:
        left = connection.execute(
            "SELECT count(*) FROM pg_database WHERE datname LIKE 'lethe_drill%'"
        ).fetchone()
    assert left == (0,)


def test_a_file_that_the_database_names_and_nobody_has_is_no_backup(tmp_path: Path) -> None:
    class Lost:
        folders = (tmp_path / "files",)

        def dump(self, staging: Path) -> Manifest:
            (staging / "database").write_text("rows")
            return Manifest(
                "embedded", 0.0, (str(self.folders[0]),), (Expected(str(self.folders[0] / "lost")),)
            )

        def compare(self, restored: Path, staging: Path, manifest: Manifest) -> list[str]:
            raise NotImplementedError

    (tmp_path / "files").mkdir()
    key = tmp_path / "key"
    key.write_text("x\n")
    repository = Repository(str(tmp_path / "r"), key)
    with pytest.raises(Unavailable, match="did not come together"):
        back_up(Lost(), repository, tmp_path / "staging")
    assert repository.snapshots("embedded") == []


def test_what_was_killed_before_it_was_compared_is_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small:
        folders = (tmp_path / "files",)

        def dump(self, staging: Path) -> Manifest:
            (staging / "database").write_text("rows")
            return Manifest("embedded", 0.0, (str(self.folders[0]),), ())

        def compare(self, restored: Path, staging: Path, manifest: Manifest) -> list[str]:
            return []

    (tmp_path / "files").mkdir()
    key = tmp_path / "key"
    key.write_text("x\n")
    repository = Repository(str(tmp_path / "r"), key)

    def kill(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lethe.stack.backup.run.missing", kill)
        with pytest.raises(KeyboardInterrupt):
            back_up(Small(), repository, tmp_path / "staging")
    assert repository.snapshots("embedded") == []
    done = back_up(Small(), repository, tmp_path / "staging")
    assert [row["id"] for row in repository.snapshots("embedded")] == [done.snapshot]
    assert repository.snapshots("part") == []


def test_a_backup_whose_making_was_killed_half_way_is_made_anew(place: list[str]) -> None:
    repository = Repository(place[1], Path(place[3]))
    assert repository.ensure()
    (Path(place[1]) / "config").unlink()  # restic writes its key first, then this
    assert repository.ensure()
    assert not repository.ensure()
    assert len(list((Path(place[1]) / "keys").iterdir())) == 1
