"""The plugin with a real Java compiler, a real Velocity and a real PostgreSQL."""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from lxml import etree, html

from lethe.plugin.build import Sources, build
from lethe.plugin.check import check_jar
from lethe.plugin.jar import read
from lethe.plugin.java import PLUGIN_CLASS
from lethe.plugin.rules import words
from lethe.plugin.rules.schemas import Model, schema_faults
from lethe.plugin.types import data_types

PROJECT = Path(__file__).resolve().parents[2]
HARNESS = PROJECT / "tests" / "data" / "plugin-java"
VELOCITY = ":".join(
    f"/usr/share/java/{name}.jar" for name in ("velocity", "commons-collections3", "commons-lang")
)
SCREENS = "META-INF/resources/templates/screens"
EVIL = "\"><script>alert('x')</script>"
POSTGRES = Path("/usr/lib/postgresql/15/bin")
CLASSES = [PLUGIN_CLASS, *(one.class_name for one in data_types())]


@pytest.fixture(scope="module")
def jar(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "lethe-plugin-9.8.7.jar"
    path.write_bytes(build(Sources.of(PROJECT), "9.8.7"))
    return path


def test_the_built_jar_has_no_fault(jar):
    report = check_jar(jar)
    assert report.faults == ()
    assert report.version == "9.8.7"


def test_two_builds_give_the_same_bytes(jar):
    again = build(Sources.of(PROJECT), "9.8.7")
    assert hashlib.sha256(again).hexdigest() == check_jar(jar).sha256


def test_the_classes_are_of_java_8_and_load_against_the_signatures(jar, tmp_path):
    with zipfile.ZipFile(jar) as archive:
        names = [name for name in archive.namelist() if name.endswith(".class")]
        assert sorted(names) == sorted(f"{name.replace('.', '/')}.class" for name in CLASSES)
        assert {archive.read(name)[6:8] for name in names} == {b"\x00\x34"}
    signatures = [str(path) for path in (PROJECT / "plugin" / "java-signatures").rglob("*.java")]
    java("javac", "--release", "8", "-Xlint:-options", "-d", str(tmp_path), *signatures)
    told = java("java", "-cp", f"{tmp_path}:{jar}", str(HARNESS / "Load.java"), *CLASSES).splitlines()
    assert told == [
        f"{PLUGIN_CLASS} java.lang.Object - 1",
        "org.nrg.xdat.om.LetheClinicaldata org.nrg.xdat.om.XnatSubjectassessordata lethe:clinicalData 4",
        "org.nrg.xdat.om.LetheDefaceqcdata org.nrg.xdat.om.XnatImageassessordata lethe:defaceQcData 4",
    ]


@pytest.fixture(scope="module")
def templates(jar, tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates")
    with zipfile.ZipFile(jar) as archive:
        names = [name for name in archive.namelist() if name.startswith(SCREENS) and name.endswith(".vm")]
        for name in names:
            archive.extract(name, folder)
    assert len(names) == 8
    return folder / SCREENS, [name.removeprefix(f"{SCREENS}/") for name in names]


def render(templates, out, value, *, editable=True):
    folder, names = templates
    out.mkdir()
    head = [str(HARNESS), str(folder), str(out), value, str(editable).lower()]
    java("java", "-cp", VELOCITY, str(HARNESS / "Render.java"), *head, *names)
    return {path.name: path.read_text("utf-8") for path in out.iterdir()}


def test_every_fragment_parses_and_nothing_of_velocity_is_left_in_it(templates, tmp_path):
    for name, text in render(templates, tmp_path / "out", "XNAT_E00001").items():
        assert not re.search(r"\$\w|#(?:set|if|end|escape|else)", text), name
        assert html.fromstring(f"<div>{text}</div>") is not None


def test_entries_lead_to_the_screens_of_the_dashboard_below_a_context_path(templates, tmp_path):
    pages = render(templates, tmp_path / "out", "ID1")
    app = "/xnat/lethe/index.html"
    wanted = {
        "topBar+Browse+LetheCollections.vm": app,
        "xnat_projectData+actionsBox+LetheDashboard.vm": f"{app}#/c/ID1",
        "xnat_imageSessionData+actionsBox+LetheDeface.vm": f"{app}#/c/ID1/s/ID1",
        "XDATScreen_report_lethe_clinicalData.vm": f"{app}#/c/ID1/clinical",
        "XDATScreen_edit_lethe_clinicalData.vm": f"{app}#/c/ID1/clinical",
        "XDATScreen_report_lethe_defaceQcData.vm": f"{app}#/c/ID1/review",
    }
    for name, address in wanted.items():
        assert html.fromstring(f"<div>{pages[name]}</div>").xpath("//a/@href") == [address], name


@pytest.mark.requirement("E-75")
def test_script_in_every_value_is_shown_as_text(templates, tmp_path):
    pages = render(templates, tmp_path / "out", EVIL)
    shown = 0
    for name, text in pages.items():
        page = html.fromstring(f"<div>{text}</div>")
        assert not [one for one in page.xpath("//script/text()") if "alert" in one], name
        assert all(not str(attribute).startswith("on") for one in page.iter() for attribute in one.attrib), (
            name
        )
        shown += EVIL in "".join(page.itertext()) or EVIL in "".join(
            page.xpath("//@href | //@data-session | //@src")
        )
    assert shown == 7  # all but the entry of the top bar, which shows no value


def test_a_reader_gets_no_entry_to_de_face_and_a_page_without_item_stays_quiet(templates, tmp_path):
    name = "xnat_imageSessionData+actionsBox+LetheDeface.vm"
    assert "<a" not in render(templates, tmp_path / "reader", "ID1", editable=False)[name]
    empty = render(templates, tmp_path / "empty", "")
    assert "<a" not in empty["xnat_projectData+actionsBox+LetheDashboard.vm"]
    assert "<iframe" not in empty["xnat_projectData+tabs+LetheCollection.vm"]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A PostgreSQL of its own, reached through a socket in its folder."""
    folder = tmp_path_factory.mktemp("postgres")
    account = {"user": "postgres"} if os.getuid() == 0 else {}
    if account:
        for part in (folder, *folder.parents):
            if not part.stat().st_mode & 0o001:  # how deep it lies depends on how the tests are started
                part.chmod(0o755)
        shutil.chown(folder, pwd.getpwnam("postgres").pw_uid)
    place, options = str(folder / "data"), f"-k {folder} -c listen_addresses= -c fsync=off"

    def run(*command):
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, cwd="/", **account
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run(POSTGRES / "initdb", "-D", place, "-A", "trust", "-U", "postgres")
    # the server keeps the pipes of who starts it: its log goes to a file
    run(POSTGRES / "pg_ctl", "-D", place, "-o", options, "-l", f"{folder}/log", "-w", "start")
    yield lambda sql: run(POSTGRES / "psql", "-h", str(folder), "-U", "postgres", "-Atc", sql)
    run(POSTGRES / "pg_ctl", "-D", place, "-m", "immediate", "-w", "stop")


SQL_TYPES = {
    "xs:string": "VARCHAR(255)",
    "xs:integer": "INTEGER",
    "xs:float": "FLOAT",
    "xs:dateTime": "TIMESTAMP",
}


def test_postgresql_takes_the_tables_as_xnat_writes_them_without_quotes(database, jar):
    model = Model()
    assert list(schema_faults(read(jar), model)) == []
    for kind, columns in model.columns.items():
        table = kind.replace(":", "_")
        rows = ", ".join(f"{name} {SQL_TYPES[column.type]}" for name, column in columns.items())
        database(f"CREATE TABLE {table} (id VARCHAR(255), {rows})")
        told = database(f"SELECT count(*) FROM information_schema.columns WHERE table_name='{table.lower()}'")
        assert int(told) == len(columns) + 1


def test_the_words_that_are_refused_are_those_that_postgresql_refuses(database):
    reserved = database("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')").split()
    assert set(reserved) == words.SQL


def test_the_queries_of_the_display_documents_run(database, jar):
    database(
        "CREATE TABLE xnat_experimentdata (id TEXT, label TEXT, project TEXT, extension INT);"
        "CREATE TABLE xnat_experimentdata_share"
        " (sharing_share_xnat_experimentda_id TEXT, label TEXT, project TEXT);"
        "CREATE TABLE xdat_meta_element (xdat_meta_element_id INT, element_name TEXT);"
        "CREATE TABLE xnat_experimentdata_field"
        " (fields_field_xnat_experimentdat_id TEXT, name TEXT, field TEXT);"
        # XNAT makes this aggregate when it sets its database up
        "CREATE AGGREGATE xs_a_concat(text) (sfunc = textcat, stype = text, initcond = '');"
        "INSERT INTO xdat_meta_element VALUES (1, 'lethe:clinicalData');"
        "INSERT INTO xnat_experimentdata VALUES ('E1', 'S1_CLIN_1', 'A', 1);"
        "INSERT INTO xnat_experimentdata_share VALUES ('E1', 'other', 'B');"
        "INSERT INTO xnat_experimentdata_field VALUES ('E1', 'mood', 'good')"
    )
    document = etree.fromstring(read(jar).files["schemas/lethe/display/lethe_clinicalData_display.xml"])
    view = document.find("SQLView").get("sql")
    assert database(view).strip() == "E1|<A>, B"
    identifier, variable = (one.text for one in document.iter("SubQuery"))
    assert database(identifier.replace("@WHERE", "B")).strip() == "other|E1"
    assert database(identifier.replace("@WHERE", "A")).strip() == "S1_CLIN_1|E1"
    assert database(variable.replace("@WHERE", "mood")).strip() == "E1|good"


def java(*command):
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
