import hashlib
import hmac
import random

import pytest

from kit.people import people
from lethe.errors import Misconfigured, Refused
from lethe.identity import IntakeSession, Mode, Settings, promote, pseudonym
from lethe.identity.leftovers import search

IDS = [person.patient_id for person in people(20)]


@pytest.fixture
def site(tmp_path):
    settings = Settings(mode=Mode.PSEUDONYMOUS)
    return IntakeSession.open(tmp_path / "site", key_file=tmp_path / "site.key", settings=settings)


@pytest.fixture
def archive(tmp_path):
    rng = random.Random(4)
    return IntakeSession.open(tmp_path / "archive", key_file=tmp_path / "archive.key", rng=rng)


@pytest.mark.requirement("T-3", "A-24", "A-25", "A-27", "A-77", "A-86")
def test_a_pseudonymous_session_keeps_real_dates_and_its_link(site):
    given = site.assign(IDS)
    assert {one.shift_days for one in given.values()} == {0}
    with pytest.raises(Refused) as caught:
        site.seal()
    assert caught.value.code == "session-pseudonymous"
    assert len(site.assign([*IDS, "LATER-1"])) == 21


@pytest.mark.requirement("T-3", "A-28", "A-29", "A-30")
def test_promotion_gives_new_identifiers_and_shifts_and_the_archive_forgets_the_old(tmp_path, site, archive):
    first = {one.prid for one in site.assign(IDS).values()}
    complete = sorted(first)[:15]
    promoted = promote(site, complete, archive)
    assert list(promoted) == complete
    second = {one.prid for one in promoted.values()}
    assert second.isdisjoint(first)
    assert len({one.shift_days for one in promoted.values()}) > 5
    record = archive.seal()
    assert set(record.prids) == second
    assert search([tmp_path / "archive"], IDS) == []


@pytest.mark.requirement("T-3")
def test_only_own_pseudonyms_are_promoted_and_only_in_this_direction(site, archive):
    site.assign(IDS)
    with pytest.raises(Refused) as caught:
        promote(site, ["FFFFF"], archive)
    assert caught.value.code == "promote-unknown"
    with pytest.raises(Refused) as caught:
        promote(archive, [], site)
    assert caught.value.code == "promote-mode"


@pytest.mark.requirement("A-42")
def test_a_keyed_pseudonym_is_sha512_256_under_the_key_of_the_site():
    key = bytes(range(32))
    told = pseudonym(" USZ-1 ", key)
    block = key.ljust(128, b"\0")
    inner = hashlib.new("sha512_256", bytes(b ^ 0x36 for b in block) + b"USZ-1").digest()
    assert told == hashlib.new("sha512_256", bytes(b ^ 0x5C for b in block) + inner).hexdigest()
    assert told != pseudonym("USZ-1", bytes(32))
    assert hmac.compare_digest(told, pseudonym("USZ-1", key))
    with pytest.raises(Misconfigured):
        pseudonym("USZ-1", b"short")
