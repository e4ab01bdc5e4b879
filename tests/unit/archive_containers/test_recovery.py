"""What a server finds at its start after it was killed at a chosen moment."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from lethe.archive import containers
from lethe.archive.containers import outputs, runs, staging
from lethe.archive.containers.execution import MOST_ATTEMPTS
from lethe.archive.containers.resolve import resolve
from lethe.archive.containers.runs import Change

from .conftest import Site, smoke


@pytest.fixture
def prepared(make_site: Callable[[], Site]) -> Any:
    """An archive that is not yet serving, with one run in its queue."""
    site = make_site()
    _, wrapper = site.register(smoke())
    yield site, site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})
    containers.stop(site.ctx)
    site.ctx.store.close()


def put_in_state(site: Site, workflow: int, state: str, **columns: Any) -> runs.Run:
    """Make the run look as a killed server left it, with a file in its output folder."""
    run = site.run_of(workflow)
    command, wrapper = run.parsed()
    from lethe.archive import accounts
    from lethe.archive.containers.objects import loader

    user = accounts.find_user(site.ctx, run.login)
    assert user is not None
    plan = resolve(command, wrapper, run.parameters, loader(site.ctx, user))
    staging.prepare(site.ctx, run, plan, None)
    (staging.attempt_folder(site.ctx, run) / "mounts" / "o" / "partial.txt").write_text("partial")
    step = Change("Running" if state == runs.RUNNING else "Finalizing")
    document = json.dumps(plan.document())
    runs.change(
        site.ctx, run.id, step, state=state, backend="process", handle="gone", plan=document, **columns
    )
    return runs.get(site.ctx, run.id)


def test_an_interrupted_process_starts_again_from_an_empty_output_folder(prepared: tuple[Site, int]) -> None:
    site, workflow = prepared
    put_in_state(site, workflow, runs.RUNNING)
    containers.start(site.ctx)
    assert site.wait(workflow) == "Complete"
    assert site.files("OUT") == {"b.txt": b"hello"}
    assert site.run_of(workflow).attempt == 2


def test_a_run_that_had_ended_well_is_only_stored(prepared: tuple[Site, int]) -> None:
    site, workflow = prepared
    put_in_state(site, workflow, runs.FINALIZING, exit_code=0)
    containers.start(site.ctx)
    assert site.wait(workflow) == "Complete"
    assert site.files("OUT") == {"partial.txt": b"partial"}
    assert site.run_of(workflow).attempt == 1


def test_a_run_that_brings_the_server_down_each_time_is_given_up(prepared: tuple[Site, int]) -> None:
    site, workflow = prepared
    put_in_state(site, workflow, runs.RUNNING, attempt=MOST_ATTEMPTS)
    containers.start(site.ctx)
    assert site.wait(workflow) == "Failed"
    assert "interrupted 3 times" in site.message(workflow)
    assert site.files("OUT") == {}


def test_a_kill_that_was_asked_before_the_crash_still_counts(prepared: tuple[Site, int]) -> None:
    site, workflow = prepared
    put_in_state(site, workflow, runs.RUNNING, killed_by="member")
    containers.start(site.ctx)
    assert site.wait(workflow) == "Killed"


def test_what_ended_but_was_not_tidied_is_tidied(prepared: tuple[Site, int]) -> None:
    site, workflow = prepared
    run = put_in_state(site, workflow, runs.RUNNING)
    runs.end(site.ctx, run.id, Change(runs.COMPLETE))
    stray = site.ctx.root / "build" / "lethe-0000000000000000"
    stray.mkdir()
    containers.start(site.ctx)
    containers.stop(site.ctx)
    assert [entry.name for entry in staging.build_folder(site.ctx, run).iterdir()] == ["logs"]
    assert not stray.exists()


def test_a_polite_stop_leaves_the_run_for_the_next_start(make_site: Callable[[], Site]) -> None:
    site = make_site()
    containers.start(site.ctx)
    _, wrapper = site.register(smoke("sleep 20; touch /output/x"))
    workflow = site.launch(wrapper, {"session": f"/archive/experiments/{site.session}"})
    while site.history(workflow)[-1] != "Running":
        pass
    containers.stop(site.ctx)
    assert site.run_of(workflow).state == runs.RUNNING
    site.ctx.store.close()


def test_a_database_that_cannot_be_written_for_a_moment_loses_no_output(
    prepared: tuple[Site, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, workflow = prepared
    upload, failures = outputs.upload, [sqlite3.OperationalError("disk full")]

    def once(*arguments: Any) -> Any:
        if failures:
            # the end cannot be written either, as on a full disk
            monkeypatch.setattr(runs, "end", refuse)
            raise failures.pop()
        return upload(*arguments)

    end = runs.end

    def refuse(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(runs, "end", end)
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(outputs, "upload", once)
    containers.start(site.ctx)
    assert site.wait(workflow) == "Complete"
    assert site.files("OUT") == {"b.txt": b"hello"}
