"""The collection administrator's page is complete: every verb is shown, its tables are the program's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lethe.cli import access, collection
from lethe.governance.roles import markdown

PAGE = (Path(__file__).parents[3] / "docs" / "administrator.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("lethe ")]
APPS = {"access": access.app, "collection": collection.app}


def test_the_page_shows_every_verb():
    shown = {tuple(line.split()[1:3]) for line in COMMANDS}
    for noun, app in APPS.items():
        verbs = set(get_command(app).commands) - {"roles"}
        assert {(noun, verb) for verb in verbs} <= shown


@pytest.mark.requirement("E-17", "E-26", "E-27", "E-28", "M-81")
def test_the_tables_of_the_page_are_the_programs():
    assert PAGE.endswith(markdown())
    assert CliRunner().invoke(access.app, ["roles"]).stdout == markdown()


def test_every_help_has_a_real_example():
    for noun, app in APPS.items():
        for verb, command in get_command(app).commands.items():
            assert f"Example: lethe {noun} {verb}" in command.epilog
