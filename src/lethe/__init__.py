"""Lethe: a de-identified imaging archive on XNAT."""

from importlib.metadata import version

__version__ = version("lethe")
