"""What the pages say exists: commands parse, scripts are there, links and their headings lead somewhere."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from lethe.cli import NOUNS

ROOT = Path(__file__).resolve().parents[3]
DOORS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PAGES = (
    *DOORS,
    *(ROOT / room / "README.md" for room in ("ctp-profiles", "xnat-containers", "plugin", "stack")),
    *sorted((ROOT / "src" / "lethe").glob("*/README.md")),
)
KIT = sorted((ROOT / "src" / "lethe" / "site" / "templates").glob("*.md.txt"))
PICTURES = ROOT / "docs" / "pictures"


def blocks(page: Path) -> list[str]:
    """Return the lines of the page's code blocks, continued ones joined."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in found for line in block.replace("\\\n", " ").splitlines()]


def commands(page: Path) -> list[str]:
    """Return the lines that call lethe, without comments, prompts and redirections."""
    lines = (re.split(r"\s+#\s|\s>\s|\s\|\s", line.removeprefix("$ "))[0] for line in blocks(page))
    return [line for line in lines if line.startswith("lethe ")]


def command_of(words: list[str]) -> tuple[TyperCommand, list[str]]:
    """Return the command that the words name, and the words that are left for it."""
    assert words[0] in NOUNS, words[0]
    found = get_command(importlib.import_module(f"lethe.cli.{words[0]}").app)
    if isinstance(found, TyperGroup):
        assert words[1] in found.commands, words[:2]
        return found.commands[words[1]], words[2:]
    return found, words[1:]


SHOWN = [(page.relative_to(ROOT).as_posix(), line) for page in (*PAGES, *KIT) for line in commands(page)]


@pytest.mark.requirement("E-03", "M-81")
@pytest.mark.parametrize(("page", "line"), SHOWN)
def test_a_command_that_a_page_shows_parses(page, line, monkeypatch):
    monkeypatch.setenv("LETHE_XNAT_URL", "http://localhost:1")
    monkeypatch.setenv("LETHE_XNAT_USER", "somebody")
    command, left = command_of(shlex.split(line)[1:])
    command.make_context(command.name, left)


def test_a_wrong_option_and_a_wrong_verb_would_be_found():
    command, left = command_of(["intake", "seal", "session", "--kee", "x"])
    with pytest.raises(Exception, match="No such option"):
        command.make_context(command.name, left)
    command, left = command_of(["intake", "seal", "session"])
    with pytest.raises(Exception, match="Missing"):
        command.make_context(command.name, left)
    with pytest.raises(AssertionError):
        command_of(["intake", "open-up"])


@pytest.mark.requirement("E-03")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_the_text_and_scripts_exist(page):
    text = page.read_text(encoding="utf-8")
    for noun, verb in re.findall(r"`lethe ([a-z]+) ([a-z][a-z-]+)[ `]", text):
        command_of([noun, verb])
    for script in re.findall(r"(?<![\w/-])(?:\./)?(scripts/[a-z0-9-]+)(?![\w/])", text):
        program = ROOT / script
        assert program.is_dir() or os.access(program, os.X_OK), script


def anchors(page: Path) -> set[str]:
    """Return the headings of a page as the addresses that code hosts make of them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.requirement("E-03")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_pages_and_headings(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        where, _, heading = link.partition("#")
        target = (page.parent / where).resolve() if where else page
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


def test_programs_in_python_are_programs():
    found = [
        code
        for page in DOORS
        for code in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    ]
    assert found
    for code in found:
        compile(code, "page", "exec")


def test_the_parts_of_the_bench_that_the_readme_names_exist():
    (named,) = re.findall(r"`scripts/bench ([a-z|]+)`", (ROOT / "README.md").read_text("utf-8"))
    for name in named.split("|"):
        assert (ROOT / "scripts" / "bench_parts" / f"{name}.py").exists()


@pytest.mark.requirement("E-08", "A-46")
def test_the_way_of_the_data_names_controller_role_and_end_of_every_step():
    text = (ROOT / "docs" / "data-flow.md").read_text("utf-8")
    lines = text.split("## Step by step")[1].split("\n## ")[0].strip().splitlines()
    head = [cell.strip() for cell in lines[0].split("|")[1:-1]]
    assert head[3:5] == ["controller", "who acts, as what"]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:] if line.startswith("|")]
    assert [row[0] for row in rows] == [str(number + 1) for number in range(len(rows))]
    for row in rows:
        assert len(row) == len(head)
        assert all(row[1:6]), row[0]
    assert "M-55" in text
    assert ElementTree.parse(PICTURES / "data-flow.svg").getroot().tag.endswith("svg")


def test_pictures_are_shown_somewhere_and_small():
    shown = "".join(page.read_text("utf-8") for page in DOORS)
    files = sorted(PICTURES.iterdir())
    assert [file.name for file in files if f"pictures/{file.name})" not in shown] == []
    assert sum(file.stat().st_size for file in files) < 700_000
    for file in files:
        if file.suffix == ".png":
            body = file.read_bytes()
            assert len(body) < 120_000
            # byte 25 is the kind of colour of IHDR: 3 is a palette
            assert body[25] == 3, file.name
            assert struct.unpack(">I", body[16:20])[0] <= 1440
