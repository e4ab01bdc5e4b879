"""First users, events, and the command line of the archive."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from lethe.archive import accounts, serve
from lethe.archive.context import open_context
from lethe.cli.archive import app
from lethe.errors import Misconfigured


@pytest.fixture
def empty(root):
    context = open_context(root)
    yield context
    context.store.close()


@pytest.mark.requirement("E-15")
def test_the_first_password_is_generated_once_and_kept_as_a_hash(empty):
    password = serve.first_users(empty, None, None)
    assert len(password) >= 16
    assert accounts.check_password(empty, "admin", password).is_admin
    assert accounts.check_password(empty, "admin", "admin") is None
    stored = empty.store.read().execute("SELECT password FROM user").fetchone()["password"]
    assert stored.startswith("scrypt$")
    assert password not in stored
    assert serve.first_users(empty, None, None) is None


def test_the_first_password_may_come_from_a_private_file(empty, tmp_path):
    path = tmp_path / "password"
    path.write_text("long and secret\nrest\n")
    path.chmod(0o644)
    with pytest.raises(Misconfigured):
        serve.first_users(empty, None, path)
    path.chmod(0o600)
    assert serve.first_users(empty, None, path) is None
    assert accounts.check_password(empty, "admin", "long and secret") is not None


def test_users_files_may_be_yaml_and_never_change_known_users(empty, tmp_path):
    path = tmp_path / "users.yaml"
    path.write_text("ann: {password: one, admin: true}\nben: {password: two, email: b@example.org}\n")
    serve.first_users(empty, path, None)
    path.write_text("ann: {password: other}\n")
    serve.first_users(empty, path, None)
    assert accounts.check_password(empty, "ann", "one").is_admin
    assert not accounts.find_user(empty, "b@example.org").is_admin


@pytest.mark.parametrize("text", ["[1]", "ann: x", "ann: {}", "{", "ann: {password: }"])
def test_a_users_file_of_another_shape_is_refused(tmp_path, text):
    path = tmp_path / "users.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured):
        serve.read_users(path)


def test_an_unknown_backend_is_refused(tmp_path):
    with pytest.raises(Misconfigured):
        serve.serve(serve.Options(root=tmp_path, backend="magic"), say=print)


def test_stats_and_check_print_tables_and_json(ctx, client, project):
    client("PUT", f"/data/projects/{project}/resources/R/files/a?inbody=true", "olga", content=b"abc")
    run = CliRunner().invoke
    counts = json.loads(run(app, ["stats", "--root", str(ctx.root), "--output", "json"]).stdout)
    assert (counts["projects"], counts["scans"], counts["files"], counts["bytes"]) == (1, 1, 1, 3)
    assert "files" in run(app, ["stats", "--root", str(ctx.root)]).stdout
    assert "no difference" in run(app, ["check", "--root", str(ctx.root)]).stdout
    next(ctx.root.glob("archive/*/resources/R/a")).unlink()
    failed = run(app, ["check", "--root", str(ctx.root), "--output", "json"])
    assert json.loads(failed.stdout)[0]["kind"] == "missing"
    assert failed.exit_code != 0


def test_changes_are_told_after_they_are_committed(ctx, client, project):
    told = []
    ctx.events.subscribe(told.append)
    base = f"/data/projects/{project}/subjects/S7"
    client("PUT", base, "olga")
    client("PUT", base + "/experiments/E7?xsiType=xnat:mrSessionData", "olga")
    client("PUT", base + "/experiments/E7/scans/1?xsiType=xnat:mrScanData", "olga")
    client("PUT", base + "/experiments/E7/resources/R/files/a?inbody=true", "olga", content=b"a")
    client("PUT", base + "/experiments/E7/resources/EMPTY", "olga")
    client("PUT", base + "/experiments/E7/resources/EMPTY/files/a?inbody=true", "olga", content=b"a")
    client("PUT", base + "/experiments/E7?xsiType=xnat:mrSessionData&label=E1", "olga")
    client("DELETE", base + "/experiments/E7", "olga")
    assert [(event.kind, event.status) for event in told] == [
        ("SubjectEvent", "CREATED"),
        ("SessionEvent", "CREATED"),
        ("ScanEvent", "CREATED"),
        ("ResourceEvent", "CREATED"),
        ("ResourceEvent", "CREATED"),
        ("ResourceEvent", "UPDATED"),
        ("SessionEvent", "DELETED"),
        ("ScanEvent", "DELETED"),
    ]
