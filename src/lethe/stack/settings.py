"""First settings of a stack: ``.env``, secrets in files, folders. Nothing is ever overwritten."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lethe.errors import Misconfigured
from lethe.files import write_bytes

PASSWORDS = ("admin_password", "database_password", "backup_password")
DATA_FOLDERS = ("archive", "xnat", "database", "ctp-server", "ctp-client")
# the name of an Internet host (RFC 1123), or an address
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Site:
    """What one site decides: host name, owner of the data on this machine, folders.

    `uid` and `gid` are numbers of the host; the services run as that user.
    """

    host: str
    uid: int
    gid: int
    data: Path
    backup: Path
    secrets: Path


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that `prepare` does or leaves: ``made`` or ``kept``, and what."""

    what: str
    done: str


def prepare(root: Path, site: Site, *, self_signed: bool, dry_run: bool = False) -> list[Step]:
    """Make what is missing of ``.env``, secrets and folders.

    Parameters
    ----------
    root : Path
        Folder that holds ``.env.example``; ``.env`` is written beside it.
    site : Site
        The site's decisions.
    self_signed : bool
        Make a certificate of our own for an evaluation; without it, the site places ``tls_certificate`` and
        ``tls_key`` in the folder of secrets.
    dry_run : bool
        Only say what would be made.

    Returns
    -------
    list of Step
        In the order of the work.

    Raises
    ------
    Misconfigured
        The host is no host name, the owner is root, or ``.env`` names other folders than `site`.
    """
    _check(site)
    env = root / ".env"
    if env.exists():
        _agrees(env, site)
    steps: list[Step] = []

    def make(what: str, exists: bool, work: Callable[[], None]) -> None:
        steps.append(Step(what, "kept" if exists else "made"))
        if not exists and not dry_run:
            work()

    for folder in (
        site.secrets,
        site.backup,
        site.data,
        *(site.data / name for name in DATA_FOLDERS),
    ):
        make(f"folder {folder}", folder.is_dir(), partial(_folder, folder, site))
    for name in PASSWORDS:
        path = site.secrets / name
        make(f"secret {path}", path.exists(), partial(_new_password, path, site))
    if self_signed:
        both = site.secrets / "tls_certificate", site.secrets / "tls_key"
        make(
            f"certificate {both[0]}", both[0].exists() and both[1].exists(), lambda: _certificate(both, site)
        )
    make(f"settings {env}", env.exists(), lambda: write_bytes(env, _env(root, site).encode()))
    return steps


def read_env(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; comments and empty lines are skipped.

    Raises
    ------
    Misconfigured
        The file cannot be read, or a line is something else.
    """
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(
            "no-settings", f"{path.name} cannot be read.", remedy="Run scripts/init-stack first."
        ) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name.strip()):
            raise Misconfigured("settings-line", f"Line {number} of {path.name} is not NAME=value.")
        found[name.strip()] = value.strip()
    return found


def _check(site: Site) -> None:
    if not _HOST.fullmatch(site.host):
        raise Misconfigured(
            "host-name", "The host is not the name of a host.", remedy="For example archive.example.org."
        )
    if site.uid == 0:
        raise Misconfigured(
            "owner-root",
            "The services must not run as root.",
            remedy="Name the number of another user with --uid and --gid.",
        )


def _agrees(env: Path, site: Site) -> None:
    found, wanted = read_env(env), _values(site)
    other = sorted(name for name, value in wanted.items() if found.get(name, "") != value)
    if other:
        raise Misconfigured(
            "settings-differ",
            f"{env.name} exists and says otherwise about {', '.join(other)}.",
            remedy="Edit it, or call this with the values it has.",
        )


def _values(site: Site) -> Mapping[str, str]:
    return {
        "LETHE_HOST": site.host,
        "LETHE_UID": str(site.uid),
        "LETHE_GID": str(site.gid),
        "LETHE_DATA": str(site.data),
        "LETHE_BACKUP": str(site.backup),
        "LETHE_SECRETS": str(site.secrets),
    }


def _env(root: Path, site: Site) -> str:
    values = _values(site)
    lines = (root / ".env.example").read_text(encoding="utf-8").splitlines()
    return "".join(
        f"{name}={values[name]}\n" if (name := line.partition("=")[0]) in values else f"{line}\n"
        for line in lines
    )


def _folder(folder: Path, site: Site) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _own(folder, site)


def _new_password(path: Path, site: Site) -> None:
    _secret(path, (secrets.token_urlsafe(24) + "\n").encode(), site)


def _secret(path: Path, value: bytes, site: Site) -> None:
    write_bytes(path, value, mode=0o600)
    _own(path, site)


def _own(path: Path, site: Site) -> None:
    if (os.getuid(), os.getgid()) != (site.uid, site.gid):
        try:
            os.chown(path, site.uid, site.gid)
        except PermissionError:
            raise Misconfigured(
                "not-the-owner",
                "Files cannot be given to the user that the services run as.",
                remedy="Run this as that user or as root.",
            ) from None


def _certificate(both: tuple[Path, Path], site: Site) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, site.host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([_alternative(site.host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    _secret(both[1], key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain), site)
    _secret(both[0], made.public_bytes(pem), site)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
