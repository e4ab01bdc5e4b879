import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kit.people import people
from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.identity import DestructionRecord, IntakeSession, Settings, escape_key
from lethe.identity.leftovers import search

NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
PEOPLE = people(30)
IDS = [person.patient_id for person in PEOPLE]


@pytest.fixture
def session(tmp_path):
    return open_in(tmp_path)


def open_in(folder: Path, **more) -> IntakeSession:
    more.setdefault("rng", random.Random(1))
    return IntakeSession.open(folder / "session", key_file=folder / "key", clock=lambda: NOON, **more)


@pytest.mark.requirement("M-33", "T-7")
def test_a_patient_keeps_one_prid_and_one_shift(session):
    first = session.assign(IDS[:10])
    again = session.assign(reversed(IDS[:12]))
    assert all(again[name] == first[name] for name in first)
    assert len({given.prid for given in session.assignments.values()}) == 12
    assert all(-21 <= given.shift_days <= 21 for given in session.assignments.values())


@pytest.mark.requirement("T-2")
def test_a_session_is_resumed_weeks_later_by_another_process(tmp_path, session):
    session.assign(IDS[:5])
    code = (
        "import sys; from pathlib import Path; from lethe.identity import IntakeSession;"
        "s = IntakeSession.resume(Path(sys.argv[1]), key_file=Path(sys.argv[2])); print(len(s.assignments))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "session"), str(tmp_path / "key")]
    assert subprocess.check_output(arguments, text=True).strip() == "5"
    assert open_in(tmp_path).noise_key == session.noise_key


@pytest.mark.requirement("T-2")
def test_nothing_of_a_patient_lies_readable_in_the_folder_or_the_key(tmp_path, session):
    session.assign(IDS)
    assert search([tmp_path], IDS) == []
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "session" / "link.enc").stat().st_mode) == 0o600


def test_without_its_key_a_session_stays_shut(tmp_path, session):
    session.assign(IDS[:2])
    (tmp_path / "key").rename(tmp_path / "elsewhere")
    with pytest.raises(Refused) as caught:
        session.assign(IDS[:2])
    assert caught.value.code == "intake-key-missing"


def test_a_key_that_others_may_read_is_refused(tmp_path, session):
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(Misconfigured) as caught:
        open_in(tmp_path)
    assert caught.value.code == "intake-key-open"


def test_the_key_of_another_session_is_refused(tmp_path, session):
    with pytest.raises(Misconfigured) as caught:
        IntakeSession.open(tmp_path / "second", key_file=tmp_path / "key")
    assert caught.value.code == "intake-key-other"


def test_a_changed_link_is_noticed(tmp_path, session):
    link = tmp_path / "session" / "link.enc"
    link.write_bytes(link.read_bytes()[:-1] + b"\0")
    with pytest.raises(Refused) as caught:
        session.assign(IDS)
    assert caught.value.code == "intake-link-unreadable"


@pytest.mark.requirement("A-79", "M-38")
@pytest.mark.parametrize("other", ["usz-77 a", "USZ-77 A ", " USZ-77  A", "ＵＳＺ-77 A"])
def test_another_spelling_of_a_patient_is_refused_by_position_only(session, other):
    session.assign(["USZ-77 A"])
    for call in ([IDS[0], other], [other]):
        with pytest.raises(Refused) as caught:
            session.assign(call)
        assert caught.value.code == "patient-duplicate"
        assert f"Entry {len(call)}:" in str(caught.value)
        assert "77" not in str(caught.value)
    assert len(session.assignments) == 1


@pytest.mark.requirement("A-79")
def test_two_spellings_in_one_call_are_refused_and_nothing_is_drawn(session):
    with pytest.raises(Refused):
        session.assign(["A100", "B200", "a100"])
    assert not session.assignments


@pytest.mark.parametrize("bad", ["", "   ", "A\\B", "A\nB", "A\0"])
def test_an_identifier_that_ctp_cannot_look_up_is_refused(session, bad):
    with pytest.raises(Refused) as caught:
        session.assign(["good", bad])
    assert "Entry 2" in str(caught.value)


@pytest.mark.requirement("E-46")
def test_the_lookup_table_is_java_properties_with_escaped_keys(session):
    given = session.assign(["ZRH 07:4411=QX", "Grün#1!", "𝒜"])
    lines = session.lookup_table().splitlines()
    awkward = given["ZRH 07:4411=QX"]
    assert f"prid/ZRH\\ 07\\:4411\\=QX={awkward.prid}" in lines
    assert f"shift/ZRH\\ 07\\:4411\\=QX={awkward.shift_days}" in lines
    assert any(line.startswith("prid/Gr\\u00FCn\\#1\\!=") for line in lines)
    assert escape_key("𝒜") == "\\uD835\\uDC9C"
    assert all(ord(character) < 128 for line in lines for character in line)


def test_a_lookup_table_never_replaces_a_file_of_somebody_else(tmp_path, session):
    (tmp_path / "lookup.properties").write_text("mine")
    with pytest.raises(Refused) as caught:
        session.write_lookup_table(tmp_path / "lookup.properties")
    assert caught.value.code == "lookup-exists"
    session.seal()
    assert (tmp_path / "lookup.properties").read_text() == "mine"


def test_a_lookup_table_is_written_anew_where_it_lay(tmp_path, session):
    for count in (3, 5):
        session.assign(IDS[:count])
        session.write_lookup_table(tmp_path / "lookup.properties")
        assert (tmp_path / "lookup.properties").read_text() == session.lookup_table()
    assert session.seal().lookup_tables == 1


@pytest.mark.requirement("M-36", "M-37", "A-78", "T-2")
def test_sealing_destroys_key_link_and_lookup_tables_and_says_why_nothing_can_be_added(tmp_path, session):
    session.assign(IDS)
    session.write_lookup_table(tmp_path / "lookup.properties")
    assert len(search([tmp_path], IDS)) == len(IDS)
    record = session.seal(lambda: NOON)
    assert sorted(os.listdir(tmp_path)) == ["session"]
    assert sorted(os.listdir(tmp_path / "session")) == [".lock", "destruction-record.json", "session.json"]
    assert search([tmp_path], IDS) == []
    assert session.sealed
    assert (record.patients, record.lookup_tables, record.lookup_tables_missing) == (30, 1, 0)
    for refused in (lambda: session.assign(IDS[:1]), lambda: session.assignments, session.lookup_table):
        with pytest.raises(Refused) as caught:
            refused()
        assert caught.value.code == "session-sealed"
        assert "No key exists" in str(caught.value)


@pytest.mark.requirement("M-36")
def test_the_record_is_signed_and_a_changed_one_is_refused(tmp_path, session):
    session.assign(IDS)
    session.seal()
    place = tmp_path / "session" / "destruction-record.json"
    DestructionRecord.load(place).verify()
    changed = json.loads(place.read_text()) | {"patients": 29}
    place.write_text(json.dumps(changed))
    with pytest.raises(Refused) as caught:
        DestructionRecord.load(place).verify()
    assert caught.value.code == "record-signature"


def test_the_public_key_is_known_before_sealing(session):
    before = session.status()["public_key"]
    assert session.seal().public_key == before


@pytest.mark.requirement("M-88")
def test_the_record_holds_no_shift_and_no_identifier(session):
    session.assign(IDS)
    record = session.seal().as_dict()
    assert set(record) == {
        "session", "opened", "sealed", "patients", "prids", "window_days", "link_sha256", "lookup_tables",
        "lookup_tables_missing", "public_key", "signature", "destroyed",
    }  # fmt: skip
    assert record["prids"] == sorted(record["prids"])


def test_sealing_twice_gives_the_same_record(session):
    session.assign(IDS[:3])
    assert session.seal() == session.seal()


def test_a_lookup_table_that_was_moved_away_is_counted(tmp_path, session):
    session.assign(IDS[:3])
    session.write_lookup_table(tmp_path / "lookup.properties")
    (tmp_path / "lookup.properties").rename(tmp_path / "moved.properties")
    assert session.seal().lookup_tables_missing == 1


def test_sealing_that_cannot_destroy_a_table_is_finished_later(tmp_path, session, monkeypatch):
    session.assign(IDS[:3])
    session.write_lookup_table(tmp_path / "lookup.properties")

    def busy(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("lethe.identity.vault.destroy", busy)
        with pytest.raises(Unavailable) as caught:
            session.seal()
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(Refused):
        session.assign(IDS[:4])  # there is no way back
    assert session.status()["state"] == "sealing"
    assert session.seal().patients == 3
    assert sorted(os.listdir(tmp_path)) == ["session"]


@pytest.mark.requirement("M-38")
def test_the_next_session_of_a_collection_does_not_give_the_same_prids(tmp_path, session):
    session.assign(IDS)
    record, noise = session.seal(), bytes(32)
    second = IntakeSession.open(
        tmp_path / "second",
        key_file=tmp_path / "key2",
        rng=random.Random(1),
        taken=record.prids,
        noise_key=noise,
    )
    given = second.assign(IDS)
    assert set(record.prids).isdisjoint(one.prid for one in given.values())
    assert second.noise_key == noise


def test_other_settings_or_another_noise_key_are_refused_on_resuming(tmp_path, session):
    with pytest.raises(Misconfigured):
        open_in(tmp_path, settings=Settings(width_bits=64))
    with pytest.raises(Misconfigured):
        open_in(tmp_path, noise_key=bytes(32))


def test_a_folder_without_a_session_is_not_resumed(tmp_path):
    with pytest.raises(Refused) as caught:
        IntakeSession.resume(tmp_path, key_file=tmp_path / "key")
    assert caught.value.code == "no-session"
    assert os.listdir(tmp_path) == []


WORKER = """
import sys
from pathlib import Path
from lethe.identity import IntakeSession
folder, start, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
session = IntakeSession.open(folder / "session", key_file=folder / "key")
print("ready", flush=True)
for number in range(start, start + count):
    session.assign([f"PATIENT-{number}"])
    session.write_lookup_table(folder / f"lookup-{start}.properties")
"""


def worker(folder: Path, start: int, count: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WORKER, str(folder), str(start), str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.mark.requirement("T-1", "T-2")
def test_two_processes_drawing_at_once_never_give_a_prid_twice(tmp_path):
    started = [worker(tmp_path, 0, 40), worker(tmp_path, 20, 40)]  # 20 patients are wanted by both
    assert [process.wait(60) for process in started] == [0, 0]
    for process in started:
        process.stdout.close()
    given = open_in(tmp_path).assignments
    assert len(given) == 60
    assert len({one.prid for one in given.values()}) == 60


@pytest.mark.requirement("T-2")
def test_a_process_killed_at_any_moment_loses_and_doubles_nothing(tmp_path):
    rng = random.Random(8)
    known = {}
    for turn in range(5):
        process = worker(tmp_path, turn * 1000, 1000)
        process.stdout.readline()
        time.sleep(rng.uniform(0.005, 0.12))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        given = dict(open_in(tmp_path).assignments)
        assert known.items() <= given.items()
        known = given
    assert len({one.prid for one in known.values()}) == len(known)
    open_in(tmp_path).seal()
    assert sorted(os.listdir(tmp_path)) == ["session"]  # no lookup table, no key, no unfinished file
    assert search([tmp_path], ["PATIENT-"]) == []


SEALER = """
import os, sys
from pathlib import Path
from lethe.identity import IntakeSession, vault, intake
import lethe.files
folder, after = Path(sys.argv[1]), int(sys.argv[2])
count = 0
def counted(real):
    def call(*arguments, **named):
        global count
        count += 1
        if count > after:
            os.kill(os.getpid(), 9)
        return real(*arguments, **named)
    return call
session = IntakeSession.open(folder / "session", key_file=folder / "key")
os.fsync, os.replace, os.unlink = counted(os.fsync), counted(os.replace), counted(os.unlink)
Path.unlink = counted(Path.unlink)
session.seal()
"""


@pytest.mark.requirement("M-36", "T-2")
def test_a_sealing_killed_between_any_two_steps_is_finished_by_the_next(tmp_path):
    finished, steps = False, 0
    while not finished:
        folder = tmp_path / str(steps)
        folder.mkdir()
        session = open_in(folder)
        session.assign(IDS)
        session.write_lookup_table(folder / "lookup.properties")
        finished = subprocess.run([sys.executable, "-c", SEALER, str(folder), str(steps)]).returncode == 0
        resumed = IntakeSession.resume(folder / "session", key_file=folder / "key")
        record = resumed.seal()
        record.verify()
        assert record.patients == len(IDS)
        assert search([folder], IDS) == []
        assert sorted(os.listdir(folder)) == ["session"]
        steps += 4
    assert steps > 12


@pytest.mark.requirement("M-35", "M-36", "M-88")
def test_every_patient_has_a_salt_that_no_representation_shows_and_sealing_destroys(tmp_path, session):
    given = session.assign(IDS)
    salts = {one.salt for one in given.values()}
    assert len(salts) == len(given)
    assert all(len(salt) == 32 and int(salt, 16) >= 0 for salt in salts)
    assert not any(salt in repr(given) for salt in salts)
    assert all(f"={salt}" in session.lookup_table() for salt in salts)
    session.write_lookup_table(tmp_path / "lookup.properties")
    session.seal()
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(salt.encode() in left for salt in salts)


def test_a_session_from_before_the_salts_draws_them_once(session):
    session.assign(IDS)
    link = session._read()
    link.assignments = {name: replace(given, salt="") for name, given in link.assignments.items()}
    session._write(link)
    again = IntakeSession.resume(session.folder, key_file=session.key_file)
    salts = {name: given.salt for name, given in again.assignments.items()}
    assert all(salts.values())
    later = IntakeSession.resume(session.folder, key_file=session.key_file)
    assert {name: given.salt for name, given in later.assignments.items()} == salts
