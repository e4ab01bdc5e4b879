"""The Blowfish cipher (B. Schneier, 1993), for `@encrypt` and `@decrypt` only.

The initial tables are the fractional hexadecimal digits of pi, so they are computed and not listed.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

_MASK = 0xFFFFFFFF
_PAIR = Struct(">II")
_ROUNDS = 16
_WORDS = _ROUNDS + 2 + 4 * 256


@cache
def _pi_words() -> tuple[int, ...]:
    """Return the first 1042 words of the fraction of pi (Machin: 16 atan 1/5 - 4 atan 1/239)."""
    bits = _WORDS * 32 + 64
    one = 1 << bits

    def arctan_inverse(n: int) -> int:
        term = one // n
        total, square, k, sign = term, n * n, 1, 1
        while term:
            term //= square
            k += 2
            sign = -sign
            total += sign * (term // k)
        return total

    fraction = (16 * arctan_inverse(5) - 4 * arctan_inverse(239) - 3 * one) >> 64
    return tuple(fraction >> 32 * (_WORDS - 1 - i) & _MASK for i in range(_WORDS))


class Blowfish:
    """One key's cipher over blocks of 8 bytes.

    Parameters
    ----------
    key : bytes
        4 to 56 bytes.
    """

    def __init__(self, key: bytes) -> None:
        words = _pi_words()
        spread = (key * (72 // len(key) + 1))[:72]
        self._p = [
            word ^ int.from_bytes(spread[4 * i : 4 * i + 4], "big") for i, word in enumerate(words[:18])
        ]
        self._s = [list(words[18 + 256 * i : 274 + 256 * i]) for i in range(4)]
        left = right = 0
        for table in (self._p, *self._s):
            for i in range(0, len(table), 2):
                left, right = self._mix(left, right, self._p)
                table[i], table[i + 1] = left, right

    def _mix(self, left: int, right: int, keys: list[int]) -> tuple[int, int]:
        s0, s1, s2, s3 = self._s
        for i in range(_ROUNDS):
            left ^= keys[i]
            word = (s0[left >> 24] + s1[left >> 16 & 255]) & _MASK
            right ^= ((word ^ s2[left >> 8 & 255]) + s3[left & 255]) & _MASK
            left, right = right, left
        return right ^ keys[17], left ^ keys[16]

    def _block(self, block: bytes, keys: list[int]) -> bytes:
        left, right = _PAIR.unpack(block)
        return _PAIR.pack(*self._mix(left, right, keys))

    def encrypt_block(self, block: bytes) -> bytes:
        """Encrypt 8 bytes."""
        return self._block(block, self._p)

    def decrypt_block(self, block: bytes) -> bytes:
        """Decrypt 8 bytes."""
        return self._block(block, self._p[::-1])
