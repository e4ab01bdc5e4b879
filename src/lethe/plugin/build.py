"""Build the JAR: compile three classes, generate the documents, add the app and the pages, pack."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lethe.errors import Misconfigured, Unavailable
from lethe.files import write_bytes
from lethe.plugin.browser import dictionary_json
from lethe.plugin.display import display, display_path
from lethe.plugin.jar import pack
from lethe.plugin.java import PLUGIN_CLASS, java_class
from lethe.plugin.pages import pages
from lethe.plugin.readme import tables_into
from lethe.plugin.schema import SCHEMA_PATH, schema
from lethe.plugin.types import PREFIX, data_types

_RELEASE = "8"  # the oldest Java below an XNAT 1.8
_APP = "META-INF/resources/lethe/"
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the parts of the plugin lie.

    Attributes
    ----------
    plugin : Path
        The folder ``plugin`` of the project.
    app : Path
        The built app, as the embedded archive serves it.
    licence : Path
    """

    plugin: Path
    app: Path
    licence: Path

    @classmethod
    def of(cls, project: Path) -> Sources:
        """Return the places inside a working copy of the project.

        Raises
        ------
        Misconfigured
            The folder is none.
        """
        sources = cls(
            project / "plugin", project / "src" / "lethe" / "archive" / "dashboard", project / "LICENSE"
        )
        if not (sources.plugin / "java").is_dir():
            raise Misconfigured(
                "plugin-sources",
                "The sources of the plugin are not here.",
                remedy="Run it in a working copy of the project, or name one with --project.",
            )
        return sources


def generated(sources: Sources) -> dict[Path, str]:
    """Return place and text of every committed file that is generated."""
    java = sources.plugin / "java"
    found = {java / f"{one.class_name.replace('.', '/')}.java": java_class(one) for one in data_types()}
    found[sources.plugin / "dashboard" / "src" / "generated" / "dictionary.json"] = dictionary_json()
    readme = sources.plugin / "README.md"
    found[readme] = tables_into(readme.read_text("utf-8"))
    return found


def generate(sources: Sources, *, dry_run: bool = False) -> list[Path]:
    """Write the generated files that are not up to date (none with `dry_run`), and return them."""
    stale = [
        path
        for path, text in generated(sources).items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    if not dry_run:
        texts = generated(sources)
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, texts[path].encode())
    return stale


def build(sources: Sources, version: str) -> bytes:
    """Return the JAR of a version; equal sources give equal bytes with one JDK.

    Raises
    ------
    Misconfigured
        The app is not built, or generated files are not up to date.
    Unavailable
        There is no Java compiler, or it refuses the sources.
    """
    if stale := generate(sources, dry_run=True):
        raise Misconfigured(
            "plugin-stale",
            f"{stale[0].name} is not what the dictionary says now.",
            remedy="Run lethe plugin generate and commit the result.",
        )
    return pack(contents(sources, version, compile_classes(sources)))


def contents(sources: Sources, version: str, classes: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the JAR; raises like `build`."""
    if not (sources.app / "index.html").is_file():
        raise Misconfigured(
            "no-app", "The dashboard is not built.", remedy="Run scripts/build-dashboard first."
        )
    files = {
        "META-INF/MANIFEST.MF": _manifest(version),
        "META-INF/LICENSE": sources.licence.read_bytes(),
        f"META-INF/xnat/{PREFIX}-plugin.properties": _properties(version).encode(),
        SCHEMA_PATH: schema().encode(),
        **{display_path(one): display(one).encode() for one in data_types()},
        **{path: text.encode() for path, text in pages().items()},
        **classes,
    }
    for folder, prefix in ((sources.plugin / "resources", ""), (sources.app, _APP)):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                files[prefix + path.relative_to(folder).as_posix()] = path.read_bytes()
    return files


def compile_classes(sources: Sources) -> dict[str, bytes]:
    """Compile the classes against our own signatures of XNAT's; raises like `build`."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        signatures = _sources(sources.plugin / "java-signatures")
        classes = _sources(sources.plugin / "java")
        _javac([*_options(out / "signatures"), *signatures])
        _javac([*_options(out / "classes"), "-classpath", str(out / "signatures"), *classes])
        return {
            path.relative_to(out / "classes").as_posix(): path.read_bytes()
            for path in sorted((out / "classes").rglob("*.class"))
        }


def _sources(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*.java"))


def _options(target: Path) -> list[str]:
    target.mkdir()
    # no debug information: it would hold nothing but names; the Java 8 notice of newer compilers is known
    return [
        "-d",
        str(target),
        "--release",
        _RELEASE,
        "-g:none",
        "-proc:none",
        "-Xlint:-options",
        "-encoding",
        "UTF-8",
    ]


def _javac(arguments: list[str]) -> None:
    try:
        subprocess.run(
            ["javac", *arguments], check=True, capture_output=True, timeout=_TIMEOUT_SECONDS, text=True
        )
    except FileNotFoundError:
        raise Unavailable(
            "javac",
            "There is no Java compiler.",
            remedy="On Debian: apt-get install openjdk-17-jdk-headless.",
        ) from None
    except subprocess.CalledProcessError as error:
        first = next((line for line in error.stderr.splitlines() if "error" in line), "no message")
        raise Unavailable("javac", f"The compiler refuses the sources: {Path(first).name}.") from None
    except subprocess.TimeoutExpired:
        raise Unavailable("javac", "The compiler did not end within two minutes.") from None


def _manifest(version: str) -> bytes:
    return (
        "Manifest-Version: 1.0\r\n"
        "Implementation-Title: Lethe XNAT plugin\r\n"
        f"Implementation-Version: {version}\r\n\r\n"
    ).encode()


def _properties(version: str) -> str:
    lines = [
        "# Generated by lethe plugin build.",
        f"id={PREFIX}",
        f"class={PLUGIN_CLASS}",
        "name=Lethe",
        f"version={version}",
        "description=De-identified collections: clinical records, de-facing QC and their dashboard",
    ]
    for one in data_types():
        prefix = f"dataModel.{PREFIX}.{one.record.element}"
        # without secured=true the type gets no permissions and exists for nobody
        lines += [f"{prefix}.secured=true", f"{prefix}.singular={one.singular}"]
        lines += [f"{prefix}.plural={one.plural}", f"{prefix}.code={one.code}"]
    return "\n".join(lines) + "\n"
