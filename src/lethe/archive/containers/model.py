"""The command definition of XNAT's Container Service: parsed once, valid from birth.

Source: documentation of the Container Service, ``command.json`` of schema version 1.0; the field names
below are the ones on the wire, so `parse_command` and `Command.document` are each other's inverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DOCKER, SETUP, WRAPUP = "docker", "docker-setup", "docker-wrapup"
COMMAND_TYPES = (DOCKER, SETUP, WRAPUP)
VALUE_TYPES = ("string", "boolean", "number", "select-one", "select-many")
OBJECT_TYPES = (
    "Project",
    "Subject",
    "Session",
    "Scan",
    "Assessor",
    "Resource",
    "ProjectAsset",
    "SubjectAssessor",
)
OTHER_TYPES = ("Config", "File", "File[]", "Directory")
HANDLER_TYPES = ("Resource", "Assessor", "Scan")
DELIMITERS = {"quoted-space": "quoted-space", "space": "space", "comma": "comma", "flag": "flag"}


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the container that is filled from outside or collected afterwards."""

    name: str
    path: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class CommandInput:
    """A value that takes the place of its key in the command line."""

    name: str
    label: str = ""
    description: str = ""
    type: str = "string"
    required: bool = False
    default: str | None = None
    replacement_key: str = ""
    flag: str = ""
    separator: str = " "
    true_value: str | None = None
    false_value: str | None = None
    sensitive: bool = False
    select_values: tuple[str, ...] = ()
    delimiter: str = "quoted-space"
    matcher: str = ""

    @property
    def key(self) -> str:
        """The text that is replaced: as declared, else ``#name#``."""
        return self.replacement_key or f"#{self.name}#"


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """Files that a run leaves below one writable mount."""

    name: str
    mount: str
    description: str = ""
    required: bool = False
    path: str = ""
    glob: str = ""


@dataclass(frozen=True, slots=True)
class WrapperInput:
    """A value or an object of the archive that a wrapper takes from the caller or from another input.

    `source` is empty for an external input, else the name of the input it is derived from; `prop` is the
    property of that object which is its value.
    """

    name: str
    type: str
    label: str = ""
    description: str = ""
    source: str = ""
    prop: str = ""
    matcher: str = ""
    default: str | None = None
    required: bool = True
    multiple: bool = False
    load_children: bool = True
    user_settable: bool = True
    sensitive: bool = False
    replacement_key: str = ""
    command_input: str = ""
    command_mount: str = ""
    setup_command: str = ""

    @property
    def is_object(self) -> bool:
        """Whether the value is an object of the archive."""
        return self.type in OBJECT_TYPES

    @property
    def key(self) -> str:
        """The text that is replaced: as declared, else ``#name#``."""
        return self.replacement_key or f"#{self.name}#"


@dataclass(frozen=True, slots=True)
class OutputHandler:
    """Where the files of one command output go."""

    name: str
    output: str
    parent: str
    type: str = "Resource"
    label: str = ""
    format: str = ""
    content: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    xsi_type: str = ""
    wrapup_command: str = ""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How a command is offered on one kind of object."""

    name: str
    label: str = ""
    description: str = ""
    contexts: tuple[str, ...] = ()
    external: tuple[WrapperInput, ...] = ()
    derived: tuple[WrapperInput, ...] = ()
    handlers: tuple[OutputHandler, ...] = ()

    @property
    def root(self) -> WrapperInput | None:
        """The one external input that is an object; None for a site-wide command."""
        return next((item for item in self.external if item.is_object), None)

    @property
    def inputs(self) -> tuple[WrapperInput, ...]:
        """External, then derived inputs."""
        return self.external + self.derived


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use; None is no limit. Memory in MiB, processors as a decimal number."""

    reserve_memory_mib: float | None = None
    memory_mib: float | None = None
    cpus: float | None = None
    shm_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One program in one image, with its inputs, outputs and wrappers."""

    name: str
    image: str
    command_line: str
    type: str = DOCKER
    label: str = ""
    description: str = ""
    version: str = ""
    schema_version: str = "1.0"
    info_url: str = ""
    index: str = ""
    hash: str = ""
    working_directory: str = ""
    override_entrypoint: bool = False
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[CommandInput, ...] = ()
    outputs: tuple[CommandOutput, ...] = ()
    wrappers: tuple[Wrapper, ...] = ()
    visibility: str = ""
    container_labels: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()

    def wrapper(self, name: str) -> Wrapper | None:
        """Return the wrapper of that name."""
        return next((item for item in self.wrappers if item.name == name), None)

    def document(self) -> dict[str, Any]:
        """Return the definition as it stands on the wire, without ids."""
        from lethe.archive.containers.wire import command_document

        return command_document(self)
