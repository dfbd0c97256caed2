"""Philox4x32-10 in plain Python integers, after Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011)."""

import hashlib
import math

MASK = 2**32 - 1
NOISE, BATCH, PERMUTATION, INITIALIZATION, AUGMENTATION, DATA, ROTATION, SPLIT, TOKENS = 1, 2, 3, 4, 5, 6, 7, 8, 9


def philox(counter, key):
    """Four words from a counter of four words and a key of two."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        low0, high0 = (0xD2511F53 * x0) & MASK, (0xD2511F53 * x0) >> 32
        low1, high1 = (0xCD9E8D57 * x2) & MASK, (0xCD9E8D57 * x2) >> 32
        x0, x1, x2, x3 = high1 ^ x1 ^ k0, low1, high0 ^ x3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return x0, x1, x2, x3


def common_key(seed):
    """The key of a run that is keyed by its seed alone."""
    digest = hashlib.sha256(f"optlab:{seed}:".encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


def uniform(word):
    """A word as a number in (0, 1)."""
    return (word + 0.5) / 2**32


def normal_pair(word0, word1):
    """Two N(0, 1) numbers from two words, by Box and Muller: the second word's first bit is the sign of the cosine."""
    radius = math.sqrt(-2 * math.log(uniform(word0)))
    angle = math.pi * ((word1 & (MASK >> 1)) + 0.5 - 2**30) / 2**31
    return (-1) ** (word1 >> 31) * radius * math.cos(angle), radius * math.sin(angle)


def stream(trajectory, purpose, start, count, key):
    """Words start .. start + count - 1 of one trajectory's stream: four to a block, blocks numbered by 64 bits."""
    out = []
    for place in range(start, start + count):
        block = place // 4
        out.append(philox((trajectory, block & MASK, block >> 32, purpose), key)[place % 4])
    return out


def normals(trajectory, step, purpose, count, key):
    """``count`` N(0, 1) numbers of one trajectory at one step: places step * count on of its stream, four to a block."""
    out = []
    for place in range(step * count, (step + 1) * count):
        block = place // 4
        w = philox((trajectory, block & MASK, block >> 32, purpose), key)
        out.append([*normal_pair(w[0], w[1]), *normal_pair(w[2], w[3])][place % 4])
    return out
