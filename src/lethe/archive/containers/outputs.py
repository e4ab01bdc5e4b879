"""Take what a run left below its output mounts into the archive: all of it, or nothing."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lethe.archive import access, content, items, uris
from lethe.archive.containers.resolve import OutputPlan, Plan
from lethe.archive.containers.runs import Run
from lethe.archive.containers.staging import attempt_folder
from lethe.archive.context import Context
from lethe.archive.intake import intake_of
from lethe.archive.intake.images import check_upload, require_unchanged
from lethe.archive.model import EXPERIMENT, Item, User
from lethe.archive.problem import Problem
from lethe.archive.types import xml
from lethe.archive.types.table import is_a
from lethe.errors import Refused


@dataclass(frozen=True, slots=True)
class Collected:
    """The files of one output: path inside the resource and place on disk; how many the glob left out."""

    plan: OutputPlan
    files: tuple[tuple[str, Path], ...]
    excluded: int = 0


def collect(ctx: Context, run: Run, plan: Plan, replaced: Mapping[str, Path]) -> list[Collected]:
    """Find the files of every output.

    Parameters
    ----------
    replaced : mapping
        Handler name to the folder that a wrap-up command filled in its place.

    Raises
    ------
    Refused
        ``output-missing``: a required output has no file. ``output-unsafe``: a link, device or pipe lies
        among the files; following it could read what the run itself may not.
    """
    mounts = attempt_folder(ctx, run) / "mounts"
    found = [
        _collect(replaced[output.name], replace(output, path=""))
        if output.name in replaced
        else _collect(mounts / output.mount, output)
        for output in plan.outputs
    ]
    for one in found:
        if one.plan.required and not one.files:
            raise Refused("output-missing", f"The required output '{one.plan.command_output}' has no files.")
    return found


def _collect(mount: Path, output: OutputPlan) -> Collected:
    files, excluded = [], 0
    for path in _regular_files(mount):
        inside = path.relative_to(mount).as_posix()
        if output.path and inside != output.path and not inside.startswith(output.path + "/"):
            continue
        name = (
            path.name if inside == output.path else inside[len(output.path) + 1 :] if output.path else inside
        )
        if output.glob and not fnmatch.fnmatch(name, output.glob):
            excluded += 1
            continue
        files.append((name, path))
    return Collected(output, tuple(sorted(files)), excluded)


def _regular_files(mount: Path) -> list[Path]:
    """Return the files below `mount` without following any link."""

    def fail(error: OSError) -> None:
        raise Refused("output-unreadable", "A folder of the output cannot be read by the archive.") from error

    found = []
    for base, folders, files in os.walk(mount, onerror=fail):
        for name in (*folders, *files):
            path = Path(base) / name
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise Refused(
                    "output-unsafe",
                    "The output holds a link, device or pipe; only plain files are taken.",
                    remedy="Let the command copy files instead of linking them.",
                )
        found += [Path(base) / name for name in files]
    return found


@dataclass(frozen=True, slots=True)
class Uploaded:
    """One output in the archive: handler name and the URI of its resource, assessor or scan."""

    handler: str
    uri: str
    files: int


def receive(ctx: Context, collected: Sequence[Collected]) -> list[list[content.Incoming]]:
    """Copy every file to the archive's disk, checksummed and durable, before any row says it exists."""
    received: list[list[content.Incoming]] = []
    try:
        for one in collected:
            received.append([])
            for name, path in one.files:
                received[-1].append(_incoming(ctx, one.plan, name, path))
    except BaseException:
        for entry in (item for items in received for item in items):
            entry.temporary.unlink(missing_ok=True)
        raise
    return received


def _incoming(ctx: Context, plan: OutputPlan, name: str, path: Path) -> content.Incoming:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        temporary, size, md5 = content.receive(ctx, stream)
    return content.Incoming(
        name, temporary, size, md5, format=plan.format, content=plan.content, tags=",".join(plan.tags)
    )


def check(
    ctx: Context, collected: Sequence[Collected], received: Sequence[Sequence[content.Incoming]]
) -> None:
    """Let the second net look at files for an intake project, as at any upload.

    Raises
    ------
    Problem
        422 if one of them was kept aside.
    """
    net = intake_of(ctx).net
    if net is None:
        return
    projects = {
        uris.resolve_uri(ctx, one.plan.parent).item.project
        for one in collected
        if not one.plan.parent_handler
    }
    for project in sorted(projects):
        if net.applies(project):
            for files in received:
                check_upload(net, project, files, images=False)


def upload(
    ctx: Context, user: User, collected: Sequence[Collected], received: Sequence[Sequence[content.Incoming]]
) -> list[Uploaded]:
    """Add the received files to what is above them. Called inside ``ctx.store.write()``.

    A resource that exists is added to; a file of the same name is replaced, so that a relaunch leaves the
    newest result and doubles nothing. The same holds for an assessor or scan of the same label.

    Raises
    ------
    Problem
        The user may not edit the parent (any more), a label or a file name is not allowed.
    Refused
        ``output-xml``: an assessor or scan is not made of exactly one XML file that describes it.
    """
    done: dict[str, Uploaded] = {}
    for one, files in zip(collected, received, strict=True):
        if not files:
            continue
        above = done.get(one.plan.parent_handler)
        if one.plan.parent_handler and above is None:
            raise Refused("output-parent", f"Output '{one.plan.name}' has no object to be attached to.")
        parent = uris.resolve_uri(ctx, above.uri if above else one.plan.parent).item
        store = _store_resource if one.plan.type == "Resource" else _store_item
        done[one.plan.name] = store(ctx, user, one.plan, parent, files)
    return list(done.values())


def _store_resource(
    ctx: Context, user: User, plan: OutputPlan, parent: Item, files: Sequence[content.Incoming]
) -> Uploaded:
    access.require(ctx, user, parent, "edit")
    resource, _ = content.ensure_resource(
        ctx,
        parent,
        plan.label,
        login=user.login,
        format=plan.format,
        content=plan.content,
        tags=",".join(plan.tags),
        description=plan.description,
    )
    require_unchanged(ctx, user, parent, resource, files)
    if content.add_files(ctx, resource, files, login=user.login, overwrite=True):
        raise Problem(409, "An output file exists already.")
    return Uploaded(plan.name, uris.uri_of(ctx, parent, resource), len(files))


_BASES = {"Assessor": "xnat:imageAssessorData", "Scan": "xnat:imageScanData"}


def _store_item(
    ctx: Context, user: User, plan: OutputPlan, parent: Item, files: Sequence[content.Incoming]
) -> Uploaded:
    """Make an assessor or scan of the one XML file of an output."""
    access.require(ctx, user, parent, "create")
    if len(files) != 1 or not files[0].path.endswith(".xml") or parent.kind != EXPERIMENT:
        raise Refused("output-xml", f"Output '{plan.name}' must be one XML file for a session.")
    body = files[0].temporary.read_bytes()
    files[0].temporary.unlink()
    xsi_type, data = xml.read(body)
    if not is_a(xsi_type.name, _BASES[plan.type]):
        raise Refused("output-xml", f"The XML of output '{plan.name}' does not describe a {plan.type}.")
    named = {key: str(data.pop(key)) for key in _IDENTITY if key in data}
    if plan.type == "Assessor":
        label = named.get("label") or f"{parent.label}_{plan.label}"
        item, new = items.ensure_assessor(ctx, parent, label, xsi_type.name, login=user.login, data=data)
    else:
        number = named.get("ID") or plan.label
        item, new = items.ensure_scan(ctx, parent, number, xsi_type.name, login=user.login, data=data)
    if not new:
        items.set_data(ctx, item, {**item.data, **data}, login=user.login)
    return Uploaded(plan.name, uris.uri_of(ctx, item), 1)


_IDENTITY = ("ID", "project", "label", "imageSession_ID", "image_session_ID", "subject_ID")
