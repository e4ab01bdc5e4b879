"""Files and images the stack is built from: fetched once, recorded at first sight, compared ever after."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.files import atomic_writer, sha256_of, write_json

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 60
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file to fetch; `sha256` is empty where its publisher gives none."""

    name: str
    url: str
    sha256: str = ""


class Ledger:
    """The digests seen so far (``stack/artifacts.lock``): first sight is recorded, another digest refused.

    Parameters
    ----------
    path : Path
        JSON file: name to digest. Missing means that nothing was seen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._seen: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        except (OSError, ValueError):
            raise Misconfigured("ledger", f"{path.name} cannot be read.") from None

    def settle(self, name: str, digest: str, published: str = "") -> str:
        """Compare `digest` with what is published or was seen; record it if it is new.

        Returns
        -------
        str
            ``published``, ``recorded`` (first sight) or ``same``.

        Raises
        ------
        Refused
            The digest is another one than published or recorded.
        """
        expected = published or self._seen.get(name, "")
        if expected and expected != digest:
            raise Refused(
                "artifact-changed",
                f"{name} is not the one that was {'published' if published else 'recorded'}.",
                remedy="Find out why before you go on; a wanted change removes its line from artifacts.lock.",
            )
        if self._seen.get(name) != digest:
            self._seen[name] = digest
            write_json(self._path, self._seen)
        return "published" if published else "same" if expected else "recorded"


def read_artifacts(path: Path, settings: Mapping[str, str]) -> tuple[list[Artifact], dict[str, str]]:
    """Read ``artifacts.toml`` with the settings of ``.env`` filled in.

    Returns
    -------
    tuple
        Files to fetch, and images (setting to reference).

    Raises
    ------
    Misconfigured
        A setting is missing or the file has another shape.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        files = [
            Artifact(
                _filled(row["name"], settings), _filled(row["url"], settings), str(row.get("sha256", ""))
            )
            for row in found["file"]
        ]
        images = {name: _setting(name, settings) for name in found["images"]["names"]}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError):
        raise Misconfigured("artifacts", f"{path.name} cannot be used.") from None
    return files, images


def fetch(artifact: Artifact, folder: Path, ledger: Ledger, *, progress: Progress | None = None) -> str:
    """Bring one file into `folder`, unless it is there already, and settle its digest.

    Returns
    -------
    str
        What `Ledger.settle` says.

    Raises
    ------
    Refused
        The digest is another one; the file is not kept.
    Unavailable
        The publisher does not answer, or the answer was cut.
    """
    target = folder / artifact.name
    if target.exists():
        return ledger.settle(artifact.name, sha256_of(target), artifact.sha256)
    folder.mkdir(parents=True, exist_ok=True)
    incoming = folder / f"{artifact.name}.incoming"
    try:
        _download(artifact, incoming, progress)
        said = ledger.settle(artifact.name, sha256_of(incoming), artifact.sha256)
        incoming.replace(target)
    finally:
        incoming.unlink(missing_ok=True)
    return said


def image_digest(inspected: Mapping[str, Any], reference: str) -> str:
    """Return the registry digest of an image from ``docker image inspect``; its id where it has none.

    An image that was built on this machine has no registry digest.
    """
    repository = reference.split("@")[0].rsplit(":", 1)[0]
    for entry in inspected.get("RepoDigests") or []:
        name, _, digest = str(entry).partition("@")
        if name in (repository, f"docker.io/{repository}", f"docker.io/library/{repository}"):
            return digest
    return f"local {inspected['Id']}"


def _download(artifact: Artifact, target: Path, progress: Progress | None) -> None:
    try:
        with requests.get(artifact.url, stream=True, timeout=_TIMEOUT_SECONDS) as answer:
            answer.raise_for_status()
            total, done = int(answer.headers.get("Content-Length", 0)), 0
            with atomic_writer(target) as stream:
                for chunk in answer.iter_content(_CHUNK):
                    stream.write(chunk)
                    done += len(chunk)
                    if progress:
                        progress(artifact.name, done, total)
    except requests.RequestException:
        raise Unavailable(
            "no-artifact",
            f"{artifact.name} could not be fetched.",
            remedy="Check the network and the version, or place the file in stack/downloads by hand.",
        ) from None
    if total and done != total:
        raise Unavailable("cut-artifact", f"{artifact.name} arrived cut.", remedy="Run it again.")


def _filled(text: str, settings: Mapping[str, str]) -> str:
    return re.sub(r"\{([A-Z_]+)\}", lambda match: _setting(match[1], settings), text)


def _setting(name: str, settings: Mapping[str, str]) -> str:
    if not settings.get(name):
        raise Misconfigured("setting-missing", f"{name} is not set in .env.")
    return settings[name]
