"""Run one benchmark: a module of this package with a function `main`."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path


def benchmarks() -> dict[str, str]:
    """Return the first line of each benchmark's description by its name."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def main() -> int:
    """Run the named benchmark; list all of them when the name is none of theirs."""
    known = benchmarks()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in known:
        print("usage: scripts/bench NAME")
        for each, line in known.items():
            print(f"  {each:10} {line}")
        return 2
    sys.argv = [f"scripts/bench {name}", *sys.argv[2:]]
    return int(importlib.import_module(f"bench_parts.{name}").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
