"""Philox4x32-10, the counter-based generator of Salmon et al. (Parallel random numbers: as easy as 1, 2, 3, SC 2011).

A block of four 32-bit words is a pure function of a 128-bit counter and a 64-bit key, so any number of any
trajectory can be computed anywhere, in any order, by any thread.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numba import int64, njit, uint32, uint64

from optlab.codegen.lanes import store
from optlab.codegen.tracing import traced
from optlab.ensemble.draws import normals
from optlab.errors import InputError

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF


def rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """Ten rounds on a counter under a key, over lanes: 64-bit integers of which the low 32 bits count, here as in the four results."""
    return _rounds(c0, c1, c2, c3, k0, k1, 10)


def _rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, count: int) -> tuple[Any, Any, Any, Any]:
    for _ in range(count):
        p0, p1 = (c0 & _LOW) * _M0, (c2 & _LOW) * _M1
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1, (p0 >> 32) ^ c3 ^ k1, p0
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


def prepared(trajectory: Any, purpose: Any, k0: Any, k1: Any) -> tuple[Any, Any]:
    """What the first two rounds make of the trajectory alone: it serves every block of its stream."""
    p0 = (trajectory & _LOW) * _M0
    return p0, (((p0 >> 32) ^ purpose ^ k1) & _LOW) * _M1


def finished(p0: Any, p1: Any, low: Any, high: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """The block (low, high) of a prepared trajectory: the same words as ``rounds(trajectory, low, high, purpose, k0, k1)``."""
    q1 = (high & _LOW) * _M1
    q0 = (((q1 >> 32) ^ low ^ k0) & _LOW) * _M0
    k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return _rounds((p1 >> 32) ^ (q1 ^ k0), p1, p0 ^ ((q0 >> 32) ^ k1), q0, (k0 + _W0) & _LOW, (k1 + _W1) & _LOW, 8)


@traced
def _words(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    return rounds(c0, c1, c2, c3, k0, k1)


@njit
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """One block: ten rounds on the counter (c0, c1, c2, c3) under the key (k0, k1); all uint32, four uint32 back."""
    w0, w1, w2, w3 = _words(uint64(c0), uint64(c1), uint64(c2), uint64(c3), uint64(k0), uint64(k1))
    return uint32(w0), uint32(w1), uint32(w2), uint32(w3)


@njit
def bounded(word, n):  # type: ignore[no-untyped-def]
    """An integer in [0, n) from one word: the high half of word * n. Its bias is at most n / 2^32."""
    return int64((uint64(word) * uint64(n)) >> uint64(32))


@traced
def _block_of_normals(out: Any, place: Any, row: Any, block: Any, purpose: Any, k0: Any, k1: Any) -> None:
    for q, value in enumerate(normals(rounds(row, block, 0, purpose, k0, k1), np.float64)):
        store(out, place + q, value)


@njit
def fill_normals(out, purpose, k0, k1, first):  # type: ignore[no-untyped-def]
    """Fill a float64 array whose rows have a multiple of four columns with N(0, 1) numbers: row r is trajectory first + r."""
    flat = out.ravel()
    for row in range(out.shape[0]):
        for block in range(out.shape[1] // 4):
            _block_of_normals(flat, row * out.shape[1] + 4 * block, first + uint64(row), block, purpose, uint64(k0), uint64(k1))


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
