"""The loop over steps for one chunk of trajectories; pasted behind the generated functions it calls."""

# ruff: noqa: F821
import numpy as np
from numba import njit

# --- template ---
TWO_PI = F(6.283185307179586)
HALF = F(0.5)
WORD = F(2.3283064365386963e-10)  # 2^-32


@njit
def normal_pair(word0, word1):
    """Two independent N(0, 1) numbers from two words (Box & Muller 1958). |z| <= 6.8."""
    radius = math.sqrt(F(-2.0) * math.log((F(word0) + HALF) * WORD))
    angle = TWO_PI * ((F(word1) + HALF) * WORD)
    return radius * math.cos(angle), radius * math.sin(angle)


@njit
def add_normals(target, scale, first, step, purpose, key0, key1):
    """target[i, lane] += scale * N(0, 1): one Philox block serves four coordinates of one trajectory."""
    d = target.shape[0]
    for block in range((d + 3) // 4):
        i = 4 * block
        for lane in range(LANES):
            w0, w1, w2, w3 = philox(uint32(first + lane), uint32(step), uint32(block), uint32(purpose), key0, key1)
            n0, n1 = normal_pair(w0, w1)
            target[i, lane] += scale * n0
            if i + 1 < d:
                target[i + 1, lane] += scale * n1
            if i + 2 < d:
                n2, n3 = normal_pair(w2, w3)
                target[i + 2, lane] += scale * n2
                if i + 3 < d:
                    target[i + 3, lane] += scale * n3


@njit
def bin_of(value):
    """The histogram bin of a loss: sign, exponent, and inside the fine range the first bits of the mantissa."""
    if not (abs(value) <= 1.7e308):
        return 2 * HALF_BINS
    mantissa, exponent = math.frexp(abs(value))
    if mantissa == 0.0:
        return HALF_BINS
    fine = exponent - LOWEST_EXPONENT
    if fine < 0:
        place = COARSE_BELOW + fine
    elif fine < FINE_OCTAVES:
        place = COARSE_BELOW + fine * BINS_PER_OCTAVE + int((mantissa - 0.5) * (2 * BINS_PER_OCTAVE))
    else:
        place = COARSE_BELOW + FINE_OCTAVES * (BINS_PER_OCTAVE - 1) + fine
    place += 1
    return HALF_BINS + place if value > 0 else HALF_BINS - place


@njit
def merge(moments, count, mean, m2):
    """Add the moments of ``count`` new values to (count, mean, M2) by Chan, Golub & LeVeque's update."""
    total = moments[0] + count
    delta = mean - moments[1]
    moments[1] += delta * (count / total)
    moments[2] += m2 + delta * delta * (moments[0] * count / total)
    moments[0] = total


@njit
def record_losses(losses, active, moments, histogram):
    total = 0.0
    for lane in range(active):
        total += losses[lane]
    mean = total / active
    m2 = 0.0
    for lane in range(active):
        deviation = losses[lane] - mean
        m2 += deviation * deviation
        moments[3] = min(moments[3], losses[lane])
        moments[4] = max(moments[4], losses[lane])
        moments[5] += 0.0 if abs(losses[lane]) <= 1.7e308 else 1.0
        histogram[bin_of(losses[lane])] += 1
    merge(moments, float(active), mean, m2)


@njit
def record_coordinates(theta, active, moments):
    for i in range(theta.shape[0]):
        mean = 0.0
        for lane in range(active):
            mean += theta[i, lane]
        mean /= active
        m2 = 0.0
        for lane in range(active):
            deviation = theta[i, lane] - mean
            m2 += deviation * deviation
        merge(moments[i], float(active), mean, m2)


@njit(nogil=True, cache=True)
def run_chunk(
    first, count, steps, records, rates, constants, table, initial, start, scatter, noise, limit,
    curvature, matrix, targets, batch, mode, key0, key1,
    moments, coordinates, histogram, kept_theta, kept_loss, diverged_at, final_loss, diverged_total,
):  # fmt: skip
    """Simulate trajectories first .. first + count - 1 and reduce them into this chunk's moments."""
    d = start.shape[0]
    state = np.empty((STATES, d, LANES), F)
    work = np.empty((d, LANES), F)
    gradient = np.empty((d, LANES), F)
    row = np.empty(LANES, F)
    losses = np.empty(LANES, np.float64)
    since = np.empty(LANES, np.int64)
    order = make_order(targets.shape[0], mode)
    for begin in range(0, count, LANES):
        active = min(LANES, count - begin)
        trajectory = first + begin
        for i in range(d):
            for lane in range(LANES):
                state[0, i, lane] = start[i]
        if scatter > F(0.0):
            add_normals(state[0], scatter, trajectory, 0, INITIALIZATION, key0, key1)
        for s in range(1, STATES):
            state[s, :, :] = initial[s - 1]
        since[:] = -1
        reset_order(order)
        r = 0
        for step in range(steps + 1):
            if r < records.shape[0] and records[r] == step:
                loss_block(state[0], losses, row, curvature, matrix, targets)
                record_losses(losses, active, moments[r], histogram[r])
                if coordinates.shape[1] > 0:
                    record_coordinates(state[0], active, coordinates[r])
                for lane in range(active):
                    if trajectory + lane < kept_loss.shape[0]:
                        kept_loss[trajectory + lane, r] = losses[lane]
                        for i in range(d):
                            kept_theta[trajectory + lane, r, i] = state[0, i, lane]
                    if since[lane] >= 0:
                        diverged_total[r] += 1
                r += 1
            if step == steps:
                if diverged_at.shape[0] > 0:
                    loss_block(state[0], losses, row, curvature, matrix, targets)
                break
            scalars = table[step]
            point = gradient_point(state, work, constants, scalars)
            gradient_block(point, gradient, row, curvature, matrix, targets, order, batch, mode, trajectory, step, key0, key1)
            if noise > F(0.0):
                add_normals(gradient, noise, trajectory, step, NOISE, key0, key1)
            for i in range(d):
                update_lanes(state, gradient, constants, scalars, i)
            for i in range(d):
                for lane in range(LANES):
                    if not (abs(state[0, i, lane]) <= limit) and since[lane] < 0:
                        since[lane] = step + 1
        for lane in range(active):
            if trajectory + lane < diverged_at.shape[0]:
                diverged_at[trajectory + lane] = since[lane]
                final_loss[trajectory + lane] = losses[lane]
