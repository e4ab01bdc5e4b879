"""Project research identifiers (PRIDs): drawn at random, never computed from a patient.

A naive draw of 16-bit numbers collides (47.7 expected pairs at 2,500 patients), so numbers are drawn
without replacement from a pool that knows what was given before.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterable

from lethe.errors import Misconfigured, Refused

_TRIES = 64  # at half occupancy the chance to miss this often is 2**-64
_LISTABLE_BITS = 24


class PridPool:
    """The PRIDs of one collection: which are given, and the next free one.

    Parameters
    ----------
    width_bits : int
        Size of a PRID; a multiple of 4 from 16 to 128. 16 bits print as four hexadecimal digits.
    taken : iterable of str
        PRIDs that were given before, in this or an earlier intake session.
    max_occupancy : float
        Share of all values, in (0, 1], above which no further PRID is drawn: in a crowded space a random
        identifier can be guessed.
    rng : random.Random
        Source of randomness; the operating system's by default.

    Raises
    ------
    Misconfigured
        Width, occupancy or a taken PRID is not usable.

    Examples
    --------
    >>> pool = PridPool(taken={"00FF"})
    >>> prid = pool.draw()
    >>> len(prid), prid in pool, "00FF" in pool
    (4, True, True)
    """

    def __init__(
        self,
        width_bits: int = 16,
        taken: Iterable[str] = frozenset(),
        max_occupancy: float = 0.5,
        rng: random.Random | None = None,
    ) -> None:
        if not (16 <= width_bits <= 128 and width_bits % 4 == 0):
            raise Misconfigured(
                "prid-width", "A PRID has 16 to 128 bits, in steps of 4.", remedy="Choose 16 or 64."
            )
        if not 0 < max_occupancy <= 1:
            raise Misconfigured("prid-occupancy", "The occupancy of the PRID space lies in (0, 1].")
        self.width_bits = width_bits
        self._rng = rng or secrets.SystemRandom()
        self._taken: set[str] = set()
        self._limit = int(max_occupancy * 2**width_bits)
        self.reserve(taken)

    def __len__(self) -> int:
        return len(self._taken)

    def __contains__(self, prid: str) -> bool:
        return prid in self._taken

    def reserve(self, prids: Iterable[str]) -> None:
        """Mark `prids` as given; raise `Misconfigured` when one has not the form of this pool."""
        prids = set(prids)
        form = re.compile(f"[0-9A-F]{{{self.width_bits // 4}}}")
        if not all(form.fullmatch(prid) for prid in prids):
            raise Misconfigured(
                "prid-form",
                f"A taken PRID is not {self.width_bits // 4} upper-case hexadecimal digits.",
                remedy="Name the PRIDs of this collection.",
            )
        self._taken |= prids

    def draw(self) -> str:
        """Return a PRID that was never given, every free one being equally likely.

        Raises
        ------
        Refused
            The pool is as full as the set occupancy allows.
        """
        if len(self._taken) >= self._limit:
            raise Refused(
                "prid-occupancy",
                f"{len(self._taken)} PRIDs of {self.width_bits} bits are given, as many as allowed.",
                remedy="Open the next collection with wider PRIDs (64 bits).",
            )
        prid = self._free()
        self._taken.add(prid)
        return prid

    def _free(self) -> str:
        for _ in range(_TRIES):
            prid = self._text(self._rng.getrandbits(self.width_bits))
            if prid not in self._taken:
                return prid
        if self.width_bits > _LISTABLE_BITS:
            raise Refused("prid-random-source", "The random source repeats itself.")
        free = (self._text(value) for value in range(2**self.width_bits))
        return self._rng.choice([prid for prid in free if prid not in self._taken])

    def _text(self, value: int) -> str:
        return f"{value:0{self.width_bits // 4}X}"
