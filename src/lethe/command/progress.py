"""Progress lines for XNAT's log view: one short plain line each, flushed, without identifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO


class Progress:
    """Write lines with the seconds since the start in front.

    Parameters
    ----------
    stream : TextIO
        Where the lines go.
    clock : callable
        Returns seconds, monotonic.
    interval : float
        Least seconds between two counting lines.
    about : str
        Put in front of every line's text.
    """

    def __init__(
        self, stream: TextIO, clock: Callable[[], float], interval: float = 2.0, about: str = ""
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._interval = interval
        self._about = about
        self._start = clock()
        self._counted = self._start

    def about(self, thing: str) -> Progress:
        """Return progress on one of several things: the same stream and start, lines begin with `thing`."""
        part = Progress(self._stream, self._clock, self._interval, f"{self._about}{thing}: ")
        part._start = self._start
        return part

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def __call__(self, line: str) -> None:
        """Write one line."""
        self._stream.write(f"{self.seconds:7.1f} s  {self._about}{line}\n")
        self._stream.flush()

    def count(self, done: int, total: int, noun: str) -> None:
        """Write how many of `total` are done, not more often than the interval, and at the end."""
        now = self._clock()
        if done < total and now - self._counted < self._interval:
            return
        self._counted = now
        self(f"{done} of {total} {noun}")
