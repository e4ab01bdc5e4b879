"""Run the archive as a server: first users, sockets, start and end."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from lethe.archive import accounts
from lethe.archive.app import create_app
from lethe.archive.context import Context, open_context
from lethe.errors import Misconfigured, Unavailable

BACKENDS = ("auto", "docker", "process")


@dataclass(frozen=True, slots=True)
class Options:
    """How to serve: folder, ports (0: a free one; no DICOM receiver without a port), users, backend."""

    root: Path
    host: str = "127.0.0.1"
    http_port: int = 8080
    dicom_port: int | None = None
    users: Path | None = None
    admin_password_file: Path | None = None
    backend: str = "auto"
    site_url: str = ""


def serve(options: Options, *, say: Callable[[str], None]) -> None:
    """Serve until the process is told to end.

    Parameters
    ----------
    options : Options
        What to serve.
    say : Callable
        Gets the few lines for the person who started the server.

    Raises
    ------
    Misconfigured
        A users file that cannot be read, an unknown backend.
    Unavailable
        A port or the folder is in use.
    """
    if options.backend not in BACKENDS:
        raise Misconfigured("backend", "The backend is auto, docker or process.")
    listener = _listen(options.host, options.http_port)
    ctx = open_context(options.root.resolve())
    try:
        password = first_users(ctx, options.users, options.admin_password_file)
        port = listener.getsockname()[1]
        ctx.http_url = options.site_url or f"http://{options.host}:{port}"
        ctx.dicom_port, ctx.backend = options.dicom_port, options.backend
        app = create_app(ctx.root, ctx=ctx)
        say(f"archive at {ctx.http_url}")
        if password:
            say(f"first login: admin, password (shown only now): {password}")
        _log_requests(ctx.logger)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", server_header=False,
            timeout_graceful_shutdown=10, h11_max_incomplete_event_size=64 * 1024,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        listener.close()
        ctx.store.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small answers at once; without, each may wait 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise Unavailable(
            "port-in-use", "The HTTP port is in use.", remedy="Name another --http port."
        ) from None
    listener.set_inheritable(False)
    return listener


def _log_requests(logger: logging.Logger) -> None:
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def first_users(ctx: Context, users: Path | None, password_file: Path | None) -> str | None:
    """Make the users of a users file; without one, and without any user, an administrator.

    Returns
    -------
    str or None
        The generated password of the first administrator, to be shown once; None if none was generated.
    """
    if users is not None:
        for login, entry in read_users(users).items():
            _ensure_user(ctx, login, entry)
        return None
    if accounts.list_users(ctx):
        return None
    generated = None
    if password_file is not None:
        password = _first_line(password_file)
    else:
        password = generated = secrets.token_urlsafe(15)
    accounts.create_user(ctx, "admin", password, first_name="Site", last_name="Administrator", admin=True)
    return generated


def _ensure_user(ctx: Context, login: str, entry: Mapping[str, Any]) -> None:
    if accounts.find_user(ctx, login) is None:
        accounts.create_user(
            ctx, login, str(entry["password"]), email=str(entry.get("email", "")),
            admin=entry.get("admin") is True, first_name=str(entry.get("first_name", "")),
            last_name=str(entry.get("last_name", "")),
        )  # fmt: skip


def read_users(path: Path) -> dict[str, dict[str, Any]]:
    """Read a users file (JSON or YAML): ``login: {password, email, admin}``.

    Raises
    ------
    Misconfigured
        The file cannot be read or has another shape.
    """
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        raise Misconfigured("users-file", "The users file cannot be read.") from None
    right = isinstance(found, dict) and all(
        isinstance(key, str) and isinstance(entry, dict) and entry.get("password")
        for key, entry in found.items()
    )
    if not right:
        raise Misconfigured(
            "users-file",
            "The users file has a wrong shape.",
            remedy="Write `login: {password: ..., email: ..., admin: true}`.",
        )
    return dict(found)


def _first_line(path: Path) -> str:
    try:
        if os.stat(path).st_mode & 0o077:
            raise Misconfigured(
                "password-file", "The password file can be read by others.", remedy="chmod 600 it."
            )
        lines = path.read_text().splitlines()
    except OSError:
        raise Misconfigured("password-file", "The password file cannot be read.") from None
    if not lines or not lines[0].strip():
        raise Misconfigured("password-file", "The password file is empty.")
    return lines[0].strip()
