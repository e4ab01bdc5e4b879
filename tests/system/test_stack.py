"""The production stack: every profile is accepted; the embedded one comes up behind real nginx with TLS."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml
from requests.adapters import HTTPAdapter

from contract.helpers import dicom_zip
from kit.ports import free_port
from lethe.stack.settings import Site, prepare, read_env

ROOT = Path(__file__).resolve().parents[2]
DOCKER = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
PROFILES = ("embedded", "xnat", "ctp-server", "ctp-client")
# where no registry answers, this image of Debian's packages stands for both bases
LOCAL_BASE = "local/python:slim-bookworm"
HOST = "archive.lethe.test"

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=False, timeout=900)


def compose_program() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if docker("compose", "version").returncode == 0:
        return [DOCKER, "compose"]
    pytest.fail("docker-compose is missing; scripts/setup-system --test installs it")


def compose(env: Path, *words: str, project: str = "lethe-check") -> subprocess.CompletedProcess[str]:
    words = ("--project-directory", str(ROOT), "--env-file", str(env), "--project-name", project, *words)
    # the classic builder: Debian's engine has no other
    environment = {**os.environ, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    return subprocess.run(
        [*compose_program(), *words], env=environment, cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=1000,
    )  # fmt: skip


def prepared(folder: Path, **settings: object) -> Path:
    """Return the .env of a new site in `folder`, with `settings` changed."""
    shutil.copy(ROOT / ".env.example", folder)
    site = Site(HOST, 10001, 10001, folder / "data", folder / "backup", folder / "secrets")
    prepare(folder, site, self_signed=True)
    env = folder / ".env"
    text = env.read_text()
    for name, value in settings.items():
        text = re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text)
    env.write_text(text)
    return env


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("site"))


@pytest.mark.requirement("M-81", "A-13")
@pytest.mark.parametrize("profile", PROFILES)
def test_compose_accepts_the_file_with_the_example_settings(profile: str, example: Path) -> None:
    done = compose(example, "--profile", profile, "config")
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr


def test_every_service_is_confined_and_limited_and_no_secret_is_in_the_environment(example: Path) -> None:
    services = yaml.safe_load(compose(example, "--profile", "xnat", "config").stdout)["services"]
    folder = Path(read_env(example)["LETHE_SECRETS"])
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        mounts = [str(mount) for mount in service.get("volumes", [])]
        if name != "engine":  # the one that stands between XNAT and the engine's socket
            assert service["cap_drop"] == ["ALL"], name
            assert service["user"] == "10001:10001", name
            assert not any("docker.sock" in mount for mount in mounts), name
        for secret in folder.iterdir():
            assert secret.read_text().strip() not in json.dumps(service), (name, secret.name)
        assert ":latest" not in service.get("image", "")
    assert {name for name, service in services.items() if service.get("ports")} == {
        "door", "door-embedded", "ctp-client", "ctp-server"
    }  # fmt: skip


def test_every_setting_of_the_compose_file_is_explained_in_the_example() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert used == set(read_env(ROOT / ".env.example"))


@dataclass(frozen=True)
class Stack:
    """A running embedded stack."""

    env: Path
    http: int
    https: int
    certificate: Path
    password: str
    project: str

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.https}"

    def session(self) -> requests.Session:
        made = requests.Session()
        made.mount(f"https://{HOST}", _ToThisMachine())
        made.trust_env = False  # a certificate bundle in the environment would win over ours
        made.verify = str(self.certificate)
        made.auth = ("admin", self.password)
        return made


class _ToThisMachine(HTTPAdapter):
    """Reaches the stack under its own name without a name server."""

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace(HOST, "127.0.0.1")
        return super().send(request, *args, **kwargs)  # type: ignore[arg-type]

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, assert_hostname=HOST, server_hostname=HOST, **kwargs)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if docker("info").returncode != 0:
        pytest.skip("no Docker engine answers; the stack cannot come up")
    folder = tmp_path_factory.mktemp("stack")
    bases = dict.fromkeys(("PYTHON_IMAGE", "DEBIAN_IMAGE"), LOCAL_BASE)
    http, https = free_port(), free_port()
    ports = {"LETHE_BIND": "127.0.0.1", "LETHE_HTTP_PORT": http, "LETHE_HTTPS_PORT": https}
    here = bases if docker("image", "inspect", LOCAL_BASE).returncode == 0 else {}
    env = prepared(folder, **ports, **here, ARCHIVE_MEMORY="2g")
    secret = Path(read_env(env)["LETHE_SECRETS"])
    project = f"lethe{secrets.token_hex(4)}"
    built = compose(env, "--profile", "embedded", "build", project=project)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    try:
        up = compose(env, "--profile", "embedded", "up", "--detach", project=project)
        assert up.returncode == 0, up.stderr
        running = Stack(
            env,
            http,
            https,
            secret / "tls_certificate",
            (secret / "admin_password").read_text().strip(),
            project,
        )
        wait_for(running)
        yield running
    finally:
        compose(env, "--profile", "embedded", "down", "--volumes", project=project)


def wait_for(running: Stack) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            running.session().get(f"{running.url}/xapi/siteConfig/buildInfo", timeout=5).raise_for_status()
            return
        except requests.RequestException:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


@pytest.mark.docker
@pytest.mark.requirement("E-11", "E-12", "E-25", "A-43", "M-57")
def test_a_dicom_upload_through_https_arrives(stack: Stack) -> None:
    client = stack.session()
    assert client.put(f"{stack.url}/data/projects/STACK").status_code in (200, 201)
    sent = client.post(
            f"{stack.url}/data/services/import",
            params={"import-handler": "DICOM-zip", "project": "STACK", "subject": "A1B2",
                    "session": "A1B2_CT",
                    "dest": "/archive", "inbody": "true"},
            data=dicom_zip(n_series=2, n_inst=3), headers={"Content-Type": "application/zip"}, timeout=120,
        )  # fmt: skip
    assert sent.status_code == 200, sent.text
    files = client.get(
        f"{stack.url}/data/projects/STACK/experiments/A1B2_CT/scans/ALL/files?format=json"
    ).json()["ResultSet"]["Result"]
    assert sum(one["Name"].endswith(".dcm") for one in files) == 6


@pytest.mark.docker
@pytest.mark.requirement("E-11")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_http_redirects_and_old_tls_is_refused_and_the_headers_are_there(stack: Stack) -> None:
    plain = requests.get(
        f"http://127.0.0.1:{stack.http}/data/projects?x=1", allow_redirects=False, timeout=10
    )
    assert plain.status_code == 301
    assert plain.headers["Location"] == f"{stack.url}/data/projects?x=1"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", stack.https), timeout=10) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
        old.wrap_socket(raw, server_hostname=HOST),
    ):
        pass
    answer = stack.session().get(f"{stack.url}/", timeout=10)
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors" in answer.headers["Content-Security-Policy"]
    assert "/" not in answer.headers["Server"]  # no version
    cookie = stack.session().get(f"{stack.url}/data/JSESSION", timeout=10).headers["Set-Cookie"].lower()
    assert "secure" in cookie
    assert "httponly" in cookie


@pytest.mark.docker
@pytest.mark.requirement("E-12")
def test_a_client_that_does_not_trust_the_certificate_or_wants_another_name_is_not_served(
    stack: Stack,
) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://127.0.0.1:{stack.https}/", timeout=10)
    other = stack.session()
    other.mount("https://127.0.0.1", HTTPAdapter())
    with pytest.raises(requests.exceptions.SSLError):
        other.get(f"https://127.0.0.1:{stack.https}/", timeout=10)


@pytest.mark.docker
def test_data_outlive_the_containers_and_no_log_holds_a_label(stack: Stack) -> None:
    client = stack.session()
    client.put(f"{stack.url}/data/projects/KEPT").raise_for_status()
    client.put(f"{stack.url}/data/projects/KEPT/subjects/SECRETLABEL").raise_for_status()
    logs = compose(stack.env, "--profile", "embedded", "logs", "--no-color", project=stack.project)
    assert "archive" in logs.stdout
    assert "SECRETLABEL" not in logs.stdout
    down = compose(stack.env, "--profile", "embedded", "restart", project=stack.project)
    assert down.returncode == 0, down.stderr
    wait_for(stack)
    assert client.get(f"{stack.url}/data/projects/KEPT/subjects/SECRETLABEL?format=json").status_code == 200
