"""What the README points to exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_link_and_every_command_of_the_readme_leads_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    programs = set(re.findall(r"(?:\./)?(scripts/[a-z-]+)", text))
    assert {"scripts/demo", "scripts/test"} <= programs
    assert [program for program in programs if not (ROOT / program).exists()] == []
    for name in re.search(r"scripts/bench ([a-z|]+)`", text)[1].split("|"):
        assert (ROOT / "scripts" / "bench_parts" / f"{name}.py").exists()
