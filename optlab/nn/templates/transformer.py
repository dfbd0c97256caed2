"""The parts of a transformer encoder and their backward passes, a whole batch at a time.

Activations hold sequence, feature, token: the T tokens of a sequence are the lanes of one vector, so norms, softmax and products need no
sums across lanes; only what is summed over the batch does, once a number. ``work`` is one flat array; ``x``, ``y``, ``dx``, ``dy`` are
places in it. S sequences of D features in HEADS heads of E.
"""

# ruff: noqa: F821
from numba import njit

from optlab.codegen.tracing import traced


# --- template ---
def linear(inputs, outputs):
    """y = W x + b: forward, the gradient of x, the gradients of W (inputs, outputs) and of b."""

    @traced
    def forward(weights, at, shift, work, x, y):
        def tile(s, k):
            def add(c, *sums):
                value = load(work, x + (s * inputs + c) * T, T)
                return tuple(fma(load(weights, at + c * outputs + k + r, 1), value, sums[r]) for r in range(TILE))

            start = tuple(spread(load(weights, shift + k + r, 1), zeros(work, T, F)) for r in range(TILE))
            for r, value in enumerate(repeat(work, inputs, add, start)):
                store(work, y + (s * outputs + k + r) * T, value)

        over(work, S, lambda s: over(work, outputs // TILE, lambda q: tile(s, q * TILE)))

    @traced
    def back(weights, at, work, dy, dx):
        def tile(s, c):
            def add(k, *sums):
                slope = load(work, dy + (s * outputs + k) * T, T)
                return tuple(fma(load(weights, at + (c + r) * outputs + k, 1), slope, sums[r]) for r in range(TILE))

            for r, value in enumerate(repeat(work, outputs, add, (zeros(work, T, F),) * TILE)):
                store(work, dx + (s * inputs + c + r) * T, value)

        over(work, S, lambda s: over(work, inputs // TILE, lambda q: tile(s, q * TILE)))

    @traced
    def weights_back(gradient, at, shift, work, x, dy):
        def tile(c, k):
            def add(s, *sums):
                values = [load(work, x + (s * inputs + c + a) * T, T) for a in range(2)]
                slopes = [load(work, dy + (s * outputs + k + b) * T, T) for b in range(2)]
                return tuple(fma(values[a], slopes[b], sums[2 * a + b]) for a in range(2) for b in range(2))

            found = repeat(work, S, add, (zeros(work, T, F),) * 4)
            for number, part in enumerate(found):
                store(gradient, at + (c + number // 2) * outputs + k + number % 2, total(part))

        def one(k):
            (part,) = repeat(work, S, lambda s, part: (part + load(work, dy + (s * outputs + k) * T, T),), (zeros(work, T, F),))
            store(gradient, shift + k, total(part))

        over(work, inputs // 2, lambda c: over(work, outputs // 2, lambda k: tile(c * 2, k * 2)))
        over(work, outputs, one)

    return forward, back, weights_back


def over(like, count, body):
    """A loop around a long body."""
    repeat(like, count, body, long=True)


@traced
def add(work, onto, other):
    """The residual sum: activations of D features ``onto``, in place."""
    over(work, S * D, lambda i: store(work, onto + i * T, load(work, onto + i * T, T) + load(work, other + i * T, T)))


@traced
def rectify(work, x):
    over(work, S * HIDDEN, lambda i: store(work, x + i * T, relu(load(work, x + i * T, T))))


@traced
def rectify_back(work, dy, y):
    over(work, S * HIDDEN, lambda i: store(work, dy + i * T, relu_back(load(work, dy + i * T, T), load(work, y + i * T, T))))


@traced
def attend(work, x, weights, y):
    """Queries, keys and values ``x`` of 3 D features, to the ``weights`` (sequence, head, key, query) and the weighted values."""

    def of_head(s, h):
        q, k, v = (x + (s * 3 * D + part * D + h * E) * T for part in range(3))
        place = weights + (s * HEADS + h) * (T * T)

        def scored(j, peak):
            (dot,) = repeat(work, E, lambda e, z: (fma(load(work, k + e * T + j, 1), load(work, q + e * T, T), z),), (zeros(work, T, F),))
            z = score(dot)
            store(work, place + j * T, z)
            return (maximum(peak, z),)

        (peak,) = repeat(work, T, scored, (zeros(work, T, F) + F(-np.inf),))

        def termed(j, so_far):
            one = term(load(work, place + j * T, T), peak)
            store(work, place + j * T, one)
            return (so_far + one,)

        (whole,) = repeat(work, T, termed, (zeros(work, T, F),))
        repeat(work, T, lambda j: store(work, place + j * T, weight(load(work, place + j * T, T), whole)))

        def tile(e):
            def add(j, *sums):
                one = load(work, place + j * T, T)
                return tuple(fma(load(work, v + (e + r) * T + j, 1), one, sums[r]) for r in range(TILE))

            for r, value in enumerate(repeat(work, T, add, (zeros(work, T, F),) * TILE)):
                store(work, y + (s * D + h * E + e + r) * T, value)

        over(work, E // TILE, lambda i: tile(i * TILE))

    over(work, S, lambda s: over(work, HEADS, lambda h: of_head(s, h)))


@traced
def attend_back(work, x, weights, dy, dx, slopes):
    """From the gradient of the weighted values to that of queries, keys and values; ``slopes`` is room for T x T numbers."""

    def of_head(s, h):
        q, k, v = (x + (s * 3 * D + part * D + h * E) * T for part in range(3))
        dq, dk, dv = (dx + (s * 3 * D + part * D + h * E) * T for part in range(3))
        up, place = dy + (s * D + h * E) * T, weights + (s * HEADS + h) * (T * T)

        def of_weight(j, pulled):
            (dw,) = repeat(work, E, lambda e, z: (fma(load(work, v + e * T + j, 1), load(work, up + e * T, T), z),), (zeros(work, T, F),))
            store(work, slopes + j * T, dw)
            return (pulled + integrand(dw, load(work, place + j * T, T)),)

        (pulled,) = repeat(work, T, of_weight, (zeros(work, T, F),))

        def of_score(j):
            z = adjoint(load(work, slopes + j * T, T), load(work, place + j * T, T), pulled)
            store(work, slopes + j * T, score_back(z))

        repeat(work, T, of_score)

        def tile(e):
            def add(j, *sums):
                one = load(work, slopes + j * T, T)
                return tuple(fma(load(work, k + (e + r) * T + j, 1), one, sums[r]) for r in range(TILE))

            for r, value in enumerate(repeat(work, T, add, (zeros(work, T, F),) * TILE)):
                store(work, dq + (e + r) * T, value)

        def summed(e, j):
            store(work, dk + e * T + j, total(load(work, q + e * T, T) * load(work, slopes + j * T, T)))
            store(work, dv + e * T + j, total(load(work, up + e * T, T) * load(work, place + j * T, T)))

        over(work, E // TILE, lambda i: tile(i * TILE))
        over(work, E, lambda e: over(work, T, lambda j: summed(e, j)))

    over(work, S, lambda s: over(work, HEADS, lambda h: of_head(s, h)))


@traced
def softmax(work, logits, slopes, weight, facts):
    """``weight`` times the loss's derivative by each logit through the total; the peak and the total of each token to ``facts``."""

    def of_sequence(s):
        def at(k):
            return load(work, logits + (s * VOCABULARY + k) * T, T)

        (peak,) = repeat(work, VOCABULARY, lambda k, peak: (maximum(peak, at(k)),), (zeros(work, T, F) + F(-np.inf),))
        (whole,) = repeat(work, VOCABULARY, lambda k, so_far: (so_far + term(at(k), peak),), (zeros(work, T, F),))
        store(work, facts + s * (2 * T), peak)
        store(work, facts + s * (2 * T) + T, whole)
        repeat(work, VOCABULARY, lambda k: store(work, slopes + (s * VOCABULARY + k) * T, weight * slope_of(at(k), peak, whole)))

    over(work, S, of_sequence)
