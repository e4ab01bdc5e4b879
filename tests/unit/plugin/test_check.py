"""Broken JARs: each fault is named, with a remedy."""

import io
import json
import zipfile

import pytest
from typer.testing import CliRunner

from lethe.cli.plugin import app
from lethe.errors import Misconfigured, Refused
from lethe.plugin.check import check_jar
from lethe.plugin.jar import pack
from lethe.plugin.released import read_record
from unit.plugin.conftest import METHODS, PROJECT, class_file

XSD = "schemas/lethe/lethe.xsd"
PROPERTIES = "META-INF/xnat/lethe-plugin.properties"
CLINICAL = "org/nrg/xdat/om/LetheClinicaldata"
DISPLAY = "schemas/lethe/display/lethe_clinicalData_display.xml"
SCREENS = "META-INF/resources/templates/screens"
BASE = "org/nrg/xdat/om/XnatSubjectassessordata"


def change(name, old, new, count=-1):
    """A change of one text in one file."""

    def made(files):
        assert old.encode() in files[name]
        return {**files, name: files[name].replace(old.encode(), new.encode(), count)}

    return made


def add(name, text=""):
    return lambda files: {**files, name: text.encode() if isinstance(text, str) else text}


def drop(name):
    return lambda files: {key: data for key, data in files.items() if key != name}


def rename(old, new):
    return lambda files: {new if key == old else key: data for key, data in files.items()}


def element(text):
    """An element more in the clinical type."""
    return change(XSD, '          <xs:element name="event_no"', f'{text}<xs:element name="event_no"')


def simple(name, kind="xs:string"):
    return f'<xs:element name="{name}" minOccurs="0" type="{kind}"/>'


LONG = "a_long_name_that_says_too_much"
NESTED = (
    f'<xs:element name="{LONG}" minOccurs="0"><xs:complexType><xs:sequence>'
    f"{simple('that_goes_on_and_on_and_on_twice_one')}{simple('that_goes_on_and_on_and_on_twice_two')}"
    "</xs:sequence></xs:complexType></xs:element>"
)

BROKEN = {
    # layout
    "a file of another plugin": (add("META-INF/resources/scripts/app.js"), "foreign-file"),
    "a fragment with another's name": (add(f"{SCREENS}/topBar/Browse/Run.vm"), "foreign-file"),
    "the header of every page": (add(f"{SCREENS}/header/Default.vm"), "foreign-file"),
    "no app": (drop("META-INF/resources/lethe/index.html"), "missing-file"),
    # properties
    "no class key": (change(PROPERTIES, "class=", "klass="), "plugin-key"),
    "no id": (change(PROPERTIES, "id=lethe\n", ""), "plugin-key"),
    "another id": (change(PROPERTIES, "id=lethe\n", "id=other\n"), "plugin-id"),
    "a class that is not there": (change(PROPERTIES, "xnat.LethePlugin", "xnat.Gone"), "plugin-class"),
    "a type without rights": (
        change(PROPERTIES, "defaceQcData.secured=true", "defaceQcData.secured=no"),
        "not-secured",
    ),
    "an apostrophe": (
        change(PROPERTIES, "singular=Stroke record", "singular=Patient's record"),
        "apostrophe",
    ),
    "a type without plural": (change(PROPERTIES, "plural=Stroke records", "plural="), "type-name"),
    "a type that the schema lacks": (
        change(PROPERTIES, "# Gen", "dataModel.lethe.x.code=X\n# Gen"),
        "unknown-type",
    ),
    "another version than the file": (change(PROPERTIES, "version=1.2.3", "version=1.2.4"), "version"),
    # classes
    "a class for a newer Java": (
        add(f"{CLINICAL}.class", class_file(CLINICAL, BASE, major=61)),
        "class-format",
    ),
    "a class of large letters": (
        rename(f"{CLINICAL}.class", "org/nrg/xdat/om/LetheClinicalData.class"),
        "type-class",
    ),
    "a class at the wrong place": (
        rename(f"{CLINICAL}.class", "org/nrg/xdat/om/LetheClinicalData.class"),
        "class-name",
    ),
    "a missing constructor": (
        add(f"{CLINICAL}.class", class_file(CLINICAL, BASE, METHODS[1:])),
        "class-method",
    ),
    "private methods": (add(f"{CLINICAL}.class", class_file(CLINICAL, BASE, flags=2)), "class-method"),
    "a wrong base": (add(f"{CLINICAL}.class", class_file(CLINICAL, "java/lang/Object")), "class-base"),
    "no class file at all": (add(f"{CLINICAL}.class", b"\xca\xfe\xba\xbe\0"), "class-file"),
    # schema
    "a schema two folders deep": (rename(XSD, "schemas/lethe/more/lethe.xsd"), "schema-place"),
    "a reserved name": (rename(XSD, "schemas/lethe/xdat.xsd"), "schema-name"),
    "another prefix of XML Schema": (
        lambda files: {**files, XSD: files[XSD].replace(b"xs:", b"xsd:").replace(b"ns:xs=", b"ns:xsd=")},
        "schema-prefix",
    ),
    "an import of a stranger": (change(XSD, "../xnat/xnat.xsd", "../strange/strange.xsd"), "schema-import"),
    "unqualified elements": (change(XSD, 'elementFormDefault="qualified"', ""), "schema-namespace"),
    "a schema that does not parse": (change(XSD, "</xs:schema>", ""), "schema-xml"),
    "a word of SQL": (element(simple("order")), "sql-word"),
    "a name of the base": (element(simple("note")), "base-name"),
    "a large letter": (element(simple("strokeType")), "element-name"),
    "a name of 31 characters": (element(simple("a" * 31)), "element-name"),
    "a dot": (element(simple("a.b")), "element-name"),
    "two names that are one when cut": (element(NESTED), "column-collision"),
    "a byte": (element(simple("tiny", "xs:byte")), "element-type"),
    "a boolean": (element(simple("sure", "xs:boolean")), "element-type"),
    "a required element": (element('<xs:element name="must" type="xs:string"/>'), "element-required"),
    "a base of our own": (change(XSD, 'base="xnat:subjectAssessorData"', 'base="lethe:thing"'), "type-base"),
    "a type with an underscore": (
        lambda files: {**files, XSD: files[XSD].replace(b"clinicalData", b"clinical_data")},
        "type-name",
    ),
    "a type without element": (
        change(XSD, '<xs:element name="DefaceQc" type="lethe:defaceQcData"/>', ""),
        "type-element",
    ),
    # display
    "a path that does not exist": (
        change(DISPLAY, "lethe:clinicalData.inr", "lethe:clinicalData.irn"),
        "display-path",
    ),
    "an attribute misspelt": (change(DISPLAY, 'id="INR"', 'ID="INR"', 1), "display-attribute"),
    "no display": (drop(DISPLAY), "display-missing"),
    "a display of nothing": (
        change(DISPLAY, 'schema-element="lethe:clinicalData"', 'schema-element="a:b"'),
        "display-type",
    ),
    "no label": (change(DISPLAY, '<DisplayField id="LABEL"', '<DisplayField id="LABLE"'), "display-field"),
    "a field twice": (change(DISPLAY, '<DisplayField id="INR"', '<DisplayField id="TOAST"'), "display-field"),
    "no arc": (change(DISPLAY, '<Arc name="PARTICIPANT_EXPERIMENT">', '<Arc name="OTHER">'), "display-arc"),
    "no csv": (change(DISPLAY, 'versionName="listing_csv"', 'versionName="csv"'), "display-version"),
    "no view": (change(DISPLAY, "<SQLView name=", "<SQLView nom="), "display-view"),
    "a display that does not parse": (change(DISPLAY, "</Displays>", ""), "display-xml"),
    # pages
    "an address from elsewhere": (
        add("META-INF/resources/lethe/index.html", '<script src="https://cdn.example/a.js"></script>'),
        "absolute-address",
    ),
    "an address from the root": (
        add("META-INF/resources/lethe/index.html", "<link href=/lethe/a.css rel=stylesheet>"),
        "absolute-address",
    ),
    "a style from elsewhere": (
        add("META-INF/resources/lethe/assets/a.css", "a{background:url(//x.example/a.png)}"),
        "absolute-address",
    ),
    "a value that is not escaped": (
        add(f"{SCREENS}/xnat_projectData/actionsBox/LetheX.vm", '<li>$item.getStringProperty("label")</li>'),
        "unescaped",
    ),
    "a variable that is not escaped": (
        add(
            f"{SCREENS}/xnat_projectData/actionsBox/LetheX.vm", '#set($letheValue = "x")<li>$!letheValue</li>'
        ),
        "unescaped",
    ),
    "a key in the wrong letter case": (
        add(f"{SCREENS}/xnat_projectData/tabs/LetheX.vm", "<!-- divname: x -->"),
        "fragment-key",
    ),
    "a path without login": (
        add(
            f"{SCREENS}/xnat_projectData/tabs/LetheX.vm",
            '<script src="$content.getURI("/scripts/x.js")"></script>',
        ),
        "open-path",
    ),
}


def write(folder, files, name="lethe-plugin-1.2.3.jar"):
    path = folder / name
    path.write_bytes(pack(files))
    return path


def codes(path, released=None):
    report = check_jar(path, released)
    assert all(fault.sentence and fault.remedy and fault.place for fault in report.faults)
    return [fault.code for fault in report.faults]


def test_ours_has_no_fault(tmp_path, files):
    assert codes(write(tmp_path, files)) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_jar_names_its_fault(tmp_path, files, name):
    breaking, code = BROKEN[name]
    assert code in codes(write(tmp_path, breaking(files)))


def test_a_zip_made_of_files_only_loads_nothing_and_is_refused(tmp_path, files):
    path = tmp_path / "lethe-plugin-1.2.3.jar"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert set(codes(path)) == {"directory-entry"}


def test_a_file_that_is_there_twice_is_named(tmp_path, files):
    path = write(tmp_path, files)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(XSD, files[XSD])
    assert codes(path) == ["twice"]


def test_a_jar_whose_name_carries_no_version_is_named(tmp_path, files):
    assert codes(write(tmp_path, files, "lethe.jar")) == ["file-name"]


def test_two_plugins_in_one_jar_are_named(tmp_path, files):
    second = files | {"META-INF/xnat/other-plugin.properties": files[PROPERTIES]}
    assert "second-plugin" in codes(write(tmp_path, second))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip", None])
def test_what_is_no_jar_is_refused(tmp_path, data):
    path = tmp_path / "lethe-plugin-1.jar"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Refused):
        check_jar(path)


NARROWER = {
    "an element is gone": (
        '<xs:element name="inr" minOccurs="0">',
        '<xs:element name="inr_value" minOccurs="0">',
    ),
    "an element has another type": ('<xs:restriction base="xs:integer">', '<xs:restriction base="xs:float">'),
    "a code is gone": ('<xs:enumeration value="lams"/>', ""),
    "a number may be less high": ('<xs:maxInclusive value="42"/>', '<xs:maxInclusive value="40"/>'),
    "a number may be less low": ('<xs:minInclusive value="3"/>', '<xs:minInclusive value="4"/>'),
    "a text may be less long": ('<xs:maxLength value="2000"/>', '<xs:maxLength value="200"/>'),
    "a base is another": ('base="xnat:imageAssessorData"', 'base="xnat:subjectAssessorData"'),
}


@pytest.mark.parametrize("name", NARROWER)
def test_what_was_released_is_never_taken_away(tmp_path, files, name):
    released = check_jar(write(tmp_path, files)).record
    faults = codes(write(tmp_path, change(XSD, *NARROWER[name], 1)(files)), released)
    assert set(faults) & {"released-name", "released-type"}


def test_what_was_released_may_grow(tmp_path, files):
    released = check_jar(write(tmp_path, files)).record
    wider = change(XSD, '<xs:maxInclusive value="42"/>', '<xs:maxInclusive value="50"/>')(files)
    wider = change(
        XSD, '<xs:enumeration value="lams"/>', '<xs:enumeration value="lams"/><xs:enumeration value="x"/>'
    )(wider)
    wider = change(XSD, "          <xs:element", f"{simple('added')}<xs:element", 1)(wider)
    assert not {"released-name", "released-type"} & set(codes(write(tmp_path, wider), released))


def test_the_record_of_a_release_is_read_or_refused(tmp_path):
    path = tmp_path / "released.json"
    for text in (None, "[]", "{", '{"types": {"a": 1}}'):
        if text is not None:
            path.write_text(text)
        with pytest.raises(Misconfigured):
            read_record(path)


def test_the_command_line_prints_faults_and_ends_as_refused(tmp_path, files):
    path = write(tmp_path, change(PROPERTIES, "id=lethe\n", "")(files))
    ran = CliRunner().invoke(app, ["check", str(path), "--output", "json"])
    assert isinstance(ran.exception, Refused)
    shown = json.loads(ran.stdout)
    assert [fault["code"] for fault in shown["faults"]] == ["plugin-key"]
    assert shown["types"] == {"lethe:clinicalData": 77, "lethe:defaceQcData": 22}


def test_a_release_is_recorded_once_the_jar_has_no_fault(tmp_path, files):
    (tmp_path / "plugin").mkdir()
    good, bad = write(tmp_path, files), write(tmp_path, drop(XSD)(files), "lethe-plugin-1.2.4.jar")
    runner, options = CliRunner(), ["--project", str(tmp_path)]
    assert isinstance(runner.invoke(app, ["release", str(bad), *options]).exception, Refused)
    assert runner.invoke(app, ["release", str(good), *options, "--dry-run"]).exit_code == 0
    assert not (tmp_path / "plugin" / "released.json").exists()
    assert runner.invoke(app, ["release", str(good), *options]).exit_code == 0
    assert codes(good, read_record(tmp_path / "plugin" / "released.json")) == []


def test_packing_twice_gives_the_same_bytes_and_an_entry_for_every_folder(files):
    first = pack(files)
    assert first == pack(dict(reversed(files.items())))
    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert names[:2] == ["META-INF/", "META-INF/MANIFEST.MF"]
    folders = ["META-INF/xnat/", "schemas/", "schemas/lethe/", "schemas/lethe/display/",
               "META-INF/xnat/spawner/lethe/", f"{SCREENS}/topBar/Browse/"]  # fmt: skip
    assert set(folders) <= set(names)
    assert all(
        names.index(folder) < names.index(name)
        for folder in folders
        for name in names
        if name.startswith(folder) and name != folder
    )


def test_ours_takes_nothing_away_from_the_last_release(tmp_path, files):
    released = read_record(PROJECT / "plugin" / "released.json")
    assert codes(write(tmp_path, files), released) == []
