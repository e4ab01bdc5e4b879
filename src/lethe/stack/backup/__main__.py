"""``python -m lethe.stack.backup``: what ``scripts/backup`` starts."""

from __future__ import annotations

from lethe.stack.backup.cli import backup
from lethe.stack.running import run

run(backup)
