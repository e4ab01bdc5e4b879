"""Where files may lie in the JAR, and the directory entries they need."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lethe.plugin.fault import Fault
from lethe.plugin.jar import Jar, folders_of

_SCREENS = r"META-INF/resources/templates/screens/"
_OURS = re.compile(
    r"META-INF/MANIFEST\.MF|META-INF/LICENSE|META-INF/xnat/lethe-plugin\.properties"
    r"|META-INF/xnat/spawner/lethe/(project|site)-settings\.yaml"
    r"|META-INF/resources/(page/)?lethe/[\w./-]+"
    rf"|{_SCREENS}([\w-]+/)+Lethe\w+\.vm|{_SCREENS}XDATScreen_(report|edit)_lethe_\w+\.vm"
    r"|org/lethe/([\w]+/)*\w+\.class|org/nrg/xdat/om/Lethe\w+\.class"
    r"|schemas/lethe/lethe\.xsd|schemas/lethe/display/lethe_\w+_display\.xml"
)
_NEEDED = (
    "META-INF/MANIFEST.MF",
    "META-INF/xnat/lethe-plugin.properties",
    "META-INF/resources/lethe/index.html",
    "META-INF/resources/lethe/third-party-notices.txt",
    "schemas/lethe/lethe.xsd",
)


def layout_faults(jar: Jar) -> Iterator[Fault]:
    """Yield what is wrong with names and entries."""
    for folder in folders_of(jar.files):
        if folder not in jar.folders:
            yield Fault(
                "directory-entry",
                folder,
                "The folder has no entry of its own, so XNAT finds nothing in it and says nothing.",
                "Pack with scripts/build-plugin; zip tools leave directory entries out.",
            )
    for name in jar.twice:
        yield Fault("twice", name, "The JAR holds this file twice.", "Build it anew.")
    for name in jar.files:
        if not _OURS.fullmatch(name) or ".." in name.split("/"):
            yield Fault(
                "foreign-file",
                name,
                "The file lies outside the names of this plugin; it could hide one of XNAT.",
                "Leave it out, or begin its name with Lethe.",
            )
    for name in _NEEDED:
        if name not in jar.files:
            yield Fault("missing-file", name, "The file is not there.", "Build with scripts/build-plugin.")
