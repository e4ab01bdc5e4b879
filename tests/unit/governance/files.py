"""Collection files, made at random, for tests of plans."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lethe.governance.definition import Definition, of_data

LOGINS = ("alice", "bob", "carol")
CENTRES = ("ZRH", "LIS")
COMMANDS = ("deface-scan", "deface-session", "clean-header-scan")
_ROLES = st.sampled_from(["owner", "member", "collaborator"])
_WORDS = st.sampled_from(["one", "two: three", "'quoted'", "# no comment", "null", "Zürich"])


def _agreement() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "reference": _WORDS,
            "since": st.just("2020-01-01"),
            "uses": st.sampled_from([["access"], ["access", "publish"], ["contribute", "access"]]),
        },
        optional={"until": st.sampled_from(["2098-12-31", "2099-12-31"])},
    )


def _ethics() -> st.SearchStrategy[dict[str, Any]]:
    kind = st.sampled_from(["approval", "waiver"])
    return st.fixed_dictionaries({"kind": kind, "reference": _WORDS, "since": st.just("2020-01-01")})


def _person() -> st.SearchStrategy[dict[str, Any]]:
    centre = st.sampled_from(CENTRES)
    return st.fixed_dictionaries({"centre": centre}, optional={"collection": _ROLES, "intake": _ROLES})


def _rules(commands: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    sessions = [name for name in commands if name.endswith("-session")]
    if not sessions:
        return st.just({})
    rule = st.fixed_dictionaries(
        {"event": st.just("session-archived"), "command": st.sampled_from(sessions), "active": st.booleans()}
    )
    return st.dictionaries(st.sampled_from(["first rule", "second"]), rule, max_size=2)


@st.composite
def definitions(draw: st.DrawFn, name: str = "COLL") -> Definition:
    """Draw a collection file that can be applied by an administrator."""
    centre = {"name": _WORDS, "agreement": _agreement()}
    commands = draw(st.lists(st.sampled_from(COMMANDS), unique=True))
    data: dict[str, Any] = {
        "collection": name,
        "name": f"{name} {draw(_WORDS)}",
        "description": draw(_WORDS),
        "visibility": draw(st.sampled_from(["private", "protected", "public"])),
        "arrival": draw(st.sampled_from(["wait", "archive"])),
        "access": {"agreement": draw(st.booleans())},
        "centres": {
            code: draw(st.fixed_dictionaries(centre, optional={"ethics": _ethics(), "contact": _WORDS}))
            for code in CENTRES
        },
        "people": {login: draw(_person()) for login in LOGINS if draw(st.booleans())},
        "commands": {"intake": commands},
        "automation": draw(_rules(commands)),
        "fields": draw(st.dictionaries(st.sampled_from(["funding", "doi"]), _WORDS)),
    }
    data["people"]["owner"] = {"centre": "ZRH", "collection": "owner", "intake": "owner"}
    if draw(st.booleans()):
        data["profile"] = {"name": draw(st.sampled_from(["stroke", "strict"]))}
        data["lookup"] = {"mode": draw(st.sampled_from(["anonymous", "pseudonymous"])), "shift_days": 21}
    return of_data(data)
