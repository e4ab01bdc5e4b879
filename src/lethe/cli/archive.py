"""``lethe archive``: serve, check and count an embedded archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lethe.archive import serve as serving

HELP = "The embedded archive: serve, check, stats."
app = typer.Typer(help=HELP, no_args_is_help=True)

Root = Annotated[Path, typer.Option(help="Folder of the archive.")]


@app.callback()
def _group() -> None:
    """The embedded archive: serve, check, stats."""


@app.command()
def serve(
    root: Root,
    http: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one.")] = 8080,
    dicom: Annotated[int | None, typer.Option(help="Port of the C-STORE receiver; none without it.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    users: Annotated[Path | None, typer.Option(help="JSON or YAML: login: {password, email, admin}.")] = None,
    backend: Annotated[str, typer.Option(help="How commands run: auto, docker or process.")] = "auto",
    admin_password_file: Annotated[
        Path | None, typer.Option(help="File (mode 600) with the first administrator's password.")
    ] = None,
    site_url: Annotated[str, typer.Option(help="Address clients use, behind a proxy.")] = "",
) -> None:
    """Serve an archive until interrupted.

    Example: lethe archive serve --root ./archive --http 8080 --dicom 8104
    """
    console = Console(stderr=True, highlight=False)
    options = serving.Options(
        root=root, host=host, http_port=http, dicom_port=dicom, users=users,
        admin_password_file=admin_password_file, backend=backend, site_url=site_url,
    )  # fmt: skip
    serving.serve(options, say=lambda line: console.print(line, markup=False, soft_wrap=True))
