"""Small networks by hand, slow and obvious, in NumPy: convolutions as sums over taps, norms from their definitions, the chain rule."""

import numpy as np

from tests.oracles.norms import AXIS, forward, normalized

NORMS = {"batch": "batch_norm", "layer": "layer_norm", "rms": "rms_norm"}
EPS = 1e-5


def convolve(x, w, stride=1):
    """x (images, side, side, c) by w (taps, taps, c, k), zeros around it."""
    taps, pad = w.shape[0], w.shape[0] // 2
    images, side, _, _ = x.shape
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((images, side // stride, side // stride, w.shape[3]), x.dtype)
    for i in range(taps):
        for j in range(taps):
            y += wide[:, i : i + side : stride, j : j + side : stride] @ w[i, j]
    return y


def convolve_back(x, w, dy, stride=1):
    """(dx, dw) of sum(dy * convolve(x, w))."""
    taps, pad = w.shape[0], w.shape[0] // 2
    side = x.shape[1]
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dwide, dw = np.zeros_like(wide), np.zeros_like(w)
    for i in range(taps):
        for j in range(taps):
            place = (slice(None), slice(i, i + side, stride), slice(j, j + side, stride))
            dw[i, j] = np.tensordot(wide[place], dy, ((0, 1, 2), (0, 1, 2)))
            dwide[place] += dy @ w[i, j].T
    return dwide[:, pad : pad + side, pad : pad + side], dw


def norm(kind, x, parameters, running=None):
    """The norm over the last axis's channels (layer, rms) or over all others (batch), or a shift (none)."""
    if kind == "none":
        return x + parameters["beta"]
    if running is not None:
        return (x - running["mean"]) / np.sqrt(running["var"] + EPS) * parameters["gamma"] + parameters["beta"]
    rows = x.reshape(-1, x.shape[-1])
    return forward(NORMS[kind], rows, parameters["gamma"], parameters.get("beta"), EPS).reshape(x.shape)


def norm_back(kind, x, parameters, dy):
    """(dx, gradients of the parameters)."""
    rows, up = x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
    if kind == "none":
        return dy, {"beta": up.sum(0)}
    name = NORMS[kind]
    xhat, sigma = normalized(name, rows, EPS)
    weighted, axis = parameters["gamma"] * up, AXIS[name]
    dx = weighted - xhat * (weighted * xhat).mean(axis, keepdims=True)
    if name != "rms_norm":
        dx = dx - weighted.mean(axis, keepdims=True)
    found = {"gamma": (up * xhat).sum(0), "beta": up.sum(0)}
    return (dx / sigma).reshape(x.shape), {key: found[key] for key in parameters}


def as_it_is(x):
    return x


class Tape:
    """Layers run forward, remembered, and run backward.

    ``keep`` is done to what is stored between layers and to what convolutions multiply: rounding, say. Linear layers are exact.
    """

    def __init__(self, named, kind, running=None, keep=as_it_is):
        self.named, self.kind, self.running, self.back, self.gradient, self.keep = named, kind, running, [], {}, keep

    def parameters(self, name):
        return {key: self.named[f"{name}.{key}"] for key in ("gamma", "beta") if f"{name}.{key}" in self.named}

    def layer(self, name, x, stride=1, kind=None):
        """A convolution (or a linear layer, of x (images, features)) and its norm."""
        kind, w = kind or self.kind, self.named[f"{name}.weight"]
        flat = w.ndim == 2
        keep = as_it_is if flat else self.keep
        image, taps = (x[:, None, None, :], w[None, None]) if flat else (keep(x), keep(w))
        result = keep(convolve(image, taps, stride))
        given = None if self.running is None or kind != "batch" else {k: self.running[f"{name}.{k}"] for k in ("mean", "var")}
        y = norm(kind, result, self.parameters(name), given)

        def back(dy):
            d, found = norm_back(kind, result, self.parameters(name), dy[:, None, None, :] if flat else dy)
            dx, dw = convolve_back(image, taps, keep(d), stride)
            dx = keep(dx)
            self.gradient[f"{name}.weight"] = dw[0, 0] if flat else dw
            self.gradient.update({f"{name}.{key}": value for key, value in found.items()})
            return dx[:, 0, 0] if flat else dx

        self.results = getattr(self, "results", {}) | {name: result}
        return (y[:, 0, 0] if flat else y), back


def rectify(y, keep=as_it_is):
    return keep(np.maximum(y, 0)), lambda dy: keep(dy * (y > 0))


def shortcut(x, down):
    """(what is added, its backward pass): with ``down`` every other pixel, and as many channels of zero behind."""
    if not down:
        return x, lambda d: d
    small = x[:, ::2, ::2]

    def back(d):
        dx = np.zeros_like(x)
        dx[:, ::2, ::2] = d[..., : x.shape[-1]]
        return dx

    return np.concatenate([small, np.zeros_like(small)], -1), back


def cross_entropy(logits, labels):
    """(mean loss, its gradient by the logits)."""
    z = logits - logits.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rows = np.arange(len(labels))
    d = p.copy()
    d[rows, labels] -= 1
    return -np.mean(np.log(p[rows, labels])), d / len(labels)


def squared_error(outputs, targets):
    """(mean over rows of half the squared error, its gradient)."""
    d = outputs - targets.reshape(outputs.shape)
    return 0.5 * np.sum(d * d) / len(d), d / len(d)


def resnet(named, kind, x, blocks, running=None, keep=as_it_is):
    """(logits, backward, tape) of a residual network with that many blocks in each of its three stages."""
    tape = Tape(named, kind, running, keep)
    steps = []
    y, back = tape.layer("stem", x)
    steps.append(back)
    x, back = rectify(y, keep)
    steps.append(back)
    for stage in range(3):
        for block in range(blocks):
            name, down = f"stage{stage + 1}.block{block + 1}", stage > 0 and block == 0
            y, conv1 = tape.layer(f"{name}.conv1", x, 2 if down else 1)
            h, relu1 = rectify(y, keep)
            y, conv2 = tape.layer(f"{name}.conv2", h)
            other, across = shortcut(x, down)
            x, relu2 = rectify(y + other, keep)

            def back(d, conv1=conv1, relu1=relu1, conv2=conv2, across=across, relu2=relu2):
                d = relu2(d)
                return conv1(relu1(conv2(d))) + across(d)

            steps.append(back)
    side, pooled = x.shape[1], x.mean((1, 2))
    logits, last = tape.layer("output", pooled, kind="none")
    steps += [lambda d: np.repeat(np.repeat(d[:, None, None], side, 1), side, 2) / side**2, last]

    def backward_all(d):
        for step in reversed(steps):
            d = step(d)
        return tape.gradient

    return logits, backward_all, tape


def perceptron(named, kind, x, hidden):
    """The same of a multilayer perceptron with ``hidden`` hidden layers."""
    tape = Tape(named, kind)
    steps = []
    for i in range(hidden):
        y, back = tape.layer(f"hidden{i}", x)
        x, relu = rectify(y)
        steps += [back, relu]
    logits, last = tape.layer("output", x, kind="none")

    def backward_all(d):
        for step in reversed([*steps, last]):
            d = step(d)
        return tape.gradient

    return logits, backward_all, tape
