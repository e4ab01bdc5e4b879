"""What leaves CTP itself: the canaries through every profile, the way CTP runs it."""

from __future__ import annotations

import pytest

from attack.header_table import survivors


@pytest.mark.requirement("M-21", "E-40", "E-54")
@pytest.mark.parametrize("profile", ["stroke", "strict", "pet-suv"])
def test_as_ctp_only_what_no_dictionary_knows_in_group_0028_survives(profile: str) -> None:
    result = survivors(profile, "CT", as_ctp=True)
    assert not isinstance(result, str)
    left, planted = result
    assert left == {"unknown": 2}  # CTP keeps group 0028; the second net takes them away
    assert planted["nested"] > 18_000
    assert survivors(profile, "SC", as_ctp=True) == "script-quarantine"
