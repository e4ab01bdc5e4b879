"""Users, their passwords (scrypt), site roles and alias tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lethe.archive import workflows
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem

_COST = {"n": 2**14, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True)
class Token:
    """An alias token: `alias` and `secret` serve as Basic user and password until `expires` (seconds)."""

    id: int
    alias: str
    secret: str
    login: str
    created: float
    expires: float


def hash_password(password: str) -> str:
    """Return a salted scrypt hash as text."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, **_COST)
    return "scrypt$" + base64.b64encode(salt).decode() + "$" + base64.b64encode(digest).decode()


def verify_password(password: str, stored: str) -> bool:
    """Return whether `password` has this hash; takes the same time for every wrong one."""
    _, salt, digest = stored.split("$")
    given = hashlib.scrypt(password.encode(), salt=base64.b64decode(salt), **_COST)
    return hmac.compare_digest(given, base64.b64decode(digest))


# ---- users --------------------------------------------------------------------------------------


def _user(db: sqlite3.Connection, row: sqlite3.Row) -> User:
    roles = db.execute("SELECT role FROM site_role WHERE login = ?", (row["login"],))
    return User(
        login=row["login"],
        number=row["number"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        email=row["email"],
        enabled=bool(row["enabled"]),
        verified=bool(row["verified"]),
        modified=row["modified"],
        last_login=row["last_login"],
        site_roles=frozenset(role["role"] for role in roles),
    )


def find_user(ctx: Context, ref: str) -> User | None:
    """Find a user by login, else by e-mail address, else by number."""
    db = ctx.store.read()
    for column, value in (("login", ref), ("email", ref), ("number", ref)):
        row = db.execute(f"SELECT * FROM user WHERE {column} = ? AND ? != ''", (value, ref)).fetchone()  # noqa: S608
        if row is not None:
            return _user(db, row)
    return None


def list_users(ctx: Context) -> list[User]:
    """Return every user, in the order of their numbers."""
    db = ctx.store.read()
    return [_user(db, row) for row in db.execute("SELECT * FROM user ORDER BY number").fetchall()]


def create_user(
    ctx: Context, login: str, password: str, *, email: str = "", first_name: str = "", last_name: str = "",
    admin: bool = False, enabled: bool = True, verified: bool = True,
) -> User:  # fmt: skip
    """Make a user.

    Raises
    ------
    Problem
        400 for a login that is no plain word or an empty password, 409 if the login is taken.
    """
    if (
        not login
        or len(login) > 100
        or not all(c.isalnum() or c in "._-@" for c in login)
        or login == "guest"
    ):
        raise Problem(400, "A login consists of letters, digits and . _ - @.")
    if not password:
        raise Problem(400, "A password is needed.")
    moment = ctx.store.now()
    hashed = hash_password(password)
    with ctx.store.write() as db:
        if db.execute("SELECT 1 FROM user WHERE login = ?", (login,)).fetchone():
            raise Problem(409, "The login is already in use.")
        db.execute(
            "INSERT INTO user (login, number, password, first_name, last_name, email, enabled, verified,"
            " created, modified) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (login, ctx.store.next_number("user"), hashed, first_name, last_name, email, enabled, verified,
             moment, moment),
        )  # fmt: skip
        if admin:
            grant(ctx, login, "Administrator")
    found = find_user(ctx, login)
    if found is None:
        raise Problem(500)
    return found


def change_user(ctx: Context, login: str, changes: Mapping[str, Any]) -> None:
    """Change columns of a user: first_name, last_name, email, enabled, verified, password (plain text)."""
    allowed = ("first_name", "last_name", "email", "enabled", "verified", "password")
    values = {key: changes[key] for key in allowed if key in changes}
    if "password" in values:
        values["password"] = hash_password(str(values["password"]))
    with ctx.store.write() as db:
        for column, value in values.items():
            db.execute(f"UPDATE user SET {column} = ? WHERE login = ?", (value, login))  # noqa: S608
        db.execute("UPDATE user SET modified = ? WHERE login = ?", (ctx.store.now(), login))
        if "password" in values or not values.get("enabled", True):
            db.execute("DELETE FROM token WHERE login = ?", (login,))


def grant(ctx: Context, login: str, role: str) -> None:
    """Give a site role (``Administrator``, ``ALL_DATA_ACCESS``, ``ContainerManager``, ...)."""
    with ctx.store.write() as db:
        db.execute("INSERT OR IGNORE INTO site_role VALUES (?, ?)", (login, role))


def withdraw(ctx: Context, login: str, role: str) -> None:
    """Take a site role away."""
    with ctx.store.write() as db:
        db.execute("DELETE FROM site_role WHERE login = ? AND role = ?", (login, role))


def check_password(ctx: Context, login: str, password: str) -> User | None:
    """Return the enabled, verified user of these credentials; a password or an alias token serves."""
    row = ctx.store.read().execute("SELECT password FROM user WHERE login = ?", (login,)).fetchone()
    if row is None:
        return _token_user(ctx, login, password)
    if not verify_password(password, row["password"]):
        return None
    user = find_user(ctx, login)
    return user if user is not None and user.enabled and user.verified else None


def note_login(ctx: Context, login: str) -> None:
    """Store the moment of a login."""
    with ctx.store.write() as db:
        db.execute("UPDATE user SET last_login = ? WHERE login = ?", (ctx.store.now(), login))


# ---- alias tokens -------------------------------------------------------------------------------


def _secret_hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()  # 256 random bits need no slow hash


def issue_token(ctx: Context, login: str, *, seconds: float | None = None) -> Token:
    """Make an alias token of a user; the secret is shown this once, only its hash is kept.

    It lives for `seconds`, or as long as the site setting ``aliasTokenTimeout`` says.
    """
    seconds = ctx.settings.seconds("aliasTokenTimeout") if seconds is None else seconds
    alias, secret, moment = (
        str(uuid.UUID(bytes=secrets.token_bytes(16))),
        secrets.token_urlsafe(32),
        ctx.store.now(),
    )
    with ctx.store.write() as db:
        db.execute("DELETE FROM token WHERE expires < ?", (moment,))
        cursor = db.execute(
            "INSERT INTO token (alias, secret, login, created, expires) VALUES (?,?,?,?,?)",
            (alias, _secret_hash(secret), login, moment, moment + seconds),
        )
    return Token(cursor.lastrowid or 0, alias, secret, login, moment, moment + seconds)


def list_tokens(ctx: Context, login: str) -> list[Token]:
    """Return the living tokens of a user, without their secrets."""
    rows = ctx.store.read().execute(
        "SELECT * FROM token WHERE login = ? AND expires >= ? ORDER BY id", (login, ctx.store.now())
    )  # fmt: skip
    return [Token(r["id"], r["alias"], "", r["login"], r["created"], r["expires"]) for r in rows]


def token_login(ctx: Context, alias: str, secret: str) -> str | None:
    """Return the login a living token stands for."""
    row = ctx.store.read().execute("SELECT * FROM token WHERE alias = ?", (alias,)).fetchone()
    if row is None or row["expires"] < ctx.store.now():
        return None
    return str(row["login"]) if hmac.compare_digest(row["secret"], _secret_hash(secret)) else None


def _token_user(ctx: Context, alias: str, secret: str) -> User | None:
    login = token_login(ctx, alias, secret)
    user = find_user(ctx, login) if login else None
    return user if user is not None and user.enabled and user.verified else None


def invalidate_token(ctx: Context, alias: str, *, login: str | None = None) -> bool:
    """End a token (of `login`, if given); false if there was none."""
    with ctx.store.write() as db:
        cursor = db.execute(
            "DELETE FROM token WHERE alias = ? AND login = COALESCE(?, login)", (alias, login)
        )
    return cursor.rowcount > 0


# ---- projects -----------------------------------------------------------------------------------


def memberships(ctx: Context, project: str) -> list[tuple[User, str]]:
    """Return the users of a project with their role."""
    db = ctx.store.read()
    rows = db.execute(
        "SELECT user.*, membership.role AS role FROM membership JOIN user USING (login) WHERE project = ?"
        " ORDER BY number", (project,),
    ).fetchall()  # fmt: skip
    return [(_user(db, row), row["role"]) for row in rows]


def set_membership(ctx: Context, project: str, login: str, role: str | None, *, by: str = "") -> None:
    """Give a user one role in a project (it replaces another), or none; `by` is noted in its history."""
    with ctx.store.write() as db:
        if by:
            action = f"Added {login} as {role}" if role else f"Removed {login}"
            workflows.audit(ctx, project, action, login=by, data_type="xnat:projectData", project=project)
        if role is None:
            db.execute("DELETE FROM membership WHERE project = ? AND login = ?", (project, login))
        else:
            db.execute(
                "INSERT INTO membership (project, login, role) VALUES (?, ?, ?)"
                " ON CONFLICT (project, login) DO UPDATE SET role = excluded.role",
                (project, login, role),
            )


def add_invitation(
    ctx: Context, project: str, role: str, *, by: str, email: str = "", login: str = "", reason: str = ""
) -> str:
    """Note an invitation into (or, with `login`, a request for) a role of a project; return its guid."""
    guid = str(uuid.UUID(bytes=secrets.token_bytes(16)))
    with ctx.store.write() as db:
        cursor = db.execute(
            "INSERT INTO invitation (guid, project, role, login, email, created, created_by)"
            " VALUES (?,?,?,?,?,?,?)",
            (guid, project, role, login, email, ctx.store.now(), by),
        )
        if reason:
            db.execute("INSERT INTO invitation_reason VALUES (?, ?)", (cursor.lastrowid, reason))
    return guid
