"""``python -m lethe.cli``: the same as the installed ``lethe``."""

from lethe.cli import main

main()
