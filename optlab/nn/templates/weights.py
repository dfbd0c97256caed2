"""Weights between the flat buffer (tap, tap, input channel, output channel) and the forms that the products take."""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
@traced
def transform_weights(work, packed):
    def one(c, b):
        for part in range(K_VECTORS):
            start = c * KP + (b * K_VECTORS + part) * WIDTH
            table = [[load(work, start + (i * TAPS + j) * (C * KP), WIDTH) for j in range(TAPS)] for i in range(TAPS)]
            for i, row in enumerate(both_axes(G, table)):
                for j, value in enumerate(row):
                    at = (i * POINTS + j) * (K_BLOCKS * C * K_VECTORS * WIDTH) + (b * C + c) * (K_VECTORS * WIDTH) + part * WIDTH
                    store(packed, at, value)

    repeat(work, C, lambda c: repeat(work, K_BLOCKS, lambda b: one(c, b)))


@traced
def transform_products(products, work):
    """The gradient of the weights from the sums of products."""

    def one(c, v):
        start = c * KP + v * WIDTH
        table = [[load(products, start + (i * POINTS + j) * (C * KP), WIDTH) for j in range(POINTS)] for i in range(POINTS)]
        for i, row in enumerate(both_axes(GT, table)):
            for j, value in enumerate(row):
                store(work, start + (i * TAPS + j) * (C * KP), value)

    repeat(work, C, lambda c: repeat(work, KP // WIDTH, lambda v: one(c, v)))


@njit(nogil=True, cache=True)
def pack(weights, place, packed, work):
    """Transform the weights that begin at ``place`` for the forward pass, and transposed for the backward pass."""
    for row in range(TAPS * TAPS * C):
        for k in range(K):
            work[row * KP + k] = weights[place + row * K + k]
        for k in range(K, KP):
            work[row * KP + k] = 0
    transform_weights(work, packed)
    lk, lc = K_VECTORS * WIDTH, C_VECTORS * WIDTH
    for p in range(POINTS * POINTS):
        for cb in range(C_BLOCKS):
            for k in range(K):
                place = BACK_AT + ((p * C_BLOCKS + cb) * K + k) * lc
                start = ((p * K_BLOCKS + k // lk) * C + cb * lc) * lk + k % lk
                for c in range(min(lc, C - cb * lc)):
                    packed[place + c] = packed[start + c * lk]
