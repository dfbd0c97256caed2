"""Random sequences and the same sequences backwards."""

# ruff: noqa: F821
from numba import njit


# --- template ---
@njit(nogil=True, cache=True)
def draw(tokens, labels, length, words, step, k0, k1):
    """Fill a batch: token i of sequence s is the word of position i % 4 of block (s, step, i // 4)."""
    for s in range(tokens.shape[0] // length):
        for block in range(-(-length // 4)):
            drawn = philox(uint32(s), uint32(step), uint32(block), uint32(TOKENS), uint32(k0), uint32(k1))
            for part in range(min(4, length - 4 * block)):
                i = 4 * block + part
                tokens[s * length + i] = bounded(drawn[part], words)
                labels[s * length + length - 1 - i] = tokens[s * length + i]
