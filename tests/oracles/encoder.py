"""A transformer encoder by hand, slow and obvious, in NumPy: one sequence at a time, every derivative by the chain rule."""

import numpy as np

from tests.oracles.network import norm, norm_back


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Tape:
    """Parameters by name, and their gradients as they come."""

    def __init__(self, named):
        self.named = named
        self.gradient = {name: np.zeros_like(value) for name, value in named.items()}

    def linear(self, name, x):
        def back(dy):
            self.gradient[f"{name}.weight"] += x.T @ dy
            self.gradient[f"{name}.bias"] += dy.sum(0)
            return dy @ self.named[f"{name}.weight"].T

        return x @ self.named[f"{name}.weight"] + self.named[f"{name}.bias"], back

    def norm(self, kind, name, x):
        if kind == "none":
            return x, lambda dy: dy
        own = {key: self.named[f"{name}.{key}"] for key in (("gamma", "beta") if kind == "layer" else ("gamma",))}

        def back(dy):
            dx, found = norm_back(kind, x, own, dy)
            for key, value in found.items():
                self.gradient[f"{name}.{key}"] += value
            return dx

        return norm(kind, x, own), back

    def attention(self, name, heads, x):
        joint, qkv_back = self.linear(f"{name}.qkv", x)
        width = x.shape[1]
        size = width // heads
        q, k, v = (joint[:, part * width : (part + 1) * width].reshape(-1, heads, size).transpose(1, 0, 2) for part in range(3))
        weights = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(size))
        y, out_back = self.linear(f"{name}.out", (weights @ v).transpose(1, 0, 2).reshape(-1, width))

        def back(dy):
            do = out_back(dy).reshape(-1, heads, size).transpose(1, 0, 2)
            dw = do @ v.transpose(0, 2, 1)
            dz = weights * (dw - (dw * weights).sum(-1, keepdims=True)) / np.sqrt(size)
            parts = dz @ k, dz.transpose(0, 2, 1) @ q, weights.transpose(0, 2, 1) @ do
            return qkv_back(np.concatenate([part.transpose(1, 0, 2).reshape(-1, width) for part in parts], 1))

        return y, back

    def perceptron(self, name, x):
        z, up_back = self.linear(f"{name}.up", x)
        y, down_back = self.linear(f"{name}.down", np.maximum(z, 0))
        return y, lambda dy: up_back(down_back(dy) * (z > 0))


def residual(tape, kind, place, name, inner, x):
    """(y, back): x + inner(norm(x)), or norm(x + inner(x))."""
    if place == "pre":
        n, norm_back_ = tape.norm(kind, name, x)
        y, inner_back = inner(n)
        return x + y, lambda dy: dy + norm_back_(inner_back(dy))
    y, inner_back = inner(x)
    out, norm_back_ = tape.norm(kind, name, x + y)

    def back(dy):
        up = norm_back_(dy)
        return up + inner_back(up)

    return out, back


def encoder(named, kind, place, heads, blocks, tokens, labels):
    """(mean loss, share of right answers, gradient by name) of ``tokens`` and ``labels`` of shape (sequences, tokens)."""
    tape, loss, right = Tape(named), 0.0, 0
    for words, targets in zip(tokens, labels, strict=True):
        x, backs = named["embedding"][words] + named["positions"], []
        for b in range(blocks):
            x, back = residual(tape, kind, place, f"block{b}.norm1", lambda n, b=b: tape.attention(f"block{b}", heads, n), x)
            backs.append(back)
            x, back = residual(tape, kind, place, f"block{b}.norm2", lambda n, b=b: tape.perceptron(f"block{b}", n), x)
            backs.append(back)
        if place == "pre":
            x, back = tape.norm(kind, "norm", x)
            backs.append(back)
        logits, back = tape.linear("output", x)
        backs.append(back)
        p, rows = softmax(logits), np.arange(len(words))
        loss -= np.log(p[rows, targets]).sum() / tokens.size
        right += int((logits.argmax(1) == targets).sum())
        p[rows, targets] -= 1
        slope = p / tokens.size
        for back in reversed(backs):
            slope = back(slope)
        np.add.at(tape.gradient["embedding"], words, slope)
        tape.gradient["positions"] += slope
    return loss, right / tokens.size, tape.gradient
