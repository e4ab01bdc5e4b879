"""The contract's form of a command definition (Container Service 3.x), as strict models."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Said = Annotated[str, StringConstraints(min_length=3)]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z_]*$")]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=_dashed)


class Mount(Part):
    name: Name
    writable: bool
    path: Annotated[str, StringConstraints(pattern=r"^/[a-z]+$")]


class Input(Part):
    name: Name
    label: Said
    description: Said
    type: Literal["string", "boolean", "number", "select-one", "select-many"]
    required: bool
    default_value: Said
    replacement_key: Annotated[str, StringConstraints(pattern=r"^#[a-z-]+#$")]
    select_values: list[str]
    sensitive: Literal[False]


class Output(Part):
    name: Name
    description: Said
    required: bool
    mount: Literal["output"]
    path: Name


class External(Part):
    name: Name
    label: Said
    description: Said
    type: Literal["Scan", "Session", "Subject", "Project"]
    matcher: str
    required: Literal[True]
    load_children: Literal[True]
    provides_files_for_command_mount: Name | None = None


class Derived(Part):
    name: Name
    label: Said
    description: Said
    type: Literal["Resource", "Scan", "Session"]
    derived_from_wrapper_input: Name
    matcher: str
    required: Literal[True]
    provides_files_for_command_mount: Name | None = None
    user_settable: bool

    @model_validator(mode="after")
    def only_a_choice_is_asked_for(self) -> Self:
        """A resource follows from what was chosen; a scan or session is what a user may choose."""
        assert self.user_settable == (self.type != "Resource")
        assert self.matcher or self.type == "Session"
        return self


class Handler(Part):
    name: Name
    type: Literal["Resource"]
    accepts_command_output: Name
    as_a_child_of: Name
    label: Label
    format: Said
    content: Label
    tags: list[str]
    description: Said


class Wrapper(Part):
    name: Name
    label: Said
    description: Said
    contexts: list[
        Literal[
            "xnat:imageScanData",
            "xnat:ctScanData",
            "xnat:mrScanData",
            "xnat:imageSessionData",
            "xnat:subjectData",
            "xnat:projectData",
        ]
    ]
    external_inputs: Annotated[list[External], Field(min_length=1, max_length=1)]
    derived_inputs: list[Derived]
    output_handlers: Annotated[list[Handler], Field(min_length=1)]


class Definition(Part):
    name: Name
    label: Said
    description: Said
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
    schema_version: Literal["1.0"]
    type: Literal["docker"]
    image: Annotated[str, StringConstraints(pattern=r"^lethe/[a-z-]+:\d+\.\d+\.\d+$")]
    index: str
    hash: str
    info_url: str
    working_directory: str
    override_entrypoint: Literal[True]
    command_line: Said
    reserve_memory: Annotated[int, Field(ge=64, le=16384)]
    limit_memory: Annotated[int, Field(ge=64, le=16384)]
    limit_cpu: Annotated[float, Field(gt=0, le=8)]
    mounts: list[Mount]
    environment_variables: dict[str, str]
    ports: dict[str, str]
    inputs: list[Input]
    outputs: Annotated[list[Output], Field(min_length=1)]
    xnat: Annotated[list[Wrapper], Field(min_length=1)]
    visibility: Literal["public"]
    container_labels: dict[str, str]
