"""Learning rates by hand, step number from 0."""

import math


def constant(t, alpha):
    return alpha


def inverse_sqrt(t, a):
    return a / math.sqrt(t + 1)


def inverse_time(t, c, t0):
    return c / (t + t0)


def half_cosine(high, low, position):
    return low + (high - low) * 0.5 * (1 + math.cos(math.pi * position))


def cosine(t, peak, steps, floor=0.0):
    return half_cosine(peak, floor, t / steps) if t < steps else floor


def warmup_cosine(t, peak, steps, warmup, floor=0.0):
    if t < warmup:
        return peak * (t + 1) / warmup
    if t < steps:
        return half_cosine(peak, floor, (t - warmup) / (steps - warmup))
    return floor


def one_cycle(t, base, peak, steps, rise=0.3):
    last = steps - 1
    top = rise * last
    if t < top:
        return half_cosine(base, peak, t / top)
    if t < last:
        return half_cosine(peak, base / 100, (t - top) / (last - top))
    return base / 100


SCHEDULES = {f.__name__: f for f in (constant, inverse_sqrt, inverse_time, cosine, warmup_cosine, one_cycle)}
