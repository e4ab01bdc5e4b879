"""Several pieces of work at once, each in its own process: one that fails or is killed stops no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from lethe.command.harness import outcome_of, place_of
from lethe.command.limits import memory_limit_hit
from lethe.command.supervise import die_with_parent, offer_to_the_memory_limit
from lethe.errors import Outcome, Unavailable

Task = TypeVar("Task")
Json = dict[str, Any]
_FORK = multiprocessing.get_context("fork")
OUT_OF_MEMORY = "out-of-memory"
NO_SPACE = "output-full"
_WORKER_SCORE = 1000


@dataclass(frozen=True, slots=True)
class Failed:
    """Why one piece of work came to nothing."""

    code: str
    sentence: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return code, sentence and remedy."""
        return asdict(self)


@dataclass(slots=True)
class _Worker:
    number: int
    process: multiprocessing.process.BaseProcess
    answer: Connection


def each(tasks: Sequence[Task], work: Callable[[Task], Json], workers: int) -> list[Json | Failed]:
    """Do `work` on every task, at most `workers` at once; return the results in the order of the tasks.

    A task whose process was killed for its memory is tried once more alone, when all others have ended.

    Parameters
    ----------
    tasks : sequence
        What to work on.
    work : callable
        Returns a plain dictionary. Runs in a forked process: what it changes in memory is lost.
    workers : int
        Processes at once.

    Raises
    ------
    Unavailable
        The disk of the output is full: no task can end well.
    """
    found = _each(list(enumerate(tasks)), work, workers)
    hungry = [number for number, result in found.items() if _starved(result)]
    if hungry and workers > 1:
        found |= _each([(number, tasks[number]) for number in hungry], work, 1)
    return [found[number] for number in range(len(tasks))]


def _starved(result: Json | Failed) -> bool:
    return isinstance(result, Failed) and result.code == OUT_OF_MEMORY


def _each(
    tasks: Sequence[tuple[int, Task]], work: Callable[[Task], Json], workers: int
) -> dict[int, Json | Failed]:
    todo = deque(tasks)
    running: list[_Worker] = []
    found: dict[int, Json | Failed] = {}
    try:
        while todo or running:
            while todo and len(running) < workers:
                number, task = todo.popleft()
                running.append(_start(number, task, work))
            ready = wait([worker.answer for worker in running])
            for worker in [one for one in running if one.answer in ready]:
                found[worker.number] = _result(worker)
                running.remove(worker)
    finally:
        for worker in running:
            worker.process.kill()
            worker.process.join()
    return found


def _start(number: int, task: Task, work: Callable[[Task], Json]) -> _Worker:
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_child, args=(theirs, task, work))
    process.start()
    theirs.close()
    return _Worker(number, process, ours)


def _result(worker: _Worker) -> Json | Failed:
    """Take the answer of a process that has one or that has ended without."""
    try:
        kind, content = worker.answer.recv()
    except EOFError:
        kind, content = "killed", {}
    worker.process.join()
    worker.answer.close()
    if kind == "result":
        return dict(content)
    if kind == "failed":
        failure = Failed(**content)
        if failure.code == NO_SPACE:
            raise Unavailable(failure.code, failure.sentence, remedy=failure.remedy)
        return failure
    code = worker.process.exitcode or 0
    if code == -signal.SIGKILL and memory_limit_hit():
        return Failed(OUT_OF_MEMORY, "The memory limit was reached.", "Raise limit-memory of the command.")
    return Failed("killed", f"The work was killed by signal {-code}.", "Launch it again.")


def _child(answer: Connection, task: Task, work: Callable[[Task], Json]) -> None:
    die_with_parent()
    offer_to_the_memory_limit(_WORKER_SCORE)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    answer.send(_done(task, work))
    answer.close()
    os._exit(0)  # what the parent registered for its own end is not ours


def _done(task: Task, work: Callable[[Task], Json]) -> tuple[str, Json]:
    try:
        return "result", work(task)
    except Outcome as outcome:
        return "failed", outcome.as_dict()
    except Exception as error:  # noqa: BLE001 - the top of this process; only kind and place are told
        meant = outcome_of(error)
        if meant is not None:
            return "failed", meant.as_dict()
        sentence = f"An error of the program, {place_of(error)}."
        return "failed", {"code": "program-error", "sentence": sentence, "remedy": "Report the line."}
