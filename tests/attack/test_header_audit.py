"""Every attribute of PS3.15 Table E.1-1, in every place, through every profile, as CTP runs it."""

from __future__ import annotations

import pytest

from lethe.header import bundled_script, load_script
from lethe.header.audit import audit


@pytest.mark.requirement("M-21", "M-29", "E-40", "A-24")
@pytest.mark.parametrize("name", ["strict", "stroke", "pet-suv"])
def test_nothing_of_the_652_attributes_survives_a_profile(name: str) -> None:
    result = audit(load_script(bundled_script(name)))
    assert [finding.as_dict() for finding in result.survivors] == []
    assert result.coverage == (652, 652)


@pytest.mark.requirement("M-59")
def test_the_net_keeps_moved_dates_and_nothing_else() -> None:
    result = audit(load_script(bundled_script("net")))
    assert [finding.row.tag for finding in result.survivors] == [
        "00080020",
        "00080021",
        "00080022",
        "00080023",
    ]
