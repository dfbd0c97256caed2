"""The streams behind each law of gradient noise, by hand: values from blocks of four random words, word for word."""

import math

from tests.oracles.philox import MASK, NOISE, normal_pair, philox, uniform


def angle(word):
    """31 bits choose it in (-pi/2, pi/2), the first bit turns it by half a turn: cosine and sine."""
    half = math.pi * ((word & (MASK >> 1)) + 0.5 - 2**30) / 2**31
    return (-1) ** (word >> 31) * math.cos(half), math.sin(half)


def uniform53(high, low):
    """A number in (0, 1) from the 32 bits of one word and the first 21 of another."""
    return ((high << 21 | low >> 11) + 0.5) / 2**53


def student(u, word, dof):
    """Student's t from a uniform number and an angle (Bailey 1994)."""
    return angle(word)[0] * math.sqrt(dof * math.expm1(-2 / dof * math.log(u)))


def block(words, kind, dof=None, bits=32):
    """The values that one block of words gives."""
    w = words
    if kind == "student_t":
        if bits == 53:
            return [student(uniform53(w[0], w[1]), w[2], dof)]
        return [student(uniform(w[0]), w[1], dof), student(uniform(w[2]), w[3], dof)]
    if bits == 53:
        radius = math.sqrt(-2 * math.log(uniform53(w[0], w[1])))
        return [radius * part for part in angle(w[2])]
    return [*normal_pair(w[0], w[1]), *normal_pair(w[2], w[3])]


def stream(trajectory, start, count, key, kind="gaussian", dof=None, bits=32):
    """Values start .. start + count - 1 of a trajectory's noise."""
    out, held, each = [], None, len(block((1, 1, 1, 1), kind, dof, bits))
    for place in range(start, start + count):
        if place // each != held:
            held = place // each
            values = block(philox((trajectory, held & MASK, held >> 32, NOISE), key), kind, dof, bits)
        out.append(values[place % each])
    return out


def noisy_gradient(g, trajectory, step, batch, sigma, key, kind="gaussian", dof=None, bits=32):
    """What the rule sees at a step (from 0) where the gradient is the list g."""
    d = len(g)
    if kind == "student_t":
        unit, out = math.sqrt((dof - 2) / dof), []
        for i in range(d):
            draws = stream(trajectory, (step * d + i) * batch, batch, key, kind, dof, bits)
            out.append(g[i] + sigma * unit * sum(draws) / batch)
        return out
    z, scale = stream(trajectory, step * d, d, key, kind, None, bits), sigma / math.sqrt(batch)
    if kind == "multiplicative":
        return [x * (1 + scale * w) for x, w in zip(g, z, strict=True)]
    return [x + scale * w for x, w in zip(g, z, strict=True)]
