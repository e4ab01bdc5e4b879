"""Take what a run left below its output mounts into the archive: all of it, or nothing."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lethe.archive import access, content, uris
from lethe.archive.containers.resolve import OutputPlan, Plan
from lethe.archive.containers.runs import Run
from lethe.archive.containers.staging import attempt_folder
from lethe.archive.context import Context
from lethe.archive.model import User
from lethe.archive.problem import Problem
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
    """One output in the archive: handler name and the URI of its resource."""

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


def upload(
    ctx: Context, user: User, collected: Sequence[Collected], received: Sequence[Sequence[content.Incoming]]
) -> list[Uploaded]:
    """Add the received files to the resources of their parents. Called inside ``ctx.store.write()``.

    A resource that exists is added to; a file of the same name is replaced, so that a relaunch leaves the
    newest result and doubles nothing.

    Raises
    ------
    Problem
        The user may not edit the parent (any more), a label or a file name is not allowed.
    """
    done = []
    for one, files in zip(collected, received, strict=True):
        if not files:
            continue
        plan = one.plan
        item = uris.resolve_uri(ctx, plan.parent).item
        access.require(ctx, user, item, "edit")
        resource, _ = content.ensure_resource(
            ctx,
            item,
            plan.label,
            login=user.login,
            format=plan.format,
            content=plan.content,
            tags=",".join(plan.tags),
            description=plan.description,
        )
        if content.add_files(ctx, resource, files, login=user.login, overwrite=True):
            raise Problem(409, "An output file exists already.")
        done.append(Uploaded(plan.name, uris.uri_of(ctx, item, resource), len(files)))
    return done
