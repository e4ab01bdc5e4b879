"""What must not be in a Dockerfile, each with the rule that forbids it."""

from __future__ import annotations

import re

_SECRET = re.compile(r"(?i)\b(pass(word|wd)?|secret|token|api_?key|private_?key)\b\s*[=: ]\s*\S")
_CREDENTIAL_IN_ADDRESS = re.compile(r"https?://[^/\s]*:[^/\s]*@")
_DOWNLOAD = re.compile(r"\b(curl|wget)\b[^|&;]*\|\s*(ba|z)?sh\b")


def instructions(text: str) -> list[tuple[str, str]]:
    """Return (instruction, arguments) with continued lines joined and comments dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    parts = [line.strip().split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(part[0].upper(), part[1] if len(part) > 1 else "") for part in parts]


def findings(text: str) -> list[str]:
    """Return what is wrong with a Dockerfile; an empty list if nothing is."""
    steps = instructions(text)
    defaults = dict(value.split("=", 1) for step, value in steps if step == "ARG" and "=" in value)
    stages = {value.split()[2] for step, value in steps if step == "FROM" and len(value.split()) == 3}
    steps = [(step, value) for step, value in steps if step != "FROM" or value.split()[0] not in stages]
    found = [finding for step, value in steps for finding in _of_step(step, value, defaults)]
    users = [value for step, value in steps[_last_from(steps) :] if step == "USER"]
    if not users or users[-1].split(":")[0] in ("root", "0"):
        found.append("runs as root")
    return found


def _last_from(steps: list[tuple[str, str]]) -> int:
    return max((index for index, (step, _) in enumerate(steps) if step == "FROM"), default=0)


def _of_step(step: str, value: str, defaults: dict[str, str]) -> list[str]:
    found = []
    if step == "FROM" and not _pinned(value.split()[0], defaults):
        found.append("base is not pinned")
    if step == "ADD":
        found.append("ADD")
    if step in ("ENV", "ARG", "RUN", "LABEL") and (
        _SECRET.search(value) or _CREDENTIAL_IN_ADDRESS.search(value)
    ):
        found.append("secret")
    if step == "RUN":
        found.extend(_of_run(value))
    return found


def _of_run(value: str) -> list[str]:
    found = []
    if (
        re.search(r"\bpip3? install\b|/pip install\b", value)
        and "--no-cache-dir" not in value
        and "$o" not in value
    ):
        found.append("pip keeps a cache")
    if "-r " in value and "--require-hashes" not in value:
        found.append("packages are not locked by hash")
    if re.search(r"\bapt(-get)? install\b", value) and "rm -rf /var/lib/apt/lists" not in value:
        found.append("apt keeps its lists")
    if re.search(r"\b(gcc|g\+\+|build-essential|make)\b", value):
        found.append("compiler")
    if re.search(r"\bsudo\b|chmod (-R )?777", value):
        found.append("rights too wide")
    if _DOWNLOAD.search(value) or "--mount" in value or "<<" in value:
        found.append("not reproducible with the classic builder")
    return found


def _pinned(image: str, defaults: dict[str, str]) -> bool:
    name = re.sub(r"\$\{?(\w+)\}?", lambda match: defaults.get(match[1], ""), image)
    named, _, digest = name.partition("@sha256:")
    _, _, tag = named.rpartition("/")[2].partition(":")
    # the tag says to people what the digest says to the engine
    return bool(re.fullmatch(r"[0-9a-f]{64}", digest) and re.search(r"\d", tag)) and "latest" not in tag
