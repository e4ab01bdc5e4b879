"""A process that imports and says after each step what it has acknowledged, until it is killed.

Arguments: archive folder, folder with ``*.zip`` (one session each) and ``*.dcm`` (single objects).
"""

from __future__ import annotations

import sys
from pathlib import Path

from lethe.archive import accounts, intake
from lethe.archive.context import Context, open_context
from lethe.archive.intake import prearchive
from lethe.archive.intake.importer import ImportRequest, acknowledge, import_upload
from lethe.archive.intake.receive import Arrival
from lethe.archive.intake.runtime import recover, settle
from lethe.archive.problem import Problem


def main(root: Path, folder: Path) -> None:
    ctx = open_context(root)
    alice = accounts.find_user(ctx, "alice")
    if alice is None:
        raise SystemExit("no user")
    engine = intake.intake_of(ctx)
    recover(engine)
    say("ready")
    singles = sorted(folder.glob("*.dcm"))
    for index, packed in enumerate(sorted(folder.glob("*.zip"))):
        request = ImportRequest.of(alice, {"project": "P", "dest": "/archive"}, "SI")
        try:
            done = import_upload(engine, packed, request)
            say(f"archived {packed.name}")
            acknowledge(ctx, done)
        except Problem as problem:
            say(f"refused {packed.name} {problem.status}")
        for single in singles[index::3]:
            spool = ctx.store.temporary(".dcm")
            spool.write_bytes(single.read_bytes())
            receipt = engine.accept(spool, Arrival(alice))
            say(f"stored {single.name} {receipt.told}")
        for row in [one for one in _receiving(ctx) if index % 2]:
            settle(engine, row)
    for row in _receiving(ctx):
        settle(engine, row)
    say("finished")


def _receiving(ctx: Context) -> list[int]:
    return [row.pk for row in prearchive.with_status(ctx, "RECEIVING") if not row.private]


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
