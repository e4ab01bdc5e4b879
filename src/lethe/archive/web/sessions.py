"""Login sessions (JSESSIONID), kept in memory: they end with the server."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from lethe.archive import accounts
from lethe.archive.context import Context
from lethe.archive.model import User

_LOOK_SECONDS = 5.0
_REMEMBER_SECONDS = 300.0
_MOST = 20_000


@dataclass(slots=True)
class _Session:
    login: str
    used: float
    token: str
    csrf: str


class Sessions:
    """Who is logged in. Session ids are drawn by the server only, anew at each login.

    Parameters
    ----------
    ctx : Context
        The archive.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Session] = OrderedDict()
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def open(self, login: str, *, token: str = "") -> str:
        """Start a session for `login` (through the alias `token`, if any); return its id, 32 hex digits."""
        session_id = secrets.token_hex(16).upper()
        with self._lock:
            self._open[session_id] = _Session(
                login, self._ctx.store.now(), token, str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
            )
            while len(self._open) > _MOST:
                self._open.popitem(last=False)
        return session_id

    def login_of(self, session_id: str) -> str | None:
        """Return who the session belongs to, None if there is none or it was idle too long.

        How long is the site setting ``sessionTimeout``.
        """
        moment = self._ctx.store.now()
        with self._lock:
            found = self._open.get(session_id)
            if found is None:
                return None
            idle = moment - found.used
            if idle > _LOOK_SECONDS and idle > self._ctx.settings.seconds("sessionTimeout"):
                del self._open[session_id]
                return None
            found.used = moment
            self._open.move_to_end(session_id)
            return found.login

    def token_of(self, session_id: str) -> str:
        """Return what a browser of this session must send with changes; empty if there is no session."""
        with self._lock:
            found = self._open.get(session_id)
            return found.csrf if found is not None else ""

    def close(self, session_id: str) -> None:
        """End one session."""
        with self._lock:
            self._open.pop(session_id, None)

    def close_all(self, login: str, *, token: str = "") -> list[str]:
        """End every session of a user (or only those opened by one alias token); return their ids."""
        with self._lock:
            ids = [
                key
                for key, one in self._open.items()
                if one.login.lower() == login.lower() and (not token or one.token == token)
            ]
            for key in ids:
                del self._open[key]
            self._seen.clear()
        return ids

    def active(self) -> dict[str, list[str]]:
        """Return the session ids of everybody who is logged in."""
        found: dict[str, list[str]] = {}
        with self._lock:
            for key, one in self._open.items():
                found.setdefault(one.login, []).append(key)
        return found

    def check(self, login: str, password: str) -> User | None:
        """Check credentials; a right answer is remembered (keyed hash only) for five minutes."""
        mark = hmac.digest(self._key, f"{len(login)}:{login}{password}".encode(), hashlib.sha256)
        moment = self._ctx.store.now()
        with self._lock:
            known = moment - self._seen.get(mark, -_REMEMBER_SECONDS) < _REMEMBER_SECONDS
        if known:
            user = accounts.find_user(self._ctx, login)
            if user is not None and user.login.lower() == login.lower() and user.enabled and user.verified:
                return user
        user = accounts.check_password(self._ctx, login, password)
        if user is not None and user.login.lower() == login.lower():
            with self._lock:
                self._seen[mark] = moment
                while len(self._seen) > _MOST:
                    self._seen.popitem(last=False)
        return user

    def forget(self) -> None:
        """Forget remembered credentials (after a password or user was changed)."""
        with self._lock:
            self._seen.clear()
