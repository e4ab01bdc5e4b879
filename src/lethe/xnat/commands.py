"""The Container Service: register commands, enable wrappers, launch one or many, and say why a run failed.

The parts: `wrappers` (what is registered), `targets` (what it can be launched on), `runs` (what runs and
how it ended), `plan` (what there is to do), `bulk` (many launches).
"""

from __future__ import annotations

from lethe.xnat.bulk import Ended, by_reason, confirm, follow, launch, run_all, run_plan
from lethe.xnat.plan import plan
from lethe.xnat.runs import (
    Job,
    containers,
    failure_reason,
    is_terminal,
    root_value,
    running,
    workflow_status,
)
from lethe.xnat.wrappers import (
    Wrapper,
    available,
    enable,
    find_command,
    is_enabled,
    ready,
    register,
    registered,
)

__all__ = [
    "Ended",
    "Job",
    "Wrapper",
    "available",
    "by_reason",
    "confirm",
    "containers",
    "enable",
    "failure_reason",
    "find_command",
    "follow",
    "is_enabled",
    "is_terminal",
    "launch",
    "plan",
    "ready",
    "register",
    "registered",
    "root_value",
    "run_all",
    "run_plan",
    "running",
    "workflow_status",
]
