"""Philox4x32-10, the counter-based generator of Salmon et al. (Parallel random numbers: as easy as 1, 2, 3, SC 2011).

A block of four 32-bit words is a pure function of a 128-bit counter and a 64-bit key, so any number of any
trajectory can be computed anywhere, in any order, by any thread.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numba import int64, njit, uint32, uint64

from optlab.errors import InputError

_M0, _M1 = uint64(0xD2511F53), uint64(0xCD9E8D57)
_W0, _W1 = uint32(0x9E3779B9), uint32(0xBB67AE85)
_SHIFT = uint64(32)


@njit(inline="never")
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Ten rounds on the counter (c0, c1, c2, c3) under the key (k0, k1); all uint32, four uint32 back."""
    for _ in range(10):
        p0 = _M0 * uint64(c0)
        p1 = _M1 * uint64(c2)
        c0, c1, c2, c3 = (uint32(uint32(p1 >> _SHIFT) ^ c1 ^ k0), uint32(p1), uint32(uint32(p0 >> _SHIFT) ^ c3 ^ k1), uint32(p0))
        k0 = uint32(k0 + _W0)
        k1 = uint32(k1 + _W1)
    return uint32(c0), uint32(c1), uint32(c2), uint32(c3)


@njit
def bounded(word, n):  # type: ignore[no-untyped-def]
    """An integer in [0, n) from one word: the high half of word * n. Its bias is at most n / 2^32."""
    return int64((uint64(word) * uint64(n)) >> _SHIFT)


def stream_key(seed: int, spec: str | None) -> tuple[np.uint32, np.uint32]:
    """The key of a cell: a hash of the seed and the cell's canonical spec, or of the seed alone (common random numbers)."""
    digest = hashlib.sha256(f"optlab:{seed}:{spec or ''}".encode()).digest()
    return np.uint32(int.from_bytes(digest[:4], "little")), np.uint32(int.from_bytes(digest[4:8], "little"))


def read_seed(rng: Any) -> int:
    """The seed that ``rng=`` stands for: an int of at least 0, or one drawn from a NumPy Generator.

    >>> read_seed(7)
    7
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return int(rng)
    raise InputError(f"rng = {rng!r} is no seed: give a whole number of at least 0 or a numpy.random.Generator")
