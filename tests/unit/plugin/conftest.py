"""A plugin JAR whose classes are written by hand, so that no compiler is needed."""

import struct
from pathlib import Path

import pytest

from lethe.plugin.build import Sources, contents
from lethe.plugin.java import PLUGIN_CLASS
from lethe.plugin.types import data_types

PROJECT = Path(__file__).parents[3]
ITEM, USER = "Lorg/nrg/xft/ItemI;", "Lorg/nrg/xft/security/UserI;"
METHODS = (
    ("<init>", "()V"),
    ("<init>", f"({ITEM})V"),
    ("<init>", f"({USER})V"),
    ("<init>", f"(Ljava/util/Hashtable;{USER})V"),
    ("getSchemaElementName", "()Ljava/lang/String;"),
)


def class_file(name, base, methods=METHODS, major=52, flags=1):
    """A class file with empty methods; also holds a long constant, which takes two places of the pool."""
    pool, places = b"", {}

    def text(value):
        nonlocal pool
        if value not in places:
            places[value] = len(places) + 1
            pool += struct.pack(">BH", 1, len(value)) + value.encode()
        return places[value]

    members = b"".join(struct.pack(">HHHH", flags, text(n), text(kind), 0) for n, kind in methods)
    own, above = text(name), text(base)
    count = len(places)
    pool += struct.pack(">BHBH", 7, own, 7, above) + struct.pack(">Bq", 5, 42)
    head = struct.pack(">IHHH", 0xCAFEBABE, 0, major, count + 5)
    body = struct.pack(">HHHHHH", 0x21, count + 1, count + 2, 0, 0, len(methods))
    return head + pool + body + members + struct.pack(">H", 0)


def classes(**change):
    """The classes of the plugin."""
    main = PLUGIN_CLASS.replace(".", "/")
    found = {f"{main}.class": class_file(main, "java/lang/Object", METHODS[:1])}
    for one in data_types():
        name = one.class_name.replace(".", "/")
        base = "XnatImageassessordata" if one.of_images else "XnatSubjectassessordata"
        found[f"{name}.class"] = class_file(name, f"org/nrg/xdat/om/{base}", **change)
    return found


@pytest.fixture(scope="session")
def sources():
    return Sources.of(PROJECT)


@pytest.fixture
def files(good):
    """Name and content of every file of a JAR without fault."""
    return dict(good)


@pytest.fixture(scope="session")
def good(sources):
    app = {"index.html": b'<script src="./assets/a.js"></script>', "third-party-notices.txt": b"none"}
    found = contents(sources, "1.2.3", classes())
    kept = {
        name: data for name, data in found.items() if not name.startswith("META-INF/resources/lethe/assets/")
    }
    return kept | {f"META-INF/resources/lethe/{name}": data for name, data in app.items()}
