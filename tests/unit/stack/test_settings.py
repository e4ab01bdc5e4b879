"""First settings of a stack."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from cryptography import x509

from lethe.errors import Misconfigured
from lethe.stack.settings import PASSWORDS, Site, prepare, read_env

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    shutil.copy(EXAMPLE, tmp_path)
    uid = os.getuid() or 10001
    return Site("archive.example.org", uid, uid, tmp_path / "data", tmp_path / "backup", tmp_path / "secrets")


def test_secrets_are_random_private_and_never_overwritten(site: Site, tmp_path: Path) -> None:
    prepare(tmp_path, site, self_signed=True)
    first = {path.name: path.read_bytes() for path in site.secrets.iterdir()}
    assert set(first) == {*PASSWORDS, "tls_certificate", "tls_key"}
    assert len({first[name] for name in PASSWORDS}) == len(PASSWORDS)
    assert all(len(first[name].strip()) >= 24 for name in PASSWORDS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in site.secrets.iterdir()} == {0o600}
    again = prepare(tmp_path, site, self_signed=True)
    assert {step.done for step in again} == {"kept"}
    assert {path.name: path.read_bytes() for path in site.secrets.iterdir()} == first


def test_the_certificate_is_for_the_host(site: Site, tmp_path: Path) -> None:
    prepare(tmp_path, site, self_signed=True)
    made = x509.load_pem_x509_certificate((site.secrets / "tls_certificate").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [site.host]


def test_settings_hold_the_decisions_and_no_secret(site: Site, tmp_path: Path) -> None:
    prepare(tmp_path, site, self_signed=False)
    text = (tmp_path / ".env").read_text()
    assert read_env(tmp_path / ".env")["LETHE_HOST"] == site.host
    assert read_env(tmp_path / ".env").keys() == read_env(EXAMPLE).keys()
    assert not any((site.secrets / name).read_text().strip() in text for name in PASSWORDS)


def test_a_dry_run_makes_nothing(site: Site, tmp_path: Path) -> None:
    steps = prepare(tmp_path, site, self_signed=True, dry_run=True)
    assert {step.done for step in steps} == {"made"}
    assert [path.name for path in tmp_path.iterdir()] == [".env.example"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"host": "archive example"}, "host-name"),
        ({"host": "x; rm"}, "host-name"),
        ({"uid": 0}, "owner-root"),
    ],
)
def test_bad_decisions_are_refused_before_anything_is_made(
    site: Site, tmp_path: Path, change: dict[str, object], code: str
) -> None:
    values = {name: getattr(site, name) for name in Site.__slots__} | change
    with pytest.raises(Misconfigured) as caught:
        prepare(tmp_path, Site(**values), self_signed=True)
    assert caught.value.code == code
    assert [path.name for path in tmp_path.iterdir()] == [".env.example"]


def test_settings_that_say_otherwise_are_named_not_changed(site: Site, tmp_path: Path) -> None:
    prepare(tmp_path, site, self_signed=False)
    other = Site("other.example.org", site.uid, site.gid, tmp_path / "elsewhere", site.backup, site.secrets)
    with pytest.raises(Misconfigured, match=r"LETHE_DATA, LETHE_HOST"):
        prepare(tmp_path, other, self_signed=False)
    assert not (tmp_path / "elsewhere").exists()


def test_a_line_that_is_no_setting_is_named_by_number(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# fine\nA=1\nexport B=2\n")
    with pytest.raises(Misconfigured, match="Line 3"):
        read_env(tmp_path / ".env")
