"""The words of optlab's generator in the orders in which simulations use them, as endless iterators of uint32 arrays.

The counter of a block is (trajectory, block mod 2^32, block div 2^32, purpose), its key ``stream_key(seed, spec)``; position
n = step * d + coordinate of a trajectory uses word n % 4 of block n // 4. A test sees only the order in which words come, so each
order here shows it other neighbors. An order is a function of a seed: :data:`ORDERS` has them all, :data:`BAD` two that must fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numba import int64, njit, uint32, uint64

from optlab.ensemble.philox import philox, stream_key
from optlab.ensemble.purposes import Purpose

CHUNK = 3 << 17  # words of one array: whole blocks, whole groups of lanes, whole steps
LANES = 8  # trajectories side by side in "lanes"
GROUP, DIMENSION = 256, 3  # trajectories and coordinates of "interleaved": 3 words a step straddle the blocks of 4
BLOCKS_A_KEY = 4
NOISE = uint32(Purpose.NOISE)

Order = Callable[[int], Iterator[np.ndarray]]


@njit
def block_words(trajectory, block, k0, k1):  # type: ignore[no-untyped-def]
    """The four words of one block of one trajectory."""
    number = uint64(block)
    return philox(uint32(trajectory), uint32(number & uint64(0xFFFFFFFF)), uint32(number >> uint64(32)), NOISE, k0, k1)


# --- each fills ``out`` with words number first, first + 1, ... of its order; ``first`` is a multiple of CHUNK ---


@njit
def _trajectory(out, first, k0, k1):  # type: ignore[no-untyped-def]
    for i in range(out.size // 4):
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = block_words(0, first // 4 + i, k0, k1)


@njit
def _lanes(out, first, k0, k1):  # type: ignore[no-untyped-def]
    for i in range(out.size // 4):
        at = 4 * LANES * (i // LANES) + i % LANES
        run = first // 4 + i  # past 2^32 trajectories, the next block
        out[at], out[at + LANES], out[at + 2 * LANES], out[at + 3 * LANES] = block_words(run & 0xFFFFFFFF, run >> 32, k0, k1)


@njit
def _ensemble(out, first, k0, k1):  # type: ignore[no-untyped-def]
    for i in range(out.size):
        run = first + i
        out[i] = block_words(run & 0xFFFFFFFF, run >> 32, k0, k1)[0]


@njit
def _interleaved(out, first, k0, k1):  # type: ignore[no-untyped-def]
    for i in range(out.size // DIMENSION):
        run = first // DIMENSION + i
        trajectory, step = run % GROUP, run // GROUP
        n = step * DIMENSION
        words = block_words(trajectory, n // 4, k0, k1)
        for j in range(DIMENSION):
            if j > 0 and (n + j) % 4 == 0:
                words = block_words(trajectory, (n + j) // 4, k0, k1)
            out[DIMENSION * i + j] = words[(n + j) % 4]


@njit
def _reversed(out, first, k0, k1):  # type: ignore[no-untyped-def]
    _trajectory(out, first, k0, k1)
    for i in range(out.size):
        w = out[i]
        w = uint32((w >> uint32(16)) | (w << uint32(16)))
        w = uint32(((w & uint32(0xFF00FF00)) >> uint32(8)) | ((w & uint32(0x00FF00FF)) << uint32(8)))
        w = uint32(((w & uint32(0xF0F0F0F0)) >> uint32(4)) | ((w & uint32(0x0F0F0F0F)) << uint32(4)))
        w = uint32(((w & uint32(0xCCCCCCCC)) >> uint32(2)) | ((w & uint32(0x33333333)) << uint32(2)))
        out[i] = uint32(((w & uint32(0xAAAAAAAA)) >> uint32(1)) | ((w & uint32(0x55555555)) << uint32(1)))


# --- normal numbers, by Box and Muller ---


@njit
def normal_pair(radius_word, angle_word):  # type: ignore[no-untyped-def]
    """Two N(0, 1) numbers from two words: 31 bits for an angle in [-pi/2, pi/2), the last one for the sign of the cosine."""
    radius = math.sqrt(-2.0 * math.log((radius_word + 0.5) * 2.0**-32))
    angle = ((angle_word >> uint32(1)) + 0.5) * (math.pi * 2.0**-31) - math.pi / 2
    cosine = math.cos(angle)
    return radius * (-cosine if angle_word & uint32(1) else cosine), radius * math.sin(angle)


@njit
def normal_pair_53(high, low, angle_high, angle_low):  # type: ignore[no-untyped-def]
    """Two N(0, 1) numbers from four words: 53 bits for the radius, 52 and a sign for the angle."""
    u = (uint64(high) << uint64(21)) | (uint64(low) >> uint64(11))
    a = (uint64(angle_high) << uint64(21)) | (uint64(angle_low) >> uint64(11))
    radius = math.sqrt(-2.0 * math.log((float(u) + 0.5) * 2.0**-53))
    angle = (float(a >> uint64(1)) + 0.5) * (math.pi * 2.0**-52) - math.pi / 2
    cosine = math.cos(angle)
    return radius * (-cosine if a & uint64(1) else cosine), radius * math.sin(angle)


@njit
def fill_normals(out, trajectory, first_block, k0, k1):  # type: ignore[no-untyped-def]
    """Normals of consecutive blocks of one trajectory, four a block."""
    for i in range(out.size // 4):
        w0, w1, w2, w3 = block_words(trajectory, first_block + i, k0, k1)
        out[4 * i], out[4 * i + 1] = normal_pair(w0, w1)
        out[4 * i + 2], out[4 * i + 3] = normal_pair(w2, w3)


@njit
def fill_normals_53(out, trajectory, first_block, k0, k1):  # type: ignore[no-untyped-def]
    """Normals of consecutive blocks of one trajectory, two a block."""
    for i in range(out.size // 2):
        w0, w1, w2, w3 = block_words(trajectory, first_block + i, k0, k1)
        out[2 * i], out[2 * i + 1] = normal_pair_53(w0, w1, w2, w3)


@njit
def _word_of_normal(x):  # type: ignore[no-untyped-def]
    return uint32(min(int64(0.5 * math.erfc(-x / math.sqrt(2.0)) * 2.0**32), int64(0xFFFFFFFF)))


@njit
def _normals(out, first, k0, k1):  # type: ignore[no-untyped-def]
    x = np.empty(out.size)
    fill_normals(x, 0, first // 4, k0, k1)
    for i in range(out.size):
        out[i] = _word_of_normal(x[i])


@njit
def _normals_53(out, first, k0, k1):  # type: ignore[no-untyped-def]
    x = np.empty(out.size)
    fill_normals_53(x, 0, first // 2, k0, k1)
    for i in range(out.size):
        out[i] = _word_of_normal(x[i])


@njit
def _cosines(out, first, k0, k1):  # type: ignore[no-untyped-def]
    x = np.empty(2 * out.size)
    fill_normals(x, 0, first // 2, k0, k1)
    for i in range(out.size):
        out[i] = _word_of_normal(x[2 * i])


@njit
def _sines(out, first, k0, k1):  # type: ignore[no-untyped-def]
    x = np.empty(2 * out.size)
    fill_normals(x, 0, first // 2, k0, k1)
    for i in range(out.size):
        out[i] = _word_of_normal(x[2 * i + 1])


# --- orders over keys, and two that must fail ---


@njit
def _of_keys(out, keys):  # type: ignore[no-untyped-def]
    for i in range(len(keys)):
        for b in range(BLOCKS_A_KEY):
            at = 4 * (BLOCKS_A_KEY * i + b)
            out[at], out[at + 1], out[at + 2], out[at + 3] = block_words(0, b, keys[i, 0], keys[i, 1])


@njit
def _few_rounds(out, first, k0, k1):  # type: ignore[no-untyped-def]
    for i in range(out.size // 4):  # two rounds of Philox on the counter (block, 0, trajectory, 0)
        c0, c1, c2, c3 = uint32(first // 4 + i), uint32(0), uint32(0), uint32(0)
        for _ in range(2):
            p0, p1 = uint64(0xD2511F53) * uint64(c0), uint64(0xCD9E8D57) * uint64(c2)
            c0, c1, c2, c3 = uint32(uint32(p1 >> uint64(32)) ^ c1 ^ k0), uint32(p1), uint32(uint32(p0 >> uint64(32)) ^ c3 ^ k1), uint32(p0)
        out[4 * i], out[4 * i + 1], out[4 * i + 2], out[4 * i + 3] = c0, c1, c2, c3


@njit
def _congruential(out, first, k0, k1):  # type: ignore[no-untyped-def]
    x = k0 if first == 0 else out[out.size - 1]
    for i in range(out.size):
        x = uint32(uint32(1664525) * x + uint32(1013904223))
        out[i] = x


def by_index(fill: Callable[..., None]) -> Order:
    """The order whose words from number ``first`` on are ``fill(out, first, k0, k1)``. One array is reused."""

    def order(seed: int) -> Iterator[np.ndarray]:
        k0, k1 = stream_key(seed, None)
        out, first = np.empty(CHUNK, np.uint32), 0
        while True:
            fill(out, first, k0, k1)
            yield out
            first += CHUNK

    return order


def by_key(spec: Callable[[int], tuple[int, str | None]]) -> Order:
    """Four blocks of trajectory 0 under each key of ``stream_key(*spec(0))``, ``stream_key(*spec(1))``, ..."""

    def order(seed: int) -> Iterator[np.ndarray]:
        out, each, first = np.empty(CHUNK, np.uint32), CHUNK // (4 * BLOCKS_A_KEY), seed << 32
        while True:
            _of_keys(out, np.array([stream_key(*spec(i)) for i in range(first, first + each)], np.uint32))
            yield out
            first += each

    return order


ORDERS: dict[str, tuple[str, Order]] = {
    "trajectory": ("one trajectory, consecutive blocks", by_index(_trajectory)),
    "lanes": (f"a block each of {LANES} trajectories side by side, word by word; then the next {LANES} trajectories", by_index(_lanes)),
    "ensemble": ("one word, the same of each trajectory: a coordinate over the ensemble", by_index(_ensemble)),
    "interleaved": (f"step by step, {GROUP} trajectories, {DIMENSION} coordinates of each", by_index(_interleaved)),
    "reversed": ("as trajectory, the bits of each word reversed", by_index(_reversed)),
    "seeds": (f"{BLOCKS_A_KEY} blocks under each key of the seeds 0, 1, 2, ...", by_key(lambda i: (i, None))),
    "cells": (f"{BLOCKS_A_KEY} blocks under each key of one seed and a cell's text", by_key(lambda i: (0, f"sgd steps={i}"))),
    "normals": ("normals of one trajectory, mapped back to words", by_index(_normals)),
    "cosines": ("the same, the first of each pair only", by_index(_cosines)),
    "sines": ("the same, the second of each pair only", by_index(_sines)),
    "normals53": ("as normals, of the 53-bit option", by_index(_normals_53)),
}
BAD: dict[str, tuple[str, Order]] = {
    "two-rounds": ("Philox stopped after 2 of its 10 rounds", by_index(_few_rounds)),
    "congruential": ("x <- 1664525 x + 1013904223 mod 2^32", by_index(_congruential)),
}
