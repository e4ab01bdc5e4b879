"""``provenance.json``: which program made which bytes of which, and what it found."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lethe
from lethe.command.model import Command, Done
from lethe.command.outputs import files_below
from lethe.files import sha256_of

FILE_NAME = "provenance.json"
DIGEST_VARIABLE = "LETHE_IMAGE_DIGEST"
"""Set by ``scripts/build-images`` to the id of the image that holds the program (label and this
variable are added on top)."""


def numbered_inputs(files: Sequence[Path], noun: str) -> list[dict[str, str]]:
    """Describe input files without their names, which a hospital may have made of a patient's.

    Entries are in the order of the checksums: the same objects under other names give the same list.
    """
    digests = sorted(sha256_of(path) for path in files)
    return [{"name": f"{noun}-{number}", "sha256": digest} for number, digest in enumerate(digests, 1)]


def keyed_inputs(files: Sequence[Path], key: bytes) -> list[dict[str, str]]:
    """Describe input files by a keyed digest, verifiable only where the key is.

    The plain checksum of a small table would let a reader of the released one test guesses of the
    values before scrambling.
    """
    return [
        {"name": path.name, "hmac_sha256": hmac.new(key, path.read_bytes(), hashlib.sha256).hexdigest()}
        for path in files
    ]


def provenance(
    command: Command,
    options: Mapping[str, str],
    done: Done,
    staging: Path,
    *,
    seconds: float,
    image_digest: str | None,
) -> dict[str, Any]:
    """Return the record of one run; everything but ``seconds`` repeats with the same input."""
    return {
        "command": command.name,
        "command_version": lethe.__version__,
        "library_version": lethe.__version__,
        "image_digest": image_digest,
        "parameters": {**options, **done.parameters},
        "inputs": done.inputs,
        "outputs": [
            {"name": path.relative_to(staging).as_posix(), "sha256": sha256_of(path)}
            for path in files_below(staging)
        ],
        "verdict": done.verdict,
        "seconds": round(seconds, 1),
    }
