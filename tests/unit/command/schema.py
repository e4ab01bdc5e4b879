"""The contract's form of a command definition (Container Service 3.x), as strict models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

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
    matcher: Said
    required: Literal[True]
    load_children: Literal[True]


class Derived(Part):
    name: Name
    label: Said
    description: Said
    type: Literal["Resource"]
    derived_from_wrapper_input: Name
    matcher: Said
    required: Literal[True]
    provides_files_for_command_mount: Name
    user_settable: Literal[False]


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
        Literal["xnat:imageScanData", "xnat:imageSessionData", "xnat:subjectData", "xnat:projectData"]
    ]
    external_inputs: Annotated[list[External], Field(min_length=1, max_length=1)]
    derived_inputs: Annotated[list[Derived], Field(min_length=1)]
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
