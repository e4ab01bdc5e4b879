"""The queue's scheduler: starts runs as processors are free, and picks up after a restart."""

from __future__ import annotations

import os
import sqlite3
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from lethe.archive.containers import runs, staging
from lethe.archive.containers.backends import ENGINES, RUN_LABEL, Backend, RunSpec, Signals
from lethe.archive.containers.backends.process import ProcessBackend
from lethe.archive.containers.execution import MOST_ATTEMPTS, Execution
from lethe.archive.containers.runs import Change, Run, failed
from lethe.archive.containers.settings import ServerSettings
from lethe.archive.context import Context
from lethe.errors import Outcome, Unavailable

if TYPE_CHECKING:
    from lethe.archive.containers.backends.engine import DockerBackend

_LOOK_SECONDS = 2.0
_STOP_SECONDS = 5.0


class Runner:
    """Runs what waits in the queue, several at once but never more than the machine has processors.

    Parameters
    ----------
    ctx : Context
        The archive; ``ctx.backend`` chooses ``auto`` (Docker where an engine answers and the image is
        there, else a child process), ``docker`` or ``process``.
    cpus : float
        Sum of the processor limits of the runs at one time; a run without a limit counts as one.
    """

    def __init__(self, ctx: Context, *, cpus: float | None = None) -> None:
        self._ctx = ctx
        self._cpus = cpus or float(os.cpu_count() or 1)
        self._process = ProcessBackend()
        self._docker: DockerBackend | None = None
        self._docker_key: tuple[object, ...] | None = None
        self._active: dict[int, tuple[threading.Thread, Signals, float]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._scheduler = threading.Thread(target=self._loop, name="lethe-containers", daemon=True)

    # ---- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Pick up what a former server left, then serve the queue in a thread of its own."""
        self._recover()
        self._scheduler.start()

    def stop(self) -> None:
        """Leave containers running, end child processes; both are picked up at the next start."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            active = list(self._active.values())
        for _, signals, _ in active:
            signals.detach.set()
        for thread in [self._scheduler, *(thread for thread, _, _ in active)]:
            if thread.is_alive():
                thread.join(_STOP_SECONDS)

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def kill(self, run: Run, login: str) -> None:
        """End a run for good, whether it waits or works."""
        runs.set_columns(self._ctx, run.id, killed_by=login)
        with self._lock:
            active = self._active.get(run.id)
            if active is not None:
                active[1].kill.set()
                return
            if runs.get(self._ctx, run.id).state == runs.WAITING:
                step = Change(runs.KILLED, f"The run was ended by {login}.", "user", login)
                runs.end(self._ctx, run.id, step)

    # ---- backends -------------------------------------------------------------------------------

    def docker(self) -> DockerBackend:
        """Return the Docker backend for the present settings."""
        # slow to import, rarely needed
        from lethe.archive.containers.backends.engine import DockerBackend
        from lethe.archive.containers.backends.swarm import SwarmBackend

        settings = ServerSettings(self._ctx)
        key = (settings.host, settings.translation, settings.swarm, settings.constraints)
        with self._lock:
            if self._docker is None or self._docker_key != key:
                plain = DockerBackend(*key[:2])
                self._docker = SwarmBackend(*key[:2], settings.constraints) if settings.swarm else plain
                self._docker_key = key
            return self._docker

    def choose(self, image: str) -> Backend:
        """Return the backend for an image."""
        if self._ctx.backend == "process":
            return self._process
        docker = self.docker()
        if self._ctx.backend == "docker" or (docker.answers() and docker.has_image(image)):
            return docker
        return self._process

    # ---- recovery -------------------------------------------------------------------------------

    def _recover(self) -> None:
        for run in runs.in_state(self._ctx, runs.RUNNING):
            if run.backend in ENGINES and run.handle and self._still_known(run):
                self._launch(run, self.docker(), "resume")
            else:
                self._again(run)
        for run in runs.in_state(self._ctx, runs.FINALIZING):
            self._finish(run)

    def _finish(self, run: Run) -> None:
        self._launch(run, self.docker() if run.backend in ENGINES else self._process, "finish")

    def _still_known(self, run: Run) -> bool:
        try:
            return self.docker().find(_shadow(self._ctx, run)) is not None
        except Unavailable:
            return True  # the engine is away: who waits for the container will see

    def _again(self, run: Run) -> None:
        """Put an interrupted run back: it will start from an empty output folder; but not for ever."""
        if run.backend in ENGINES:
            self.docker().remove(_shadow(self._ctx, run))
        if run.attempt >= MOST_ATTEMPTS:
            step = Change(runs.FAILED, f"The run was interrupted {run.attempt} times.")
            runs.end(self._ctx, run.id, step)
            staging.tidy(self._ctx, run)
            return
        step = Change("Queued", "The run was interrupted and starts again.")
        runs.change(
            self._ctx, run.id, step, state=runs.WAITING, attempt=run.attempt + 1, handle="", plan=None
        )

    # ---- scheduling -----------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Remove what a server left that was killed between the end of a run and its tidying."""
        for folder in (self._ctx.root / "build").glob("lethe-*"):
            run = runs.find(self._ctx, folder.name)
            if run is not None and run.ended:
                staging.tidy(self._ctx, run)
            elif run is None:
                staging.discard(folder)
        if self._ctx.backend != "process" and self.docker().answers():
            for name in self.docker().run_names():
                run = runs.find(self._ctx, name)
                if run is not None and run.ended:
                    self.docker().remove(_shadow(self._ctx, run))

    def _loop(self) -> None:
        try:
            self._sweep()
        except (OSError, sqlite3.OperationalError):
            self._ctx.logger.error("left-overs of ended runs could not be removed")
        while not self._stopping.is_set():
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()
            if not self._stopping.is_set():
                try:
                    self._fill()
                except sqlite3.OperationalError:
                    self._ctx.logger.error(
                        "the queue of commands could not be read; next try in %g s", _LOOK_SECONDS
                    )

    def _stranded(self, state: str) -> list[Run]:
        """Return the runs in a state that no thread works on: their end could not be written (full disk)."""
        with self._lock:
            active = set(self._active)
        # asked after that: what had ended in between is not in the state any more
        found = [run for run in runs.in_state(self._ctx, state) if run.id not in active]
        return [] if self._stopping.is_set() else found

    def _fill(self) -> None:
        for run in self._stranded(runs.FINALIZING):
            self._finish(run)
        for run in self._stranded(runs.RUNNING):
            self._again(run)
        for run in runs.in_state(self._ctx, runs.WAITING):
            share = self._share(run)
            with self._lock:
                used = sum(taken for _, _, taken in self._active.values())
            if self._active and used + share > self._cpus:
                return  # strictly in order, so that a large run is not overtaken for ever
            self._claim(run, share)

    def _share(self, run: Run) -> float:
        return min(run.parsed()[0].limits.cpus or 1.0, self._cpus)

    def _claim(self, run: Run, share: float) -> None:
        backend = self.choose(run.parsed()[0].image)
        with self._lock:
            if self._stopping.is_set() or runs.get(self._ctx, run.id).state != runs.WAITING:
                return
            step = Change("Staging")
            runs.change(self._ctx, run.id, step, state=runs.RUNNING, backend=backend.name)
        self._launch(runs.get(self._ctx, run.id), backend, "begin", share)

    def _launch(self, run: Run, backend: Backend, step: str, share: float | None = None) -> None:
        signals = Signals()
        execution = Execution(self._ctx, run, backend, signals)
        action: Callable[[], None] = getattr(execution, step)
        thread = threading.Thread(
            target=self._work, args=(run, action), name=f"lethe-run-{run.id}", daemon=True
        )
        with self._lock:
            self._active[run.id] = (thread, signals, self._share(run) if share is None else share)
            if runs.get(self._ctx, run.id).killed_by:
                signals.kill.set()
        thread.start()

    def _work(self, run: Run, action: Callable[[], None]) -> None:
        """Run the steps; whatever goes wrong ends this run and no other."""
        try:
            action()
        except sqlite3.OperationalError:
            self._ctx.logger.error("run %d: its state could not be written; it is tried again", run.id)
        except Outcome as outcome:
            runs.end(self._ctx, run.id, Change(runs.FAILED, outcome.sentence))
        except Exception as error:  # noqa: BLE001  the one place where a run's own errors end
            # the text of an error may quote a file or a value: only its kind and place are logged
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._ctx.logger.error(
                "run %d: %s in %s:%d", run.id, type(error).__name__, place.name, place.lineno
            )
            runs.end(
                self._ctx, run.id, Change(failed("Staging"), "The archive could not carry out this run.")
            )
        finally:
            with self._lock:
                self._active.pop(run.id, None)
            if not self._stopping.is_set():
                self._wake.set()


def _shadow(ctx: Context, run: Run) -> RunSpec:
    """Return enough of a specification to find or remove a container by its name."""
    folder = staging.attempt_folder(ctx, run)
    return RunSpec(
        f"{run.name}-{run.attempt}", "", "", {}, (), folder / "logs", folder / "scratch",
        labels={RUN_LABEL: run.name},
    )  # fmt: skip
