"""How a verb prints: a table for people or JSON for programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """What ``--output`` takes."""

    TABLE = "table"
    JSON = "json"


Printed = Annotated[Output, typer.Option("--output", help="How to print.")]
