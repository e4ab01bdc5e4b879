"""The classes: their format, names and what XNAT calls of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lethe.plugin.fault import Fault
from lethe.plugin.jar import Jar

FORMAT = 52
"""Class format of Java 8, the oldest that an XNAT 1.8 runs on."""

_PUBLIC = 0x0001
_ITEM, _USER = "Lorg/nrg/xft/ItemI;", "Lorg/nrg/xft/security/UserI;"
_CONSTRUCTORS = ("()V", f"({_ITEM})V", f"({_USER})V", f"(Ljava/util/Hashtable;{_USER})V")
_BASES = {
    "xnat:subjectAssessorData": "org/nrg/xdat/om/XnatSubjectassessordata",
    "xnat:imageAssessorData": "org/nrg/xdat/om/XnatImageassessordata",
}


@dataclass(frozen=True, slots=True)
class ClassFile:
    """What a class file says of itself: format, own name, name of its base, public methods."""

    format: int
    name: str
    base: str
    methods: frozenset[tuple[str, str]]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(">" + form, self._data, self._at)
        self._at += struct.calcsize(">" + form)
        return found

    def skip(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]


def read_class(data: bytes) -> ClassFile | None:
    """Read a class file; None when it is none."""
    if data[:4] != b"\xca\xfe\xba\xbe":
        return None
    try:
        return _read_class(_Reader(data))
    except (struct.error, KeyError, UnicodeDecodeError):
        return None


def _read_class(reader: _Reader) -> ClassFile:
    _, _, major, count = reader.take("IHHH")
    texts, names = _constants(reader, count)
    _, own, base, interfaces = reader.take("HHHH")
    reader.skip(2 * interfaces)
    _members(reader, texts)  # fields
    methods = _members(reader, texts)
    public = {(name, kind) for flags, name, kind in methods if flags & _PUBLIC}
    return ClassFile(major, texts[names[own]], texts[names[base]], frozenset(public))


def _constants(reader: _Reader, count: int) -> tuple[dict[int, str], dict[int, int]]:
    texts, names, place = {}, {}, 1
    sizes = {3: 4, 4: 4, 5: 8, 6: 8, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4}
    while place < count:
        (tag,) = reader.take("B")
        if tag == 1:
            texts[place] = reader.skip(reader.take("H")[0]).decode("utf-8")
        elif tag == 7:
            (names[place],) = reader.take("H")
        else:
            reader.skip(sizes[tag])
        place += 2 if tag in (5, 6) else 1  # long and double take two places
    return texts, names


def _members(reader: _Reader, texts: Mapping[int, str]) -> list[tuple[int, str, str]]:
    found = []
    for _ in range(reader.take("H")[0]):
        flags, name, kind, attributes = reader.take("HHHH")
        for _ in range(attributes):
            _, size = reader.take("HI")
            reader.skip(size)
        found.append((flags, texts[name], texts[kind]))
    return found


def expected_class(prefix: str, element: str) -> str:
    """Return where XNAT looks for the class of a type: first letters large, all others small."""
    return f"org/nrg/xdat/om/{prefix.capitalize()}{element.capitalize()}"


def class_faults(jar: Jar, types: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what is wrong with the classes; `types` maps the types of the schema to their bases."""
    read = {name: read_class(jar.files[name]) for name in jar.below("org/", ".class")}
    for name, found in read.items():
        if found is None:
            yield Fault("class-file", name, "This is no class file.", "Compile it anew.")
        elif found.format != FORMAT:
            yield Fault(
                "class-format",
                name,
                f"The class has format {found.format}; an XNAT on Java 8 cannot load it.",
                "Compile with javac --release 8.",
            )
        elif f"{found.name}.class" != name:
            yield Fault("class-name", name, "The class lies where its name does not point.", "Move it.")
    for kind, base in types.items():
        place = expected_class(*kind.split(":")) + ".class"
        if place not in read:
            yield Fault(
                "type-class",
                place,
                f"The class of {kind} is missing; XNAT would fail on each store of one.",
                "Compile plugin/java; mind that only the first letters are large.",
            )
        elif (found := read[place]) is not None:
            yield from _type_class(place, found, base)


def _type_class(place: str, found: ClassFile, base: str) -> Iterator[Fault]:
    if found.base != _BASES.get(base):
        yield Fault(
            "class-base",
            place,
            "The class does not extend that of the type it is derived from.",
            "Run lethe plugin generate and compile.",
        )
    wanted = [("<init>", kind) for kind in _CONSTRUCTORS] + [("getSchemaElementName", "()Ljava/lang/String;")]
    for name, kind in wanted:
        if (name, kind) not in found.methods:
            shown = "constructor" if name == "<init>" else name
            yield Fault(
                "class-method",
                place,
                f"The public {shown} {kind} is missing; XNAT calls it.",
                "Run lethe plugin generate and compile.",
            )
