"""Print how many canaries of each category survive which profile.

``PYTHONPATH=tests python -m attack.header_table``: a cell is "surviving/planted", or "held" where the object
goes nowhere. Profiles run in the engine's own mode and as CTP runs them.
"""

from __future__ import annotations

from collections import Counter

from attack.test_header_canaries import SALT, TABLE, found
from kit.canaries import KINDS, PATIENT, Corpus
from lethe.header import Anonymizer, HeaderOutcome, bundled_script, load_script
from lethe.header.view import View

CATEGORIES = ("top level", "nested", "private", "overlay, curve", "unknown", "meta, around")


def category(where: str) -> str:
    """Return the category of a planted canary."""
    if where.startswith(("meta", "preamble", "file name", "behind", "trailing")):
        return "meta, around"
    if ">" in where or where.count("(") > 1:
        return "nested"
    for word, name in (("private", "private"), ("group", "overlay, curve"), ("unknown", "unknown")):
        if where.startswith(word):
            return name
    return "top level"


def survivors(profile: str, kind: str, *, as_ctp: bool) -> tuple[Counter[str], Counter[str]] | str:
    """Return surviving and planted canaries by category, or why the object is held."""
    corpus = Corpus()
    data = corpus.object(KINDS[kind])
    engine = Anonymizer(load_script(bundled_script(profile)), TABLE, as_ctp=as_ctp)
    outcome = engine.apply(View([data]))
    if isinstance(outcome, HeaderOutcome):
        return outcome.code
    out = b"".join(outcome.chunks())
    planted = Counter(map(category, corpus.planted.values()))
    left = found([out], [*corpus.planted, PATIENT, SALT])
    return Counter(category(corpus.planted.get(canary, "patient")) for canary in left), planted


def main() -> None:
    """Print the table."""
    print(f"{'profile':10} {'mode':7} {'object':12} " + " ".join(f"{name:>15}" for name in CATEGORIES))
    for profile in ("stroke", "strict", "pet-suv"):
        for as_ctp in (False, True):
            for kind in KINDS:
                result = survivors(profile, kind, as_ctp=as_ctp)
                cells = (
                    ["held"]
                    if isinstance(result, str)
                    else [f"{result[0][name]}/{result[1][name]}" for name in CATEGORIES]
                )
                mode = "as CTP" if as_ctp else "engine"
                print(f"{profile:10} {mode:7} {kind:12} " + " ".join(f"{cell:>15}" for cell in cells))


if __name__ == "__main__":
    main()
