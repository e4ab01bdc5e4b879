"""``lethe-command NAME --input DIR --output DIR``: arguments in, exit code out."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import lethe
from lethe.command.harness import execute, report
from lethe.command.limits import limit_threads, processors
from lethe.command.model import Command
from lethe.command.outputs import clear
from lethe.command.progress import Progress
from lethe.command.supervise import supervise

NAMES = (
    "check-quality",
    "clean-header",
    "deface",
    "dicom-to-nifti",
    "nifti-to-dicom",
    "prepare-session",
    "scramble-clinical",
)


def command_named(name: str) -> Command:
    """Return a command; its module imports the room that does the work only when it runs."""
    found: Command = importlib.import_module(f"lethe.command.{name.replace('-', '_')}").COMMAND
    return found


def parser_of(command: Command) -> argparse.ArgumentParser:
    """Return the argument parser of one command."""
    parser = argparse.ArgumentParser(
        prog=f"lethe-command {command.name}", description=command.summary, allow_abbrev=False
    )
    parser.add_argument("--input", type=Path, metavar="DIR", help=command.needs)
    for mount in command.mounts:
        parser.add_argument(f"--{mount.name}", type=Path, metavar="DIR", help=mount.needs)
    parser.add_argument("--output", type=Path, metavar="DIR", help="an empty folder; filled when all is done")
    for option in command.options:
        parser.add_argument(
            f"--{option.name}", choices=option.values, default=option.default, help=option.description
        )
    parser.add_argument("--self-test", action="store_true", help="check that all the work needs is installed")
    return parser


def run(argv: Sequence[str]) -> int:
    """Run one command; return the exit code.

    Parameters
    ----------
    argv : sequence of str
        Name of the command and its options.
    """
    outer = argparse.ArgumentParser(
        prog="lethe-command", description="Work of one container.", allow_abbrev=False
    )
    outer.add_argument("--version", action="version", version=lethe.__version__)
    outer.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    outer.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="--help tells the options")
    chosen = outer.parse_args(argv)
    command = command_named(chosen.name)
    parser = parser_of(command)
    arguments = parser.parse_args(chosen.rest)
    if arguments.self_test:
        return supervise(lambda out, err: _self_test(command, out, err), lambda: None)
    folders = ("input", *(mount.name for mount in command.mounts), "output")
    if any(getattr(arguments, name) is None for name in folders):
        parser.error(f"{', '.join(f'--{name}' for name in folders)} are required")
    return supervise(lambda out, err: _perform(command, arguments, out, err), lambda: clear(arguments.output))


def _perform(command: Command, arguments: argparse.Namespace, out: TextIO, err: TextIO) -> int:
    _prepare()
    source, output = arguments.input.absolute(), arguments.output.absolute()
    mounts = {mount.name: getattr(arguments, mount.name).absolute() for mount in command.mounts}
    options = {option.name: getattr(arguments, option.name.replace("-", "_")) for option in command.options}
    say = Progress(out, time.monotonic)
    chosen = "".join(f", {name} {value}" for name, value in options.items())
    say(f"{command.name}, lethe {lethe.__version__}{chosen}")
    return report(
        lambda: execute(command, source, output, options, say=say, environment=os.environ, mounts=mounts),
        say,
        err,
    )


def _self_test(command: Command, out: TextIO, err: TextIO) -> int:
    _prepare()
    say = Progress(out, time.monotonic)
    say(f"{command.name}, lethe {lethe.__version__}, Python {sys.version.split()[0]}: self-test")
    code = report(command.self_test, say, err)
    if code == 0:
        say("self-test passed")
    return code


def _prepare() -> None:
    """Silence what libraries say on their own: a warning may quote a patient's data."""
    limit_threads(os.environ, processors())
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
