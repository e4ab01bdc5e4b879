"""From JSON to `Command`, with every mistake named in one answer."""

from __future__ import annotations

import posixpath
import re

from lethe.archive.containers import model
from lethe.archive.containers.matcher import check_matcher
from lethe.archive.containers.model import (
    Command,
    CommandInput,
    CommandOutput,
    Limits,
    Mount,
    OutputHandler,
    Wrapper,
    WrapperInput,
)
from lethe.archive.containers.reading import FieldReader, unique
from lethe.errors import Refused

_INPUT_TYPES = (*model.VALUE_TYPES, "file")
_WRAPPER_TYPES = model.VALUE_TYPES + model.OBJECT_TYPES + model.OTHER_TYPES
_RESERVED = ("XNAT_HOST", "XNAT_USER", "XNAT_PASS")
_PROPERTIES = {
    "Project": {"id", "label", "xsiType", "uri", "directory"},
    "Subject": {"id", "label", "xsiType", "uri", "project-id"},
    "Session": {"id", "label", "xsiType", "uri", "directory", "project-id", "subject-id"},
    "Scan": {"id", "label", "xsiType", "uri", "directory", "project-id", "scan-type", "integer-id"},
    "Assessor": {"id", "label", "xsiType", "uri", "directory", "project-id"},
    "SubjectAssessor": {"id", "label", "xsiType", "uri", "directory", "project-id"},
    "Resource": {"id", "label", "xsiType", "uri", "directory", "integer-id"},
    "ProjectAsset": {"id", "label", "xsiType", "uri", "directory", "project-id"},
    "File": {"name", "uri", "path"},
}
# what can be reached from what; the other way round only by the object's own parents
_CHILDREN = {
    "Project": {"Subject", "Session", "Resource", "ProjectAsset", "SubjectAssessor", "Config"},
    "Subject": {"Project", "Session", "Resource", "SubjectAssessor"},
    "Session": {"Project", "Subject", "Scan", "Assessor", "Resource"},
    "Scan": {"Session", "Project", "Resource"},
    "Assessor": {"Session", "Project", "Resource"},
    "SubjectAssessor": {"Subject", "Project", "Resource"},
    "ProjectAsset": {"Project", "Resource"},
    "Resource": {"File", "File[]", "Project", "Session", "Scan", "Subject"},
}


def parse_command(document: object, *, image: str = "") -> Command:
    """Read a command definition.

    Parameters
    ----------
    document : object
        Decoded JSON.
    image : str
        Used where the definition names none (``POST /commands?image=``).

    Raises
    ------
    Refused
        ``command-invalid``; the sentence lists every mistake.
    """
    mistakes: list[str] = []
    reader = FieldReader(document, "The command", mistakes)
    command = _command(reader, image)
    if not mistakes:
        _cross_check(command, reader)
    if mistakes:
        raise Refused(
            "command-invalid", " ".join(mistakes), remedy="Correct the definition and post it again."
        )
    return command


def parse_wrapper(document: object, command: Command) -> Wrapper:
    """Read one wrapper that is to be added to `command`."""
    mistakes: list[str] = []
    name = document.get("name") if isinstance(document, dict) else None
    reader = FieldReader(document, f"Wrapper '{name or '?'}'", mistakes)
    wrapper = _wrapper(reader)
    if not mistakes:
        _check_wrapper(wrapper, command, reader)
    if mistakes:
        raise Refused("command-invalid", " ".join(mistakes), remedy="Correct the wrapper and post it again.")
    return wrapper


def _command(reader: FieldReader, image: str) -> Command:
    kind = reader.choice("type", model.COMMAND_TYPES, model.DOCKER)
    limits = Limits(
        reserve_memory_mib=reader.number("reserve-memory"),
        memory_mib=reader.number("limit-memory"),
        cpus=reader.number("limit-cpu"),
        shm_bytes=int(reader.number("shm-size") or 0) or None,
    )
    command = Command(
        name=reader.required_text("name"),
        image=reader.text("image").strip() or image,
        command_line=reader.text("command-line"),
        type=kind,
        label=reader.text("label"),
        description=reader.text("description"),
        version=reader.text("version"),
        schema_version=reader.text("schema-version", "1.0"),
        info_url=reader.text("info-url"),
        index=reader.text("index"),
        hash=reader.text("hash"),
        working_directory=reader.text("working-directory"),
        override_entrypoint=reader.flag("override-entrypoint"),
        mounts=tuple(map(_mount, reader.objects("mounts", "mount"))),
        environment=reader.mapping("environment-variables"),
        ports=reader.mapping("ports"),
        inputs=tuple(map(_input, reader.objects("inputs", "input"))),
        outputs=tuple(map(_output, reader.objects("outputs", "output"))),
        wrappers=tuple(map(_wrapper, reader.objects("xnat", "wrapper"))),
        visibility=reader.text("visibility"),
        container_labels=reader.mapping("container-labels"),
        limits=limits,
    )
    _check_command(command, reader)
    return command


def _check_command(command: Command, reader: FieldReader) -> None:
    if not command.image:
        reader.wrong("'image' is missing or blank.")
    if not command.command_line.strip():
        reader.wrong("'command-line' is missing or blank.")
    for name in sorted(set(command.environment) & set(_RESERVED)):
        reader.wrong(f"the environment variable {name} is set by the archive and cannot be declared.")
    unique(reader, [item.name for item in command.mounts], "mount")
    unique(reader, [posixpath.normpath(item.path) for item in command.mounts], "mount path")
    unique(reader, [item.name for item in command.inputs], "input")
    unique(reader, [item.key for item in command.inputs], "replacement key")
    unique(reader, [item.name for item in command.outputs], "output")
    unique(reader, [item.name for item in command.wrappers], "wrapper")
    if command.type != model.DOCKER and (
        command.mounts or command.inputs or command.outputs or command.wrappers
    ):
        reader.wrong(
            f"a command of type {command.type} has no mounts, inputs, outputs or wrappers of its own."
        )


def _mount(reader: FieldReader) -> Mount:
    mount = Mount(reader.required_text("name"), reader.required_text("path"), reader.flag("writable"))
    if mount.path and (not mount.path.startswith("/") or posixpath.normpath(mount.path) == "/"):
        reader.wrong("'path' must be an absolute path below the root.")
    if re.search(r"[^\w./-]", mount.path) or ".." in mount.path.split("/"):
        reader.wrong("'path' may hold letters, digits and . _ - / only.")
    return mount


def _input(reader: FieldReader) -> CommandInput:
    item = CommandInput(
        name=reader.required_text("name"),
        label=reader.text("label"),
        description=reader.text("description"),
        type=reader.choice("type", _INPUT_TYPES, "string"),
        required=reader.flag("required"),
        default=reader.optional_text("default-value"),
        replacement_key=reader.text("replacement-key"),
        flag=reader.text("command-line-flag"),
        separator=reader.text("command-line-separator", " "),
        true_value=reader.optional_text("true-value"),
        false_value=reader.optional_text("false-value"),
        sensitive=reader.flag("sensitive"),
        select_values=reader.texts("select-values"),
        delimiter=reader.choice("multiple-delimiter", tuple(model.DELIMITERS), "quoted-space"),
        matcher=reader.text("matcher"),
    )
    if item.select_values and not item.type.startswith("select"):
        reader.wrong("'select-values' needs the type select-one or select-many.")
    return item


def _output(reader: FieldReader) -> CommandOutput:
    item = CommandOutput(
        name=reader.required_text("name"),
        mount=reader.required_text("mount"),
        description=reader.text("description"),
        required=reader.flag("required"),
        path=reader.text("path"),
        glob=reader.text("glob"),
    )
    if ".." in item.path.split("/"):
        reader.wrong("'path' may not climb out of the mount.")
    return item


def _wrapper(reader: FieldReader) -> Wrapper:
    wrapper = Wrapper(
        name=reader.required_text("name"),
        label=reader.text("label"),
        description=reader.text("description"),
        contexts=reader.texts("contexts"),
        external=tuple(_wrapper_input(item) for item in reader.objects("external-inputs", "external input")),
        derived=tuple(
            _wrapper_input(item, True) for item in reader.objects("derived-inputs", "derived input")
        ),
        handlers=tuple(map(_handler, reader.objects("output-handlers", "output handler"))),
    )
    unique(reader, [item.name for item in wrapper.inputs], "input")
    unique(reader, [item.name for item in wrapper.handlers], "output handler")
    if sum(item.is_object for item in wrapper.external) > 1:
        reader.wrong("only one external input may be an object of the archive.")
    return wrapper


def _wrapper_input(reader: FieldReader, derived: bool = False) -> WrapperInput:
    item = WrapperInput(
        name=reader.required_text("name"),
        type=reader.choice("type", _WRAPPER_TYPES, "string"),
        label=reader.text("label"),
        description=reader.text("description"),
        source=reader.required_text("derived-from-wrapper-input") if derived else "",
        prop=reader.text("derived-from-xnat-object-property") if derived else "",
        matcher=reader.text("matcher"),
        default=reader.optional_text("default-value"),
        required=reader.flag("required", True),
        multiple=reader.flag("multiple") if derived else False,
        load_children=reader.flag("load-children", True),
        user_settable=reader.flag("user-settable", True),
        sensitive=reader.flag("sensitive"),
        replacement_key=reader.text("replacement-key"),
        command_input=reader.text("provides-value-for-command-input"),
        command_mount=reader.text("provides-files-for-command-mount"),
        setup_command=reader.text("via-setup-command"),
    )
    if item.matcher:
        check_matcher(item.matcher, reader)
    if item.command_mount and item.type not in (*model.OBJECT_TYPES, "Directory"):
        reader.wrong(f"a {item.type} cannot be mounted.")
    if item.multiple and item.command_mount:
        reader.wrong("an input with 'multiple' can feed a command input only, not a mount.")
    return item


def _handler(reader: FieldReader) -> OutputHandler:
    return OutputHandler(
        name=reader.required_text("name"),
        output=reader.required_text("accepts-command-output"),
        parent=reader.text("as-a-child-of") or reader.text("as-a-child-of-wrapper-input"),
        type=reader.choice("type", model.HANDLER_TYPES, "Resource"),
        label=reader.text("label"),
        format=reader.text("format"),
        content=reader.text("content"),
        tags=reader.texts("tags"),
        description=reader.text("description"),
        xsi_type=reader.text("xsi-type"),
        wrapup_command=reader.text("via-wrapup-command"),
    )


def _cross_check(command: Command, reader: FieldReader) -> None:
    writable = {mount.name: mount.writable for mount in command.mounts}
    for output in command.outputs:
        if output.mount not in writable:
            reader.wrong(f"output '{output.name}' names the unknown mount '{output.mount}'.")
        elif not writable[output.mount]:
            reader.wrong(f"output '{output.name}' lies in the read-only mount '{output.mount}'.")
    for wrapper in command.wrappers:
        _check_wrapper(wrapper, command, FieldReader({}, f"Wrapper '{wrapper.name}'", reader.mistakes))


def _check_wrapper(wrapper: Wrapper, command: Command, reader: FieldReader) -> None:
    inputs = {item.name for item in command.inputs}
    mounts = {item.name for item in command.mounts}
    known = {item.name: item.type for item in wrapper.external}
    for item in _in_order(wrapper, reader):
        _check_derivation(item, known[item.source], reader)
        known[item.name] = item.type
    for item in wrapper.inputs:
        if item.command_input and item.command_input not in inputs:
            reader.wrong(f"input '{item.name}' provides the unknown command input '{item.command_input}'.")
        if item.command_mount and item.command_mount not in mounts:
            reader.wrong(f"input '{item.name}' provides the unknown mount '{item.command_mount}'.")
    outputs = {item.name for item in command.outputs}
    parents = {name for name, kind in known.items() if kind in model.OBJECT_TYPES}
    for handler in wrapper.handlers:
        if handler.output not in outputs:
            reader.wrong(f"handler '{handler.name}' accepts the unknown output '{handler.output}'.")
        if handler.parent not in parents:
            reader.wrong(f"handler '{handler.name}' names no object input or earlier handler as its parent.")
        parents.add(handler.name)


def _in_order(wrapper: Wrapper, reader: FieldReader) -> list[WrapperInput]:
    order = derivation_order(wrapper)
    for item in wrapper.derived:
        if item not in order:
            reader.wrong(f"derived input '{item.name}' is derived from nothing that is given.")
    return order


def derivation_order(wrapper: Wrapper) -> list[WrapperInput]:
    """Return the derived inputs so that each stands behind its source; loops and orphans are left out."""
    known = {item.name for item in wrapper.external}
    order: list[WrapperInput] = []
    waiting = list(wrapper.derived)
    while ready := [item for item in waiting if item.source in known]:
        order += ready
        known |= {item.name for item in ready}
        waiting = [item for item in waiting if item.name not in known]
    return order


def _check_derivation(item: WrapperInput, source: str, reader: FieldReader) -> None:
    if item.type in (*model.VALUE_TYPES, "Directory"):
        if source in _PROPERTIES and item.prop not in _PROPERTIES[source]:
            reader.wrong(f"input '{item.name}': a {source} has no property '{item.prop}'.")
        elif source in model.VALUE_TYPES:
            reader.wrong(f"input '{item.name}' cannot be derived from a {source}.")
    elif item.type not in _CHILDREN.get(source, set()):
        reader.wrong(f"input '{item.name}': a {item.type} cannot be derived from a {source}.")
