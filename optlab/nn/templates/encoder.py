"""The passes of a transformer encoder over a batch; the names in capitals are places in ``work``, ``weights`` and ``gradient``."""

# ruff: noqa: F821
from numba import njit

# --- template ---
qkv, qkv_back, qkv_weights = linear(D, 3 * D)
out, out_back, out_weights = linear(D, D)
up, up_back, up_weights = linear(D, HIDDEN)
down, down_back, down_weights = linear(HIDDEN, D)
read, read_back, read_weights = linear(D, VOCABULARY)


@njit
def embed(weights, tokens, work):
    for s in range(S):
        for i in range(T):
            token = tokens[s * T + i]
            for c in range(D):
                work[(s * D + c) * T + i] = weights[EMBEDDING + token * D + c] + weights[POSITIONS + i * D + c]


@njit
def embed_back(gradient, tokens, work):
    gradient[EMBEDDING : EMBEDDING + VOCABULARY * D] = 0
    gradient[POSITIONS : POSITIONS + T * D] = 0
    for s in range(S):
        for i in range(T):
            token = tokens[s * T + i]
            for c in range(D):
                slope = work[G + (s * D + c) * T + i]
                gradient[EMBEDDING + token * D + c] += slope
                gradient[POSITIONS + i * D + c] += slope


@njit
def norm_forward(weights, at, work, x, y):
    normalize(weights, at, work, x, y)


@njit
def norm_backward(weights, at, gradient, work, x, dy, dx):
    normalize_back(weights, at, gradient, work, x, dy, dx, XHAT)


@njit
def attention(weights, w, b, work, x, entered):
    """The attention of the block at ``x``, of what ``entered`` it, and its residual sum."""
    qkv(weights, w + W_QKV, b + B_QKV, work, entered, x + QKV)
    attend(work, x + QKV, x + P, x + O)
    out(weights, w + W_OUT, b + B_OUT, work, x + O, x + SUM)
    add(work, x + SUM, x)


@njit
def perceptron(weights, w, b, work, x, entered, middle, end):
    """The two layers of the block at ``x``, and their sum with the ``middle`` at the ``end``."""
    up(weights, w + W_UP, b + B_UP, work, entered, x + U)
    rectify(work, x + U)
    down(weights, w + W_DOWN, b + B_DOWN, work, x + U, end)
    add(work, end, middle)


@njit
def forward(weights, tokens, work):
    embed(weights, tokens, work)
    for block in range(BLOCKS):
        x, w, b = block * BLOCK, WEIGHTS + block * BLOCK_WEIGHTS, SHIFTS + block * BLOCK_SHIFTS
        if PRE:
            norm_forward(weights, b, work, x, x + N1)
            attention(weights, w, b, work, x, x + N1)
            norm_forward(weights, b + NORM, work, x + SUM, x + N2)
            perceptron(weights, w, b, work, x, x + N2, x + SUM, x + BLOCK)
        else:
            attention(weights, w, b, work, x, x)
            norm_forward(weights, b, work, x + SUM, x + N1)
            perceptron(weights, w, b, work, x, x + N1, x + N1, x + N2)
            norm_forward(weights, b + NORM, work, x + N2, x + BLOCK)
    last = BLOCKS * BLOCK
    if PRE:
        norm_forward(weights, LAST_NORM, work, last, last + LAST)
        last += LAST
    read(weights, W_READ, B_READ, work, last, LOGITS)


@njit
def attention_back(weights, w, b, gradient, work, x, entered, dy, dx):
    """From the gradient ``dy`` of the attention's result to that of what entered it."""
    out_weights(gradient, w + W_OUT, b + B_OUT, work, x + O, dy)
    out_back(weights, w + W_OUT, work, dy, dx)
    attend_back(work, x + QKV, x + P, dx, G_QKV, G_SCORES)
    qkv_weights(gradient, w + W_QKV, b + B_QKV, work, entered, G_QKV)
    qkv_back(weights, w + W_QKV, work, G_QKV, dx)


@njit
def perceptron_back(weights, w, b, gradient, work, x, entered, dy, dx):
    down_weights(gradient, w + W_DOWN, b + B_DOWN, work, x + U, dy)
    down_back(weights, w + W_DOWN, work, dy, G_U)
    rectify_back(work, G_U, x + U)
    up_weights(gradient, w + W_UP, b + B_UP, work, entered, G_U)
    up_back(weights, w + W_UP, work, G_U, dx)


@njit
def backward(weights, tokens, work, gradient):
    last = BLOCKS * BLOCK
    if PRE:
        read_weights(gradient, W_READ, B_READ, work, last + LAST, G_LOGITS)
        read_back(weights, W_READ, work, G_LOGITS, G1)
        norm_backward(weights, LAST_NORM, gradient, work, last, G1, G)
    else:
        read_weights(gradient, W_READ, B_READ, work, last, G_LOGITS)
        read_back(weights, W_READ, work, G_LOGITS, G)
    for block in range(BLOCKS - 1, -1, -1):
        x, w, b = block * BLOCK, WEIGHTS + block * BLOCK_WEIGHTS, SHIFTS + block * BLOCK_SHIFTS
        if PRE:
            perceptron_back(weights, w, b, gradient, work, x, x + N2, G, G1)
            norm_backward(weights, b + NORM, gradient, work, x + SUM, G1, G2)
            add(work, G, G2)
            attention_back(weights, w, b, gradient, work, x, x + N1, G, G1)
            norm_backward(weights, b, gradient, work, x, G1, G2)
        else:
            norm_backward(weights, b + NORM, gradient, work, x + N2, G, G2)
            perceptron_back(weights, w, b, gradient, work, x, x + N1, G2, G1)
            add(work, G1, G2)
            norm_backward(weights, b, gradient, work, x + SUM, G1, G2)
            attention_back(weights, w, b, gradient, work, x, x, G2, G)
        add(work, G, G2)
    embed_back(gradient, tokens, work)


@njit
def objective(labels, work, totals):
    """The mean loss and the share of right answers to ``totals``; the gradient by the logits of the mean loss."""
    softmax(work, LOGITS, G_LOGITS, F(1 / (S * T)), FACTS)
    losses, hits = 0.0, 0
    for s in range(S):
        for i in range(T):
            label, start = labels[s * T + i], s * VOCABULARY * T + i
            best = 0
            for k in range(1, VOCABULARY):
                if work[LOGITS + start + k * T] > work[LOGITS + start + best * T]:
                    best = k
            target = work[LOGITS + start + label * T]
            losses += loss(float(work[FACTS + s * 2 * T + T + i]), float(work[FACTS + s * 2 * T + i]), float(target))
            hits += best == label
            work[G_LOGITS + start + label * T] += F(TARGET_SLOPE / (S * T))
    totals[0], totals[1] = losses / (S * T), hits / (S * T)


@njit(nogil=True, cache=True)
def gradients(weights, tokens, labels, work, totals, gradient, wanted):
    """Mean loss and share of right answers; where ``wanted``, the gradient of the mean loss by every parameter."""
    forward(weights, tokens, work)
    objective(labels, work, totals)
    if wanted:
        backward(weights, tokens, work, gradient)
