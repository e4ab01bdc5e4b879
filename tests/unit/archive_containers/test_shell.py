"""No value becomes shell code, wherever its key stands in the command line."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.archive.containers.shell import Fragment, fill_line, fill_text, literal
from lethe.errors import Refused

ATTACKS = [
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "' ; touch pwned ; '",
    '" ; touch pwned ; "',
    "a\ntouch pwned\n",
    "&& touch pwned",
    "| touch pwned",
    "> pwned",
    "${IFS}touch",
    "\\'; touch pwned",
    "\\",
    "*",
    "~root",
    "#x",
    "-n",
    "PATH=.",
    "a b",
    "!$",
    "ä€😀",
]
PLACES = [
    "printf %s #V#",
    "printf %s '#V#'",
    'printf %s "#V#"',
    "printf %s x#V#y",
    "printf %s 'x'#V#\"y\"",
    'printf %s "it\'s #V#"',
    "printf %s a\\'b#V#",
    "printf %s x | cat; printf %s #V#",
]


def run(line: str) -> str:
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("template", PLACES)
@pytest.mark.parametrize("value", ATTACKS)
def test_a_hostile_value_arrives_as_itself(
    template: str, value: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.getbasetemp() / "shell"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    got = run(fill_line(template, {"#V#": literal(value)}))
    assert got == run(template.replace("#V#", "MARK")).replace("MARK", value)
    assert not list(folder.iterdir())


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12))
def test_any_text_arrives_as_itself(value: str) -> None:
    line = fill_line("printf '%s|%s|%s' #V# \"#V#\" '#V#'", {"#V#": literal(value)})
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    assert done.stdout == "|".join([value] * 3).encode()


@pytest.mark.parametrize(
    "template",
    [
        "echo `ls #V#`",
        "echo $(ls #V#)",
        'echo "$(ls #V#)"',
        "cat <<E\n#V#\nE",
        "x=1 # note #V#",
        "echo \\#V#",
        "${A:-#V#}",
    ],
)
def test_where_no_quoting_is_sure_only_harmless_values_pass(template: str) -> None:
    assert "ab-1.txt" in fill_line(template, {"#V#": literal("ab-1.txt")})
    with pytest.raises(Refused) as caught:
        fill_line(template, {"#V#": literal("secret; value")})
    assert caught.value.code == "value-not-allowed"
    assert "secret" not in str(caught.value)


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(Refused):
        fill_line("echo '#V#'", {"#V#": literal("a\0b")})


def test_a_key_inside_a_value_is_not_replaced() -> None:
    values = {"#A#": literal("#B#"), "#B#": literal("x")}
    assert run(fill_line("printf '%s,%s' #A# #B#", values)) == "#B#,x"
    assert fill_text("#A##B#", {"#A#": "#B#", "#B#": "x"}) == "#B#x"


def test_a_longer_key_wins_over_its_beginning() -> None:
    assert fill_text("#ab #a", {"#a": "1", "#ab": "2"}) == "2 1"


def test_the_authors_own_words_are_not_quoted() -> None:
    assert fill_line("x #F#", {"#F#": (Fragment("-b ", trusted=True), Fragment("a b"))}) == "x -b 'a b'"


def test_a_value_before_the_program_is_no_assignment() -> None:
    assert fill_line("#V# true", {"#V#": literal("PATH=/x")}) == "'PATH=/x' true"
