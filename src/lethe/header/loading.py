"""Scripts from files: the packaged ones and the site's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from lethe.errors import Misconfigured
from lethe.header.lint import fatal
from lethe.header.script import Script, read_script

_PLACES = {
    **dict.fromkeys(("stroke", "strict", "pet-suv", "routing"), "client"),
    **dict.fromkeys(("net", "net-pet-suv"), "server"),
}


def load_script(path: Path, *, as_ctp: bool = False, parameters: Mapping[str, str] | None = None) -> Script:
    """Read and compile a CTP anonymizer script.

    Parameters
    ----------
    path : Path
        The script, in the XML or the legacy properties form.
    as_ctp : bool
        Take the script as CTP takes it, its mistakes included.
    parameters : mapping of str to str, optional
        Values to put in place of the script's own parameters.

    Returns
    -------
    Script

    Raises
    ------
    Misconfigured
        The file cannot be read, a parameter is not one of the script's, or the script has a fault for which
        CTP would let identifiers pass.
    UnloadableScript
        With `as_ctp`: CTP itself could not load the script.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError:
        raise Misconfigured(
            "script-missing", "The script cannot be read.", remedy="Name an existing file."
        ) from None
    except UnicodeDecodeError:
        raise Misconfigured(
            "script-encoding", "The script is not UTF-8 text.", remedy="Save it as UTF-8."
        ) from None
    if as_ctp:
        return read_script(text).with_parameters(parameters or {})
    return _checked(text, parameters or {})


def _checked(text: str, parameters: Mapping[str, str]) -> Script:
    script = read_script(text)
    unknown = sorted(set(parameters) - set(script.parameters))
    if unknown and not script.source.fault:
        raise Misconfigured(
            "script-parameter", f"The script has no parameter {unknown[0]!r}.", remedy="Correct its name."
        )
    script = script.with_parameters(parameters)
    findings = fatal(script)
    if findings:
        first = findings[0]
        raise Misconfigured(
            f"script-{first.rule}", f"Script line {first.line}: {first.sentence}", remedy=first.remedy
        )
    return script


def bundled_script(name: str) -> Path:
    """Return the path of a packaged script: ``stroke``, ``strict``, ``pet-suv``, ``routing``, ``net``, ...

    Raises
    ------
    Misconfigured
        There is no packaged script of that name.
    """
    folder = _PLACES.get(name)
    if folder is None:
        raise Misconfigured(
            "script-name",
            f"There is no packaged script {name!r}.",
            remedy=f"Use one of {', '.join(_PLACES)}.",
        )
    return _packaged(f"{folder}/{name}.script")


def bundled_profile(name: str) -> Path:
    """Return the path of the profile (YAML) of a packaged script; ``routing`` has none.

    Raises
    ------
    Misconfigured
        There is no packaged profile of that name.
    """
    if name not in _PLACES or name == "routing":
        raise Misconfigured(
            "profile-name",
            f"There is no packaged profile {name!r}.",
            remedy=f"Use one of {', '.join(sorted(set(_PLACES) - {'routing'}))}.",
        )
    return _packaged(f"profiles/{name}.yaml")


def _packaged(name: str) -> Path:
    installed = Path(str(resources.files("lethe"))) / "ctp-profiles" / name
    in_tree = Path(__file__).parents[3] / "ctp-profiles" / name
    for path in (installed, in_tree):
        if path.is_file():
            return path
    raise Misconfigured(
        "script-name", "The packaged scripts are missing.", remedy="Install the distribution again."
    )
