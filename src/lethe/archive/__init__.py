"""The embedded archive: XNAT's REST surface in Python, for demo, tests, CI and evaluation."""
