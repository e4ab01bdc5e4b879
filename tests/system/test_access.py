"""The daily work on access: every deed with its reason on a trail that shows what is done to it."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kit import phantom, series
from kit.people import people
from lethe.errors import Outcome, Refused
from lethe.governance.collection import Collection
from lethe.governance.gates import SeriesRecord
from lethe.release.publication import IntakeSeries, plan_publication
from lethe.xnat import publish, records, send, terms
from lethe.xnat.access import Access
from lethe.xnat.client import connect
from lethe.xnat.intake import Scan
from lethe.xnat.trail import Trail
from system.collection_site import ETHICS, SIGNED, CollectionSite, file_data, fresh

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectionSite]:
    found = CollectionSite(tmp_path_factory.mktemp("site"))
    yield found
    found.stop()


@pytest.fixture
def name(site) -> str:
    chosen = fresh()
    data = file_data(chosen)
    data["centres"]["OLD"] = {"name": "Old", "agreement": {**SIGNED, "until": "2020-12-31"}}
    site.apply(data)
    return chosen


def access(site: CollectionSite, name: str, login: str = "owner") -> Access:
    with site.archive(login) as archive:
        return Access(archive, Collection(name), records.caller(archive))


def trail_path(name: str) -> str:
    return f"/data/projects/{name}_INTAKE/resources/ACCESS_TRAIL/files"


# ---- deeds ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("E-09", "E-15", "E-16", "E-35")
def test_grant_list_revoke_and_audit_on_the_command_line(site, name):
    def lethe(*words: str) -> Any:
        return site.lethe("access", *words, login="owner")

    grant = ("grant", name, "stranger", "member", "--centre", "ZRH", "--why", "project 12")
    assert lethe(*grant, "--dry-run").returncode == 0
    assert site.rq("GET", f"/data/projects/{name}?format=json", "stranger").status_code == 404
    done = lethe(*grant, "--output", "json")
    assert json.loads(done.stdout)["why"] == "project 12"
    rows = json.loads(lethe("list", name, "--output", "json").stdout)
    assert {
        "login": "stranger",
        "project": name,
        "role": "member",
        "centre": "ZRH",
        "agreement": "in force",
    } in rows
    assert site.rq("GET", f"/data/projects/{name}?format=json", "stranger").status_code == 200
    assert lethe("revoke", name, "stranger", "--why", "has left").returncode == 0
    assert site.rq("GET", f"/data/projects/{name}?format=json", "stranger").status_code == 404
    audit = lethe("audit", name, "--noted", json.loads(done.stdout)["digest"])
    assert audit.returncode == 0, audit.stderr
    assert "has left" in audit.stdout
    assert "unbroken" in audit.stdout


@pytest.mark.requirement("M-66", "M-71")
@pytest.mark.parametrize(
    ("login", "role", "centre", "code"),
    [
        ("stranger", "boss", "ZRH", "unknown-role"),
        ("stranger", "member", "", "no-centre"),
        ("stranger", "member", "OLD", "agreement-expired"),
        ("stranger", "member", "XXX", "unknown-centre"),
        ("ghost", "member", "ZRH", "person-unknown"),
    ],
)
def test_a_grant_that_may_not_be_is_named_and_nothing_is_done(site, name, login, role, centre, code):
    before = site.everything(name)
    with pytest.raises(Outcome) as fault:
        access(site, name, "admin").grant(login, role, why="x", place="collection", centre=centre)
    assert fault.value.code == code
    assert site.everything(name) == before


def test_the_last_owner_and_a_stranger_cannot_be_revoked(site, name):
    for login, code in (("owner", "last-owner"), ("stranger", "no-role")):
        with pytest.raises(Refused) as refused:
            access(site, name).revoke(login, why="x", place="collection")
        assert refused.value.code == code


@pytest.mark.parametrize("login", ["member", "stranger"])
def test_who_has_no_part_in_the_intake_project_cannot_hand_out_access(site, name, login):
    with pytest.raises(Refused) as refused:
        access(site, name, login)
    assert refused.value.code == "no-records"


def test_a_curator_cannot_hand_out_access(site, name):
    before = site.rq("GET", f"/data/projects/{name}_INTAKE/users?format=json").json()
    with pytest.raises(Refused):
        access(site, name, "curator").grant("stranger", "member", why="x", place="intake", centre="ZRH")
    assert site.rq("GET", f"/data/projects/{name}_INTAKE/users?format=json").json() == before


@pytest.mark.requirement("E-19", "E-35")
def test_a_request_is_approved_declined_or_granted_less(site, name):
    site.rq("PUT", f"/data/projects/{name}/accessibility/protected")
    office = access(site, name)
    for login, level in (("stranger", "member"), ("carol", "owner"), ("alice", "member")):
        path = f"/xapi/projects/{name}/access-requests?level={level}"
        assert site.rq("POST", path, login).status_code == 201
    asked = {one.login: one for one in office.requests()}
    assert asked["carol"].role == "owner"
    with pytest.raises(Refused) as refused:
        office.approve(asked["stranger"].number, why="project 3")
    assert refused.value.code == "no-centre"
    assert office.approve(asked["stranger"].number, why="project 3", centre="ZRH")
    assert office.approve(asked["carol"].number, why="project 3", centre="ZRH", role="collaborator")
    assert office.decline(asked["alice"].number, why="no project")
    assert office.requests() == []
    roles = {one.login: one.role for one in office.holders() if one.project == name}
    assert (roles["stranger"], roles["carol"], roles.get("alice")) == ("member", "collaborator", None)
    audit = office.audit()
    assert (audit.faults, audit.outside) == ([], [])
    with pytest.raises(Refused) as refused:
        office.approve(asked["alice"].number, why="again")
    assert refused.value.code == "no-request"


# ---- the trail --------------------------------------------------------------------------------------------


def test_of_many_writers_none_loses_a_record(site, name):
    with site.archive() as archive:
        who = records.caller(archive)
    before = len(access(site, name).audit().records)

    def write(worker: int) -> None:
        with connect(site.server.url, "admin", "admin") as own:
            trail = Trail(own, Collection(name), who)
            for number in range(5):
                trail.append({"deed": "test", "worker": worker, "number": number}, "crowd")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    audit = access(site, name).audit()
    assert audit.faults == []
    told = [(one.what["worker"], one.what["number"]) for one in audit.records[before:]]
    assert sorted(told) == [(worker, number) for worker in range(6) for number in range(5)]


def test_a_trail_that_was_tampered_with_shows_it(site, name):
    office = access(site, name)
    last = office.audit().records[-1]
    path = f"{trail_path(name)}/{last.file}"
    forged = last.data.replace(b'"why": "test"', b'"why": "fine"')
    assert site.rq("PUT", f"{path}?inbody=true&overwrite=true", "curator", data=forged).status_code == 200
    faults = office.audit().faults
    assert any("stored by curator" in fault for fault in faults)
    assert any("not in the chain" in fault for fault in faults)
    site.rq("PUT", f"{path}?inbody=true&overwrite=true", data=last.data)
    assert office.audit().faults == []
    assert site.rq("DELETE", path, "owner").status_code == 200  # an owner may: the recorded head stays
    head = json.dumps({"number": last.number - 1, "digest": last.before})
    config = f"/data/projects/{name}_INTAKE/config/lethe/access-head?inbody=true"
    assert site.rq("PUT", config, "owner", data=head).status_code == 200
    assert office.audit().faults == [f"the head recorded for number {last.number} is not in the chain"]
    assert office.audit(noted=last.digest).faults[-1] == "the noted digest is not in the chain"


def test_a_role_given_outside_of_the_trail_is_found(site, name):
    assert site.rq("PUT", f"/data/projects/{name}/users/Members/alice", "owner").status_code == 200
    assert access(site, name).audit().outside == [f"alice in {name}: the trail says none, the archive member"]
    ran = site.lethe("access", "audit", name, login="owner")
    assert (ran.returncode, "[outside-trail]" in ran.stderr) == (4, True)


def test_no_mail_address_is_in_trail_or_records(site, name):
    access(site, name).grant("stranger", "member", why="asked", place="collection", centre="ZRH")
    with site.archive() as archive:
        files = Trail(archive, Collection(name), records.caller(archive)).files()
    assert files
    assert not any(b"@" in data for data in files.values())


# ---- gates ------------------------------------------------------------------------------------------------

LAPSED = {**ETHICS, "until": "2020-12-31"}
PASSED = SeriesRecord("deface", converted=True, verdict="pass", defaced=True, modality="CT")


def with_centre(site: CollectionSite, **centre: Any) -> Collection:
    """Return a collection whose only centre has signed what is given."""
    name = fresh()
    data = file_data(name, access={"agreement": False}, centres={"ZRH": {"name": "Zurich", **centre}})
    site.apply(data)
    return Collection(name)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    head = phantom.head("ct", spacing=(12.0, 12.0, 30.0))
    folder = tmp_path_factory.mktemp("dicom")
    return series.write_series(head, None, folder, person=people(1)[0], number=1)


SENDING = [
    ({}, "agreement-missing"),
    ({"agreement": SIGNED}, "ethics-missing"),
    ({"agreement": SIGNED, "ethics": LAPSED}, "ethics-expired"),
    ({"agreement": {**SIGNED, "until": "2020-12-31"}, "ethics": ETHICS}, "agreement-expired"),
    ({"agreement": {**SIGNED, "uses": ["access"]}, "ethics": ETHICS}, "agreement-use"),
]


@pytest.mark.requirement("M-55", "M-66", "M-67", "A-12", "A-75")
@pytest.mark.parametrize(("signed", "code"), SENDING)
def test_nothing_is_sent_or_published_without_agreement_and_ethics(site, tmp_path, objects, signed, code):
    collection = with_centre(site, **signed)
    with site.archive() as archive:
        ledger = send.Ledger(tmp_path / "ledger")
        with pytest.raises(Refused) as refused:
            send.import_zip(archive, objects, collection.intake, ledger)
        assert refused.value.code == code
        assert not archive.rows(f"/data/prearchive/projects/{collection.intake}", "list")
        closed = terms.closed_patients(archive, collection, {"00A1": "ZRH"})
        assert code in closed["00A1"]
        with pytest.raises(Refused) as refused:
            publish.publish_clinical(archive, collection, centres={"00A1": "ZRH"})
        assert refused.value.code == "publication-terms"
        one = IntakeSeries("00A1", "S", "1", "CT", PASSED)
        (held,) = plan_publication([one], frozenset({"00A1"}), closed)
        assert not held.published
        assert code in held.reason
        (open_gate,) = plan_publication([one], frozenset({"00A1"}))
        scan = Scan("00A1", "S", "X_E00001", "1", "CT", "xnat:ctScanData")
        with pytest.raises(Refused) as refused:  # even where the plan was made without asking
            publish.publish(
                archive, collection, [(scan, open_gate)], session_types={}, centres={"00A1": "ZRH"}
            )
        assert refused.value.code == "publication-terms"
    assert (
        site.rq("GET", f"/data/projects/{collection.name}/subjects?format=json").json()["ResultSet"]["Result"]
        == []
    )


@pytest.mark.requirement("M-66")
def test_with_everything_signed_data_are_sent(site, tmp_path, objects):
    collection = with_centre(site, agreement=SIGNED, ethics=ETHICS)
    # the objects are as a scanner makes them: the second net is not what is looked at here
    assert site.rq("POST", "/xapi/siteConfig", json={"headerNetProjects": "NONE"}).status_code == 200
    with site.archive("curator") as archive:
        ledger = send.Ledger(tmp_path / "ledger")
        assert send.import_zip(archive, objects, collection.intake, ledger) == len(objects)
    with site.archive() as archive:
        assert terms.closed_patients(archive, collection, {"00A1": "ZRH", "00B2": ""}) == {}
        assert set(terms.closed_patients(archive, collection, {"00A1": "LIS"})) == {"00A1"}


def test_data_are_sent_into_an_intake_project_with_records_only(site, tmp_path, objects):
    site.rq("PUT", "/data/projects/PLAIN_INTAKE")
    for project, code in (("PLAIN_INTAKE", "no-records"), ("PLAIN", "wrong-project")):
        with site.archive() as archive, pytest.raises(Outcome) as fault:
            send.import_zip(archive, objects, project, send.Ledger(tmp_path / "ledger"))
        assert fault.value.code == code


def test_of_several_centres_the_sending_one_must_be_named(site, name):
    with site.archive() as archive:
        with pytest.raises(Refused) as refused:
            terms.require_contribution(archive, f"{name}_INTAKE")
        assert refused.value.code == "centre-needed"
        terms.require_contribution(archive, f"{name}_INTAKE", centre="ZRH")
        with pytest.raises(Refused):
            terms.require_contribution(archive, f"{name}_INTAKE", centre="OLD")


# ---- certificates -----------------------------------------------------------------------------------------


@pytest.mark.requirement("E-12", "E-25")
def test_a_certificate_that_is_not_trusted_is_named(site, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-days", "1", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = HTTPServer(("localhost", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with (
            pytest.raises(Outcome) as fault,
            connect(f"https://localhost:{server.server_port}", "admin", "admin"),
        ):
            pass
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert fault.value.code == "certificate"
    assert "REQUESTS_CA_BUNDLE" in fault.value.remedy
