"""How verbs that talk to an archive ask for its address and login: never a password in an argument."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lethe.errors import Misconfigured

Url = Annotated[str, typer.Option("--url", envvar="LETHE_XNAT_URL", help="Address of the archive.")]
User = Annotated[str, typer.Option("--user", envvar="LETHE_XNAT_USER", help="Login name.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", help="File with the password; else LETHE_XNAT_PASSWORD or a prompt."),
]


def password(file: Path | None) -> str:
    """Return the password from a file, the environment or a prompt.

    Raises
    ------
    Misconfigured
        The file cannot be read.
    """
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except OSError:
            raise Misconfigured(
                "password-file", "The password file cannot be read.", remedy="Check its path and permissions."
            ) from None
    return os.environ.get("LETHE_XNAT_PASSWORD") or str(typer.prompt("Password", hide_input=True))
