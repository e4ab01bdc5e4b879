"""``scripts/backup`` and ``scripts/restore-drill``: their options and what they print."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.stack.backup.drill import Report, drill
from lethe.stack.backup.embedded import Embedded
from lethe.stack.backup.manifest import Manifest, Source
from lethe.stack.backup.postgresql import PostgreSql
from lethe.stack.backup.restic import Repository
from lethe.stack.backup.run import Retention, back_up

Place = Annotated[str, typer.Option(help="Folder of the backups, or another place restic knows.")]
Password = Annotated[Path, typer.Option(help="File with the password of the encryption.")]
Staging = Annotated[Path | None, typer.Option(help="Folder for the dump; the same one every time.")]
Daily = Annotated[int, typer.Option(help="How many daily backups are kept.")]
Weekly = Annotated[int, typer.Option(help="How many weekly backups are kept.")]
Monthly = Annotated[int, typer.Option(help="How many monthly backups are kept.")]
Scratch = Annotated[Path | None, typer.Option(help="Empty folder to restore into (holds patients' data).")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave what came back: this is how a restore is done.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]

backup = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
restore_drill = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@backup.command("embedded")
def backup_embedded(
    root: Annotated[Path, typer.Option(help="Folder of the embedded archive.")],
    repository: Place,
    password_file: Password,
    staging: Staging = None,
    daily: Daily = 14,
    weekly: Weekly = 8,
    monthly: Monthly = 12,
) -> None:
    """Back up an embedded archive; it may be running.

    Example: scripts/backup embedded --root demo/archive --repository /srv/backup --password-file backup.key
    """
    _back_up(Embedded(root), repository, password_file, staging, Retention(daily, weekly, monthly))


@backup.command("postgresql")
def backup_postgresql(
    files: Annotated[list[Path], typer.Option(help="Folder of XNAT's files; give it once for each.")],
    repository: Place,
    password_file: Password,
    staging: Staging = None,
    daily: Daily = 14,
    weekly: Weekly = 8,
    monthly: Monthly = 12,
) -> None:
    """Back up XNAT's PostgreSQL (PGHOST, PGUSER, PGDATABASE, PGPASSFILE) with its files.

    Example: scripts/backup postgresql --files /data/xnat/archive --repository /backup --password-file key
    """
    _back_up(PostgreSql(files), repository, password_file, staging, Retention(daily, weekly, monthly))


@restore_drill.command("embedded")
def drill_embedded(
    repository: Place,
    password_file: Password,
    scratch: Scratch = None,
    keep: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Restore the newest backup of an embedded archive into a scratch folder and compare every digest.

    Example: scripts/restore-drill embedded --repository /srv/backup --password-file backup.key
    """

    def make(manifest: Manifest) -> Source:
        return Embedded(Path(manifest.folders[0]).parent)

    with _scratch(scratch, keep) as folder:
        report = drill(make, "embedded", Repository(repository, password_file.absolute()), folder)
        _print(report, as_json)


@restore_drill.command("postgresql")
def drill_postgresql(
    repository: Place,
    password_file: Password,
    server: Annotated[str, typer.Option(help="Connection string of a scratch server (no password in it).")],
    scratch: Scratch = None,
    keep: Keep = False,
    as_json: AsJson = False,
) -> None:
    """Restore the newest backup of XNAT into a scratch folder and a scratch server; compare every digest.

    Example: scripts/restore-drill postgresql --server "host=scratch user=drill dbname=postgres" ...
    """

    def make(manifest: Manifest) -> Source:
        return PostgreSql([Path(folder) for folder in manifest.folders], scratch=server)

    with _scratch(scratch, keep) as folder:
        report = drill(make, "postgresql", Repository(repository, password_file.absolute()), folder)
        _print(report, as_json)


def _back_up(source: Source, place: str, password: Path, staging: Path | None, retention: Retention) -> None:
    console = Console(highlight=False)
    folder = staging or Path(tempfile.gettempdir()) / f"lethe-backup-{os.getuid()}"
    with _alone(folder):
        done = back_up(
            source,
            Repository(place, password.absolute()),
            folder,
            retention=retention,
            say=lambda line: console.print(line, markup=False, soft_wrap=True),
        )
    console.print(
        f"backup {done.snapshot[:8]}: {len(done.manifest.files)} files and "
        f"{len(done.manifest.tables)} table(s) of one moment, {done.rounds} round(s)",
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the staging folder for one backup at a time; the lock ends with the process, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable("backup-runs", "Another backup is running.", remedy="Wait for it.") from None
        yield


@contextmanager
def _scratch(wanted: Path | None, keep: bool) -> Iterator[Path]:
    if keep and wanted is None:
        raise Misconfigured("no-scratch", "--keep needs --scratch.", remedy="Name the folder to keep.")
    folder = wanted.absolute() if wanted else Path(tempfile.mkdtemp(prefix="lethe-drill-"))
    mine = wanted is None or not wanted.exists()
    try:
        yield folder
    finally:
        if mine and not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        table = Table("what", "found", title="Restore drill")
        table.add_row("files that came back", f"{report.files} ({report.by_digest} compared by md5)")
        table.add_row("bytes", f"{report.bytes:,}")
        table.add_row("tables, rows", f"{report.tables}, {report.rows}")
        table.add_row("RPO: age of the backup", f"{report.recovery_point_s:.0f} s")
        table.add_row("RTO: restored and proven in", f"{report.recovery_time_s:.1f} s")
        for line in report.differences[:20]:
            table.add_row("DIFFERS", line)
        Console(highlight=False).print(table)
    if report.differences:
        raise Refused(
            "drill-failed",
            f"The backup is not what was backed up: {len(report.differences)} difference(s).",
            remedy="Do not rely on it: make a new backup now, then find out why.",
        )
