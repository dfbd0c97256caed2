"""One convolution (or linear layer) and its backward passes, by short convolutions: transforms in, products, transforms out.

Pasted behind constants and the texts of two norms: that of the input (``source_...``) and that of the output (``own_...``). All arrays
are flat: activations hold image, row, column, channel, the channels padded to whole vectors. A unit is UNIT images, done in CHUNKS
chunks of T tiles each. ``scratch`` belongs to one thread; its parts begin at the constants ``..._AT``.
"""

# ruff: noqa: F821
import numpy as np
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
def turns(like, count, body):
    """A loop around a long body."""
    repeat(like, count, body, long=True)


def product(left, left_at, left_step, width, right, right_at, inner, blocks, vectors, out, out_at, out_step):
    """out[p, t, :] = left[p, t, :] @ right[p] for every point p and tile t, in register tiles; ``right`` in blocks of columns."""
    lanes, across = vectors * WIDTH, blocks * vectors * WIDTH

    def of_point(p):
        begin = 0
        for rows, times in TILES:
            turns(left, times, lambda q, rows=rows, begin=begin: turns(left, blocks, lambda b: tile(p, begin + q * rows, b, rows)))
            begin += rows * times

    def tile(p, t, b, rows):
        start, weights = left_at + p * left_step + t * width, right_at + (p * blocks + b) * (inner * lanes)

        def add(i, *sums):
            weight = [load(right, weights + i * lanes + v * WIDTH, WIDTH) for v in range(vectors)]
            out = []
            for r in range(rows):
                number = load(left, start + i + r * width, 1)
                out += [fma(number, weight[v], sums[r * vectors + v]) for v in range(vectors)]
            return out

        sums = repeat(left, inner, add, tuple(zeros(left, WIDTH, F) for _ in range(rows * vectors)))
        place = out_at + p * out_step + t * across + b * lanes
        for r in range(rows):
            for v in range(vectors):
                store(out, place + (r * across + v * WIDTH), sums[r * vectors + v])

    turns(left, POINTS * POINTS, of_point)


@traced
def multiply(scratch, packed):
    """The products of the forward pass: transformed inputs by transformed weights."""
    product(scratch, INPUT_AT, C_STEP, CP, packed, 0, C, K_BLOCKS, K_VECTORS, scratch, PRODUCT_AT, K_STEP)


@traced
def multiply_back(scratch, packed):
    """The products of the backward pass for the input: transformed gradients by transposed weights."""
    product(scratch, GRADIENT_AT, K_STEP, KP, packed, BACK_AT, K, C_BLOCKS, C_VECTORS, scratch, PRODUCT_AT, C_STEP)


@traced
def correlate(scratch, sums):
    """The products of the backward pass for the weights: sums[p, c, :] += input[p, t, c] gradient[p, t, :] over the tiles."""
    lanes = K_VECTORS * WIDTH

    def of_point(p):
        begin = 0
        for rows, times in CHANNEL_TILES:
            turns(sums, times, lambda q, rows=rows, begin=begin: turns(sums, K_BLOCKS, lambda b: tile(p, begin + q * rows, b, rows)))
            begin += rows * times

    def tile(p, c, b, rows):
        place = (p * C + c) * KP + b * lanes

        def add(t, *totals):
            gradient = [load(scratch, GRADIENT_AT + p * K_STEP + t * KP + b * lanes + v * WIDTH, WIDTH) for v in range(K_VECTORS)]
            out = []
            for r in range(rows):
                number = load(scratch, INPUT_AT + p * C_STEP + t * CP + c + r, 1)
                out += [fma(number, gradient[v], totals[r * K_VECTORS + v]) for v in range(K_VECTORS)]
            return out

        places = [place + (r * KP + v * WIDTH) for r in range(rows) for v in range(K_VECTORS)]
        for at, total in zip(places, repeat(sums, T, add, tuple(load(sums, at, WIDTH) for at in places)), strict=True):
            store(sums, at, total)

    turns(sums, POINTS * POINTS, of_point)


def both_axes(matrix, rows):
    """The matrix applied to the columns, then to the rows, of a small table of vectors (None: zero)."""
    columns = [linear(matrix, [row[j] for row in rows]) for j in range(len(rows[0]))]
    return [linear(matrix, [column[i] for column in columns]) for i in range(len(matrix))]


def over_tiles(array, q, chunk, body):
    """``body(t, row, column)``: the tiles of image q of the unit in this chunk, t in the chunk's order, row and column in tiles."""
    turns(
        array,
        ROWS_PER_CHUNK,
        lambda i: turns(array, SIDE, lambda j: body(q * TILES_PER_IMAGE + i * SIDE + j, chunk * ROWS_PER_CHUNK + i, j)),
    )


@traced
def transform_input(scratch, q, chunk):
    def one(t, i, j, v):
        start = PADDED_AT + (i * TILE * HALO + j * TILE) * CP + v * WIDTH
        table = [[load(scratch, start + (a * HALO + b) * CP, WIDTH) for b in range(POINTS)] for a in range(POINTS)]
        place = INPUT_AT + t * CP + v * WIDTH
        for a, row in enumerate(both_axes(CT, table)):
            for b, value in enumerate(row):
                store(scratch, place + (a * POINTS + b) * C_STEP, value)

    over_tiles(scratch, q, chunk, lambda t, i, j: repeat(scratch, CP // WIDTH, lambda v: one(t, i, j, v)))


@traced
def transform_gradient(scratch, q, chunk):
    def one(t, i, j, v):
        start = SLOPE_AT + (i * (TILE // STRIDE) * OUT + j * (TILE // STRIDE)) * KP + v * WIDTH
        kept = [a // STRIDE if a % STRIDE == 0 else None for a in range(TILE)]
        table = [[None if a is None or b is None else load(scratch, start + (a * OUT + b) * KP, WIDTH) for b in kept] for a in kept]
        place = GRADIENT_AT + t * KP + v * WIDTH
        for a, row in enumerate(sparse_axes(A, table)):
            for b, value in enumerate(row):
                store(scratch, place + (a * POINTS + b) * K_STEP, spread_zero(value, scratch))

    over_tiles(scratch, q, chunk, lambda t, i, j: repeat(scratch, KP // WIDTH, lambda v: one(t, i, j, v)))


def spread_zero(value, array):
    return zeros(array, WIDTH, F) if value is None else value


def sparse_axes(matrix, rows):
    """As both_axes, where whole columns and rows of the table are zero."""
    columns = [linear(matrix, [row[j] for row in rows]) if any(row[j] is not None for row in rows) else None for j in range(len(rows[0]))]
    return [linear(matrix, [None if column is None else column[i] for column in columns]) for i in range(len(matrix))]


@traced
def no_gradient(scratch, q):
    """Nothing comes from a tile that holds no image."""

    def one(t, v):
        for p in range(POINTS * POINTS):
            store(scratch, GRADIENT_AT + p * K_STEP + t * KP + v * WIDTH, zeros(scratch, WIDTH, F))

    def other(t, v):
        for p in range(POINTS * POINTS):
            store(scratch, INPUT_AT + p * C_STEP + t * CP + v * WIDTH, zeros(scratch, WIDTH, F))

    over_tiles(scratch, q, 0, lambda t, i, j: repeat(scratch, KP // WIDTH, lambda v: one(t, v)))
    over_tiles(scratch, q, 0, lambda t, i, j: repeat(scratch, CP // WIDTH, lambda v: other(t, v)))


@traced
def transform_output(scratch, result, image, q, chunk):
    def one(t, i, j, v):
        start = PRODUCT_AT + t * KP + v * WIDTH
        table = [[load(scratch, start + (a * POINTS + b) * K_STEP, WIDTH) for b in range(POINTS)] for a in range(POINTS)]
        place = ((image * OUT + i * (TILE // STRIDE)) * OUT + j * (TILE // STRIDE)) * KP + v * WIDTH
        for a, row in enumerate(both_axes(A_KEPT, table)):
            for b, value in enumerate(row):
                store(result, place + (a * OUT + b) * KP, value)

    over_tiles(scratch, q, chunk, lambda t, i, j: repeat(scratch, KP // WIDTH, lambda v: one(t, i, j, v)))


@traced
def transform_back(scratch, q, chunk):
    """Add what the tiles say of the input's gradient where they overlap."""

    def one(t, i, j, v):
        start = PRODUCT_AT + t * CP + v * WIDTH
        table = [[load(scratch, start + (a * POINTS + b) * C_STEP, WIDTH) for b in range(POINTS)] for a in range(POINTS)]
        place = BACK_PADDED_AT + (i * TILE * HALO + j * TILE) * CP + v * WIDTH
        for a, row in enumerate(both_axes(C_MATRIX, table)):
            for b, value in enumerate(row):
                at = place + (a * HALO + b) * CP
                store(scratch, at, load(scratch, at, WIDTH) + value)

    over_tiles(scratch, q, chunk, lambda t, i, j: repeat(scratch, CP // WIDTH, lambda v: one(t, i, j, v)))


@njit(nogil=True, cache=True)
def forward(first, last, source, images, before, slopes, skip, kept, packed, result, sums, scratch):
    """Images first .. last - 1: the input by its source, the convolution, and the sums of the output that its norm needs."""
    clear(scratch, PADDED_AT)
    for unit in range(first, last, UNIT):
        many = min(UNIT, last - unit)
        for chunk in range(CHUNKS):
            for q in range(many):
                if chunk == 0:
                    image = unit + q
                    "mark: take"
                transform_input(scratch, q, chunk)
            multiply(scratch, packed)
            for q in range(many):
                transform_output(scratch, result, unit + q, q, chunk)
        for q in range(many):
            own_sums(result, sums, unit + q)


@njit(nogil=True, cache=True)
def backward(
    first, last, source, sink, images, before, slopes, kept, packed, result, back_slopes, gradient, own_totals,
    upper, passed, totals, products, weights_gradient, place, work, scratch,
):  # fmt: skip
    """The same images: from the gradient of the output (before its norm's backward pass) to those of weights and input.

    The gradient of the input passes through what its source did (``sink``), into ``passed`` (which may be ``kept`` itself, or ``result``,
    where it has their size), with its sums for the norm below in ``totals``; ``upper`` is the gradient that a shortcut brings. The
    gradient of the weights goes to ``weights_gradient``, from ``place``.
    """
    clear(scratch, PADDED_AT)
    products[:] = 0
    for unit in range(first, last, UNIT):
        many = min(UNIT, last - unit)
        for q in range(many, UNIT):
            no_gradient(scratch, q)
        for chunk in range(CHUNKS):
            for q in range(many):
                if chunk == 0:
                    own_gradient(scratch, gradient, result, back_slopes, own_totals, unit + q)
                    image = unit + q
                    "mark: take again"
                transform_gradient(scratch, q, chunk)
                transform_input(scratch, q, chunk)
            correlate(scratch, products)
            if sink != NOTHING:
                multiply_back(scratch, packed)
                for q in range(many):
                    if UNIT > 1 or chunk == 0:
                        clear(scratch, BACK_PADDED_AT)
                    transform_back(scratch, q, chunk)
                    if chunk == CHUNKS - 1:
                        image = unit + q
                        "mark: give"
    transform_products(products, work)
    for row in range(TAPS * TAPS * C):
        for k in range(K):
            weights_gradient[place + row * K + k] = work[row * KP + k]
