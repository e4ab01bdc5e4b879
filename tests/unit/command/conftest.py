"""A folder with two mounts, and commands made for the test."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lethe.command.harness import execute, report
from lethe.command.model import Command, Done, Job, Output
from lethe.command.progress import Progress


@dataclass
class Bench:
    """Two mounts and what a run wrote to the log."""

    source: Path
    output: Path
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)

    def run(
        self,
        command: Command,
        *,
        clock: Callable[[], float] = lambda: 0.0,
        mounts: Mapping[str, Path] | None = None,
        **options: str,
    ) -> int:
        say = Progress(self.out, clock)
        chosen = {option.name: option.default for option in command.options} | options
        return report(
            lambda: execute(
                command, self.source, self.output, chosen, say=say, environment={}, mounts=mounts
            ),
            say,
            self.err,
        )

    def written(self) -> list[str]:
        return sorted(
            path.relative_to(self.output).as_posix() for path in self.output.rglob("*") if path.is_file()
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    output.mkdir()
    return Bench(source, output)


def command_doing(work: Callable[[Job], Done]) -> Command:
    """Return a command with two outputs whose work is `work`."""
    return Command(
        name="trial",
        summary="A trial.",
        needs="anything",
        outputs=(Output("first", "the result"), Output("second", "the record")),
        provenance_in="second",
        work=work,
        self_test=lambda: None,
        rooms=(),
    )
