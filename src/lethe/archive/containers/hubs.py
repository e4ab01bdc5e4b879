"""Image hubs: where images without a host in their name are fetched from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lethe.archive.context import Context
from lethe.archive.problem import Problem

ENGINE = 0
"""Number of the hub that the engine itself uses; it is always there."""
_KEY = "containers.hub"
_NAME = re.compile(r"[\w .-]{1,100}")


def listing(ctx: Context) -> list[dict[str, Any]]:
    """Return every hub; exactly one is the default."""
    rows = ctx.store.read().execute("SELECT * FROM cs_hub ORDER BY id").fetchall()
    chosen = int(ctx.store.setting(_KEY, ENGINE))
    known = [(ENGINE, "Engine", ""), *((row["id"], row["name"], row["url"]) for row in rows)]
    return [
        {
            "id": number, "name": name, "url": url, "username": None, "password": None, "email": None,
            "token": None, "default": number == chosen,
        }
        for number, name, url in known
    ]  # fmt: skip


def find(ctx: Context, ref: str) -> dict[str, Any]:
    """Return a hub by number or name; 404 if there is none."""
    for hub in listing(ctx):
        if ref in {str(hub["id"]), hub["name"]}:
            return hub
    raise Problem(404, "There is no such hub.")


def save(ctx: Context, wish: Mapping[str, Any], *, number: int | None = None, default: bool = False) -> int:
    """Store a new hub, or change one.

    Raises
    ------
    Problem
        400 for a bad name or address, for credentials (log the engine in instead) and for the engine's own
        hub; 409 if the name is taken.
    """
    name, url = str(wish.get("name") or ""), str(wish.get("url") or "")
    if number == ENGINE or not _NAME.fullmatch(name) or urlsplit(url).scheme not in {"http", "https"}:
        raise Problem(400, "A hub needs a name and an address that begins with http or https.")
    if any(wish.get(key) for key in ("username", "password", "token")):
        raise Problem(400, "Passwords of hubs are not kept here; log the Docker engine in instead.")
    with ctx.store.write() as db:
        taken = db.execute("SELECT id FROM cs_hub WHERE name = ? AND id != ?", (name, number or 0)).fetchone()
        if taken is not None or name == "Engine":
            raise Problem(409, "A hub of this name exists.")
        if number is None:
            number = int(
                db.execute("INSERT INTO cs_hub (name, url) VALUES (?, ?)", (name, url)).lastrowid or 0
            )
        else:
            db.execute("UPDATE cs_hub SET name = ?, url = ? WHERE id = ?", (name, url, number))
        if default or wish.get("default"):
            ctx.store.set_setting(_KEY, number)
    return number


def choose(ctx: Context, number: int) -> None:
    """Make a hub the default."""
    ctx.store.set_setting(_KEY, number)


def delete(ctx: Context, number: int) -> None:
    """Forget a hub; the engine's own takes its place as default."""
    if number == ENGINE:
        raise Problem(400, "The engine's own hub stays.")
    with ctx.store.write() as db:
        db.execute("DELETE FROM cs_hub WHERE id = ?", (number,))
        if ctx.store.setting(_KEY, ENGINE) == number:
            ctx.store.set_setting(_KEY, ENGINE)


def full_name(hub: Mapping[str, Any], image: str) -> str:
    """Return the name by which the engine fetches an image from a hub.

    Examples
    --------
    >>> full_name({"url": "https://images.example:5000/"}, "lethe/deface:1")
    'images.example:5000/lethe/deface:1'
    >>> full_name({"url": "https://images.example"}, "other.example/deface:1")
    'other.example/deface:1'
    """
    first, slash, _ = image.partition("/")
    has_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host = urlsplit(str(hub["url"])).netloc
    return image if has_host or not host else f"{host}/{image}"
