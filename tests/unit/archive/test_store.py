"""Transactions and files: nothing acknowledged is lost, nothing unacknowledged stays."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from lethe.archive import changes, check, content, items
from lethe.archive.context import open_context
from lethe.archive.problem import Problem
from lethe.errors import Misconfigured, Unavailable


def make(ctx, label="R"):
    items.create_project(ctx, "P", login="olga")
    subject, _ = items.ensure_subject(ctx, "P", "S1", login="olga")
    session, _ = items.ensure_experiment(ctx, "P", subject, "E1", "xnat:mrSessionData", login="olga")
    resource, _ = content.ensure_resource(ctx, session, label, login="olga")
    return session, resource


def test_files_lie_where_the_readme_says(ctx):
    _, resource = make(ctx)
    content.add_file(ctx, resource, "a/b.txt", io.BytesIO(b"x"), login="olga")
    assert (ctx.root / "archive/P/arc001/E1/RESOURCES/R/a/b.txt").read_bytes() == b"x"


@pytest.mark.requirement("E-66")
def test_32_parallel_uploads_into_one_new_resource_lose_nothing(ctx):
    session, _ = make(ctx)

    def upload(number):
        resource, _ = content.ensure_resource(ctx, session, "MANY", login="olga")
        for k in range(5):
            assert content.add_file(ctx, resource, f"{number}/{k}", io.BytesIO(b"%d" % k), login="olga")

    threads = [threading.Thread(target=upload, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    resource = content.find_resource(ctx, session, "MANY")
    assert content.statistics(ctx, resource) == (160, 160)
    assert check.check(ctx) == []


def test_an_exception_rolls_back_rows_and_files(ctx):
    _, resource = make(ctx)

    def fail():
        with ctx.store.write():
            content.add_file(ctx, resource, "a", io.BytesIO(b"x"), login="olga")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert content.list_files(ctx, resource) == []
    assert check.check(ctx) == []


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(ctx):
    _, resource = make(ctx)
    folder = content.resource_folder(ctx, resource)
    assert content.add_file(ctx, resource, "a", io.BytesIO(b"one"), login="olga")
    assert not content.add_file(ctx, resource, "a", io.BytesIO(b"two"), login="olga")
    assert (folder / "a").read_bytes() == b"one"
    assert content.add_file(ctx, resource, "a", io.BytesIO(b"two!"), login="olga", overwrite=True)
    assert (folder / "a").read_bytes() == b"two!"
    assert content.list_files(ctx, resource)[0].size == 4
    assert list((ctx.root / "tmp").iterdir()) == []


def test_a_name_is_either_a_file_or_a_folder(ctx):
    _, resource = make(ctx)
    content.add_file(ctx, resource, "a/b", io.BytesIO(b"x"), login="olga")
    for path in ("a", "a/b/c"):
        with pytest.raises(Problem):
            content.add_file(ctx, resource, path, io.BytesIO(b"x"), login="olga")
    assert check.check(ctx) == []


def test_a_stray_folder_in_the_way_is_put_aside(ctx):
    _, resource = make(ctx)
    folder = content.resource_folder(ctx, resource)
    (folder / "a").mkdir(parents=True)
    (folder / "b").write_text("stray")
    content.add_file(ctx, resource, "a", io.BytesIO(b"x"), login="olga")
    content.add_file(ctx, resource, "b/c", io.BytesIO(b"y"), login="olga")
    assert check.check(ctx) == []


def test_a_crash_between_commit_and_move_is_finished_at_the_next_start(ctx, monkeypatch):
    _, resource = make(ctx)
    content.add_file(ctx, resource, "old", io.BytesIO(b"old"), login="olga")
    entry = content.find_file(ctx, resource, "old")
    monkeypatch.setattr(ctx.store, "_settle", list)
    content.add_file(ctx, resource, "new", io.BytesIO(b"new"), login="olga")
    content.add_file(ctx, resource, "old", io.BytesIO(b"OLD!"), login="olga", overwrite=True)
    content.add_file(ctx, resource, "gone", io.BytesIO(b"x"), login="olga")
    content.delete_files(ctx, resource, [content.find_file(ctx, resource, "gone")])
    assert {one.kind for one in check.check(ctx)} >= {"unfinished", "missing"}
    ctx.store.close()
    (ctx.root / "tmp" / "leftover").write_text("x")
    again = open_context(ctx.root)
    assert check.check(again) == []
    assert (content.resource_folder(again, resource) / "old").read_bytes() == b"OLD!"
    assert content.find_file(again, resource, "old").pk == entry.pk
    assert list((ctx.root / "tmp").iterdir()) == []
    again.store.close()


def test_a_label_changes_the_folder_too(ctx):
    session, resource = make(ctx)
    content.add_file(ctx, resource, "a", io.BytesIO(b"x"), login="olga")
    changes.rename(ctx, session, "E2", login="olga")
    assert (ctx.root / "archive/P/arc001/E2/RESOURCES/R/a").exists()
    assert not (ctx.root / "archive/P/arc001/E1").exists()
    assert check.check(ctx) == []


def test_deleting_a_project_removes_its_files_and_retires_its_id(ctx):
    _, resource = make(ctx)
    content.add_file(ctx, resource, "a", io.BytesIO(b"x"), login="olga")
    changes.delete(ctx, items.find_project(ctx, "P"), login="olga")
    assert not (ctx.root / "archive/P").exists()
    assert check.check(ctx) == []
    with pytest.raises(Problem) as refused:
        items.create_project(ctx, "P", login="olga")
    assert refused.value.status == 403


def test_accession_ids_are_never_given_twice(ctx):
    session, _ = make(ctx)
    changes.delete(ctx, session, login="olga")
    subject = items.find_subject(ctx, "S1", "P")
    again, made = items.ensure_experiment(ctx, "P", subject, "E1", "xnat:mrSessionData", login="olga")
    assert made
    assert (session.id, again.id) == ("XNAT_E00001", "XNAT_E00002")


def test_check_names_every_kind_of_difference_without_labels(ctx):
    _, resource = make(ctx)
    for name in ("missing", "size", "digest"):
        content.add_file(ctx, resource, name, io.BytesIO(b"abc"), login="olga")
    folder = content.resource_folder(ctx, resource)
    (folder / "missing").unlink()
    (folder / "size").write_bytes(b"abcd")
    (folder / "digest").write_bytes(b"abd")
    (folder / "stray").write_bytes(b"")
    found = check.check(ctx)
    assert sorted(one.kind for one in found) == ["digest", "missing", "size", "stray"]
    assert not any(label in one.where for one in found for label in ("S1", "E1"))


def test_files_outside_of_the_root_and_outside_of_a_transaction_are_refused(ctx, tmp_path):
    with pytest.raises(Misconfigured):
        ctx.store.put(ctx.store.temporary(), ctx.root / "archive" / "x")
    with ctx.store.write(), pytest.raises(Misconfigured):
        ctx.store.put(ctx.store.temporary(), ctx.root / "archive" / ".." / ".." / "x")


def test_one_server_per_root(ctx):
    with pytest.raises(Unavailable):
        open_context(ctx.root)
    open_context(ctx.root, exclusive=False).store.close()


_CHURN = """
import io, sys
from pathlib import Path
from lethe.archive import changes, content, items
from lethe.archive.context import open_context
ctx = open_context(Path(sys.argv[1]))
session = items.find_experiment(ctx, "E1", "P")
print("ready", flush=True)
number = 0
while True:
    resource, _ = content.ensure_resource(ctx, session, f"R{number % 3}", login="olga")
    data = io.BytesIO(b"%d" % number * 50)
    content.add_file(ctx, resource, f"{number % 7}/f", data, login="olga", overwrite=True)
    print(number, flush=True)
    if number % 5 == 4:
        content.delete_resource(ctx, resource)
    if number % 11 == 10:
        session = changes.rename(ctx, session, "E1" if session.label != "E1" else "E2", login="olga")
    number += 1
"""


def test_kill_9_at_random_moments_leaves_a_clean_archive(root):
    chance = random.Random(5)
    context = open_context(root)
    make(context)
    context.store.close()
    for _ in range(4):
        context = open_context(root)
        session = items.one(context, "kind = 'experiment'")
        if session.label != "E1":
            changes.rename(context, session, "E1", login="olga")
        context.store.close()
        child = subprocess.Popen([sys.executable, "-c", _CHURN, str(root)], stdout=subprocess.PIPE)
        with child.stdout:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.01, 0.15))
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        context = open_context(root)
        assert check.check(context) == []
        context.store.close()
