"""One run from the queue to its end: stage, execute, store the files.

Each step writes its state before the next begins, so that a server killed at any moment finds at its next
start what to do: re-attach to a container that went on, store the files of a run that had ended well, or
start again from an empty output folder.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lethe.archive import accounts
from lethe.archive.containers import auxiliary, outputs, registry, rights, runs, staging
from lethe.archive.containers.backends import (
    ENGINES,
    RUN_LABEL,
    Backend,
    Bind,
    Cause,
    Ending,
    RunSpec,
    Signals,
    default_user,
)
from lethe.archive.containers.model import Command
from lethe.archive.containers.objects import loader
from lethe.archive.containers.resolve import Plan, configure, resolve
from lethe.archive.containers.runs import Change, Run, failed
from lethe.archive.containers.settings import ServerSettings
from lethe.archive.context import Context, Event
from lethe.archive.model import User
from lethe.errors import Outcome, Quarantined, Refused, Unavailable

MOST_ATTEMPTS = 3
TIMEOUT_LABEL = "lethe.timeout-seconds"
_MEANINGS = {2: "called wrongly", 3: "quarantined", 4: "refused", 5: "something needed is not available"}


@dataclass(slots=True)
class Execution:
    """Carries out one run on one backend.

    Attributes
    ----------
    ctx : Context
    run : Run
        As it was claimed from the queue.
    backend : Backend
    signals : Signals
        Ends or leaves the run from another thread.
    """

    ctx: Context
    run: Run
    backend: Backend
    signals: Signals

    def begin(self) -> None:
        """Take a waiting run through all its steps."""
        if self.signals.kill.is_set():
            self._end(runs.KILLED, "The run was ended before it started.")
            return
        try:
            plan = self._resolve()
        except Outcome as outcome:
            self._end(failed("Staging"), outcome.sentence)
            return
        try:
            spec = self._stage(plan)
            before = staging.snapshot(plan) if self.backend.name == "process" else {}
            spec = self._set_up(plan, spec)
            self._start(spec)
        except auxiliary.AuxiliaryFailed as outcome:
            if self.signals.detach.is_set():
                return
            killed = self.signals.kill.is_set()
            self._end(runs.KILLED if killed else failed("Setup"), outcome.sentence)
            return
        except Unavailable as outcome:
            self._end(failed("Staging"), f"{outcome.sentence} {outcome.remedy}".strip())
            return
        self._follow(plan, spec, before)

    def resume(self) -> None:
        """Go on with a run whose container outlived the server."""
        plan = self._stored_plan()
        spec = self._spec(plan, self._binds_again(plan), {})
        runs.note(self.ctx, self.run.id, Change("Running", "The server was restarted; the run goes on."))
        self._follow(plan, spec, {})

    def finish(self) -> None:
        """Store the files of a run that had ended well."""
        plan = self._stored_plan()
        self._finalize(plan, self._spec(plan, self._binds_again(plan), {}))

    # ---- staging --------------------------------------------------------------------------------

    def _user(self) -> User:
        user = accounts.find_user(self.ctx, self.run.login)
        if user is None or not user.enabled:
            raise Refused("no-user", "The user who launched this run may not work here any more.")
        return user

    def _resolve(self) -> Plan:
        """Resolve the launch with the rights of its user, as they are now."""
        command, wrapper = self.run.parsed()
        if not registry.runnable(self.ctx, self.run.wrapper, self.run.project):
            raise Refused("not-enabled", "The command is not enabled in this project and on this site.")
        command, wrapper = configure(command, wrapper, json.loads(self.run.config))
        user = self._user()
        plan = resolve(
            command, wrapper, self.run.parameters, loader(self.ctx, user, project=self.run.project)
        )
        rights.require_outputs(self.ctx, user, plan)
        return plan

    def _stored_plan(self) -> Plan:
        return Plan.of(json.loads(self.run.plan or "{}"))

    def _stage(self, plan: Plan) -> RunSpec:
        """Make the folders and the identity of the run."""
        binds = staging.prepare(self.ctx, self.run, plan, self._owner())
        with self.ctx.store.write():
            token = accounts.issue_token(self.ctx, self.run.login)
            if self.run.alias:
                accounts.invalidate_token(self.ctx, self.run.alias)
            document = json.dumps(plan.document())
            runs.change(self.ctx, self.run.id, Change("Created"), plan=document, alias=token.alias)
        secrets = {"XNAT_USER": token.alias, "XNAT_PASS": token.secret}
        return self._spec(plan, binds, secrets)

    def _set_up(self, plan: Plan, spec: RunSpec) -> RunSpec:
        """Let set-up commands prepare the mounts that ask for it."""
        binds = list(spec.binds)
        for number, mount in enumerate(plan.mounts):
            if mount.setup:
                folder = staging.attempt_folder(self.ctx, self.run) / f"setup-{number}"
                staging.make_empty(folder, self._owner())
                binds[number] = auxiliary.set_up(
                    self.ctx, self.backend, spec, self.signals, mount.setup, binds[number], folder
                )
        return replace(spec, binds=tuple(binds))

    def _owner(self) -> tuple[int, int] | None:
        """Return who writes into output folders, when that is not the archive itself."""
        if self.backend.name not in ENGINES:
            return None
        user, _, group = self._container_user().partition(":")
        return int(user), int(group)

    def _container_user(self) -> str:
        user = ServerSettings(self.ctx).container_user or default_user()
        return user if ":" in user else f"{user}:{os.getgid()}"

    def _binds_again(self, plan: Plan) -> tuple[Bind, ...]:
        base = staging.attempt_folder(self.ctx, self.run) / "mounts"
        return tuple(Bind(base / mount.name, mount.path, mount.writable) for mount in plan.mounts)

    def _spec(self, plan: Plan, binds: tuple[Bind, ...], secrets: Mapping[str, str]) -> RunSpec:
        command, _ = self.run.parsed()
        folder = staging.attempt_folder(self.ctx, self.run)
        return RunSpec(
            name=f"{self.run.name}-{self.run.attempt}",
            image=command.image,
            command_line=plan.command_line,
            environment={**plan.environment, **self._identity(), **secrets},
            binds=binds,
            logs=folder / "logs",
            scratch=folder / "scratch",
            working_directory=plan.working_directory,
            override_entrypoint=command.override_entrypoint,
            limits=command.limits,
            labels=self._labels(command, plan),
            user=self._container_user(),
            timeout_seconds=_timeout(command),
        )

    def _identity(self) -> dict[str, str]:
        host = str(
            self.ctx.settings.get("processingUrl") or self.ctx.settings.get("siteUrl") or self.ctx.http_url
        )
        workflow = str(self.run.workflow or "")
        return {"XNAT_HOST": host, "XNAT_WORKFLOW_ID": workflow, "XNAT_EVENT_ID": workflow}

    def _labels(self, command: Command, plan: Plan) -> dict[str, str]:
        return {
            **command.container_labels,
            "XNAT_PROJECT": self.run.project,
            "XNAT_ID": plan.root.get("id", ""),
            "XNAT_DATATYPE": plan.root.get("xsiType", ""),
            "XNAT_USER_ID": self.run.login,
            RUN_LABEL: self.run.name,
        }

    # ---- execution ------------------------------------------------------------------------------

    def _start(self, spec: RunSpec) -> None:
        handle = self.backend.start(spec)
        runs.change(self.ctx, self.run.id, Change("Running", entity_type="event"), handle=handle)
        self.run = runs.get(self.ctx, self.run.id)

    def _follow(self, plan: Plan, spec: RunSpec, before: Mapping[str, Any]) -> None:
        ending = self.backend.wait(self.run.handle, spec, self.signals)
        if ending.cause is Cause.DETACHED:
            return
        if ending.cause is Cause.EXITED and not ending.code and _changed(plan, before):
            self._end(runs.FAILED, "The command changed files of its read-only input.", ending.code, spec)
        elif ending.cause is Cause.EXITED and not ending.code:
            step = Change("Finalizing", "The command ended well.", exit_code=0)
            runs.change(self.ctx, self.run.id, step, state=runs.FINALIZING, exit_code=0)
            self._finalize(plan, spec)
        else:
            status, message = _verdict(ending, runs.get(self.ctx, self.run.id).killed_by)
            self._end(status, message, ending.code, spec)

    # ---- the end --------------------------------------------------------------------------------

    def _finalize(self, plan: Plan, spec: RunSpec) -> None:
        """Store the outputs and end the run in one transaction."""
        try:
            self._store(plan, spec)
        except auxiliary.AuxiliaryFailed as outcome:
            if self.signals.detach.is_set():
                return
            self._end(failed("Wrapup"), outcome.sentence, 0)
        except (Refused, Unavailable, Quarantined) as outcome:
            self._end(failed("Upload"), outcome.sentence, 0)
        except (OSError, sqlite3.OperationalError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the database cannot be written"
            self._end(failed("Upload"), f"The output could not be stored: {reason}.", 0)
        self._clean(spec)

    def _wrap_up(self, plan: Plan, spec: RunSpec) -> dict[str, Path]:
        """Let wrap-up commands turn outputs into what is stored; return handler name -> their folder."""
        base = staging.attempt_folder(self.ctx, self.run)
        folders = {}
        for number, output in enumerate(plan.outputs):
            if output.wrapup:
                folder = staging.make_empty(base / f"wrapup-{number}", self._owner())
                source = base / "mounts" / output.mount / output.path
                auxiliary.wrap_up(self.ctx, self.backend, spec, self.signals, output.wrapup, source, folder)
                folders[output.name] = folder
        return folders

    def _store(self, plan: Plan, spec: RunSpec) -> None:
        ctx, run = self.ctx, self.run
        collected = outputs.collect(ctx, run, plan, self._wrap_up(plan, spec))
        for one in collected:
            if one.excluded:
                message = f"{one.excluded} files of output '{one.plan.command_output}' do not fit its glob."
                runs.note(ctx, run.id, Change("Finalizing", f"Warning: {message} XNAT would upload them."))
                ctx.logger.warning("run %d: %s", run.id, message)
        received = outputs.receive(ctx, collected)
        try:
            outputs.check(ctx, collected, received)
            with ctx.store.write():
                done = outputs.upload(ctx, self._user(), collected, received)
                count = sum(one.files for one in done)
                created = json.dumps({one.handler: one.uri for one in done})
                step = Change(runs.COMPLETE, f"{count} files were stored.", exit_code=0)
                self._close(step, outputs=created)
                for stored in (one for one in done if "/resources/" in one.uri):
                    ctx.events.publish(_stored(run, stored.uri))
        except BaseException:
            for entry in (item for items in received for item in items):
                entry.temporary.unlink(missing_ok=True)
            raise

    def _end(self, status: str, message: str, code: int | None = None, spec: RunSpec | None = None) -> None:
        self._close(Change(status, message, exit_code=code), exit_code=code)
        self._clean(spec)

    def _close(self, step: Change, **columns: object) -> None:
        """End the run and its token in one transaction."""
        with self.ctx.store.write():
            alias = runs.get(self.ctx, self.run.id).alias
            if alias:
                accounts.invalidate_token(self.ctx, alias)
            runs.end(self.ctx, self.run.id, step, **columns)

    def _clean(self, spec: RunSpec | None) -> None:
        """Forget the container, keep the logs."""
        if spec is not None:
            self.backend.remove(spec)
        staging.tidy(self.ctx, self.run)


def _stored(run: Run, uri: str) -> Event:
    return Event("ResourceEvent", "CREATED", run.project, uri, "xnat:resourceCatalog", run.login)


def _changed(plan: Plan, before: Mapping[str, Any]) -> bool:
    """Tell whether a file of the input is another or gone; what other runs add to the session is not ours."""
    after = staging.snapshot(plan) if before else {}
    return any(after.get(path) != state for path, state in before.items())


def _timeout(command: Command) -> float:
    """Return how long a command may run, in seconds: its label says it, else a day."""
    text = command.container_labels.get(TIMEOUT_LABEL, "")
    return float(text) if text.replace(".", "", 1).isdecimal() else 86400.0


def _verdict(ending: Ending, killed_by: str) -> tuple[str, str]:
    """Return status and sentence of a run that did not end well."""
    match ending.cause:
        case Cause.KILLED:
            return runs.KILLED, f"The run was ended by {killed_by or 'the archive'}."
        case Cause.OUT_OF_MEMORY:
            return runs.OUT_OF_MEMORY, "The run needed more memory than its limit allows."
        case Cause.TIMEOUT:
            return failed("Timeout"), "The run took longer than it may."
        case Cause.LOG_FULL:
            return failed("Log"), "The run wrote more to its log than it may."
        case Cause.REJECTED:
            return failed("Swarm"), ending.why
        case Cause.LOST:
            return runs.FAILED, "The run was removed outside of the archive."
    meaning = _MEANINGS.get(ending.code or 0, "")
    if ending.code == 127:
        meaning = "the program was not found"
    return runs.FAILED, f"The command ended with exit code {ending.code}" + (
        f" ({meaning})." if meaning else "."
    )
