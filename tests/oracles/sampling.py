"""Which rows a mini-batch takes, by hand."""

from tests.oracles.philox import BATCH, DATA, MASK, PERMUTATION, normal_pair, philox, stream, uniform


def below(word, n):
    """An integer in [0, n) from a word."""
    return word * n // 2**32


def shuffle(order, length, drawn):
    """Fisher and Yates's shuffle of the first ``length`` places, in place."""
    for k in range(length):
        j = k + below(drawn[k], len(order) - k)
        order[k], order[j] = order[j], order[k]


def batches(sampling, n, batch, steps, trajectory, key):
    """The rows of each step's mini-batch, in order."""
    out, order = [], list(range(n))
    per_epoch = -(-n // batch)
    for step in range(steps):
        if sampling == "full":
            out.append(list(range(n)))
        elif sampling == "replacement":
            out.append([below(word, n) for word in stream(trajectory, BATCH, step * batch, batch, key)])
        elif sampling == "subset":
            shuffle(order, batch, stream(trajectory, BATCH, step * batch, batch, key))
            out.append(order[:batch])
        elif sampling == "reshuffle":
            place = step % per_epoch
            if place == 0:
                shuffle(order, n, stream(trajectory, PERMUTATION, step // per_epoch * n, n, key))
            out.append(order[place * batch : (place + 1) * batch])
        else:
            raise ValueError(sampling)
    return out


def fresh(trajectory, step, batch, key):
    """The (uniform on (-1, 1), N(0, 1)) draws of one fresh batch."""
    out = []
    for k in range(batch):
        sample = step * batch + k
        w = philox((trajectory, sample & MASK, sample >> 32, DATA), key)
        out.append((2 * uniform(w[0]) - 1, normal_pair(w[2], w[3])[0]))
    return out
