"""``scripts/init-stack``: settings, passwords and folders of a new stack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lethe.stack.running import run
from lethe.stack.settings import Site, prepare

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def init(
    host: Annotated[str, typer.Option(help="Name clients use; it must be in the certificate.")],
    data: Annotated[Path, typer.Option(help="Folder for the archive's data.")] = Path("/srv/lethe/data"),
    backup: Annotated[Path, typer.Option(help="Folder for backups; better on another disk.")] = Path(
        "/srv/lethe/backup"
    ),
    secrets: Annotated[Path, typer.Option(help="Folder for passwords and keys.")] = Path("secrets"),
    uid: Annotated[int, typer.Option(help="User that owns data and secrets.")] = os.getuid(),
    gid: Annotated[int, typer.Option(help="Its group.")] = os.getgid(),
    root: Annotated[Path, typer.Option(help="Folder of docker-compose.yml.")] = Path(),
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="Make a certificate for an evaluation.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
) -> None:
    """Make .env, the passwords and the folders that are missing; what exists is kept.

    Example: scripts/init-stack --host archive.example.org --self-signed
    """
    site = Site(host, uid, gid, data.resolve(), backup.resolve(), secrets.resolve())
    console = Console(highlight=False)
    for step in prepare(root.resolve(), site, self_signed=self_signed, dry_run=dry_run):
        word = "would make" if dry_run and step.done == "made" else step.done
        console.print(f"{word:>10}  {step.what}", markup=False, soft_wrap=True)
    if not self_signed and not (site.secrets / "tls_key").exists():
        console.print(
            f"place tls_certificate and tls_key (PEM) in {site.secrets}", markup=False, soft_wrap=True
        )


if __name__ == "__main__":
    run(app)
