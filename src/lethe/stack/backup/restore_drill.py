"""``python -m lethe.stack.backup.restore_drill``: what ``scripts/restore-drill`` starts."""

from __future__ import annotations

from lethe.stack.backup.cli import restore_drill
from lethe.stack.running import run

if __name__ == "__main__":
    run(restore_drill)
