"""Benchmarks of the rooms; `scripts/bench NAME` runs one."""
