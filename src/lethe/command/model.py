"""What a command is: its options, its output folders, its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lethe.command.progress import Progress

LANE_RULES = "LETHE_LANE_RULES"
"""Environment variable with the lane rules of the project, YAML or JSON; empty: the standard ones."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command: a closed list of values with a safe default.

    A closed list, because the Container Service hands the value through a shell.
    """

    name: str
    description: str
    values: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Output:
    """A sub-folder of the output mount that becomes one resource."""

    folder: str
    description: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Mount:
    """A further read-only input beside the input mount: option ``--NAME``, mounted at ``/NAME``."""

    name: str
    needs: str


@dataclass(frozen=True, slots=True)
class Job:
    """The one piece of work of a container.

    Attributes
    ----------
    input : Path
        The input mount; only ever read.
    staging : Path
        Folder under which the outputs are built; moved in place when all of them are whole.
    options : mapping of str to str
        Value of every option of the command.
    say : Progress
        Where lines for the person who watches the log go.
    mounts : mapping of str to Path
        The further inputs by name; only ever read.
    environment : mapping of str to str
        Where the image's digest is looked up.
    """

    input: Path
    staging: Path
    options: Mapping[str, str]
    say: Progress
    mounts: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Return the staged output folder `name`, made if it is not there."""
        path = self.staging / name
        path.mkdir(exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Done:
    """What the work came to.

    Attributes
    ----------
    verdict : str
        One word for provenance and log (``"pass"``, ``"header-only"``, ...).
    inputs : list of dict
        Entries of provenance: a name that holds no identifier, and a checksum.
    parameters : dict
        What shaped the result besides the options (thresholds, versions of scripts).
    """

    verdict: str
    inputs: list[dict[str, str]]
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the Container Service.

    Attributes
    ----------
    name : str
        Name on the command line and of the folder in ``xnat-containers``.
    summary : str
        One sentence.
    needs : str
        What the input mount holds.
    outputs : tuple of Output
        Sub-folders of the output mount.
    provenance_in : str
        The output folder that receives ``provenance.json``; put in place last.
    work : callable
        Does the work of a `Job` and returns what it came to.
    self_test : callable
        Proves that everything that the work needs is installed.
    rooms : tuple of str
        Modules whose outcomes can end the command; the failure table is read off them.
    options : tuple of Option
        Options beside ``--input`` and ``--output``.
    reasons : callable, optional
        Returns what the reasons of a verdict mean, by their short names.
    mounts : tuple of Mount
        Further inputs beside the input mount.
    parts : tuple of str
        Names of the commands whose work it does on parts of its input; their failures do not end it.
    """

    name: str
    summary: str
    needs: str
    outputs: tuple[Output, ...]
    provenance_in: str
    work: Callable[[Job], Done]
    self_test: Callable[[], None]
    rooms: tuple[str, ...]
    options: tuple[Option, ...] = ()
    reasons: Callable[[], Mapping[str, str]] | None = None
    mounts: tuple[Mount, ...] = ()
    parts: tuple[str, ...] = ()
