"""Normalization by hand, in whatever precision the arrays have: rows x features; batch_norm reduces over rows, the others over features."""

import numpy as np

AXIS = {"batch_norm": 0, "layer_norm": 1, "rms_norm": 1}


def forward(name, x, gamma, beta, eps):
    """y for x of shape (rows, features), gamma and beta of shape (features,)."""
    axis = AXIS[name]
    if name == "rms_norm":
        return gamma * x / np.sqrt(np.mean(x * x, axis=axis, keepdims=True) + eps)
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return gamma * centered / np.sqrt(np.mean(centered * centered, axis=axis, keepdims=True) + eps) + beta


def backward(name, x, gamma, dy, eps):
    """(dx, dgamma, dbeta) of sum(dy * y), in the form that textbooks give."""
    axis = AXIS[name]
    mean = np.mean(x, axis=axis, keepdims=True) * (name != "rms_norm")
    root = np.sqrt(np.mean((x - mean) ** 2, axis=axis, keepdims=True) + eps)
    normal, weighted = (x - mean) / root, dy * gamma
    dx = weighted - normal * np.mean(weighted * normal, axis=axis, keepdims=True)
    if name != "rms_norm":
        dx = dx - np.mean(weighted, axis=axis, keepdims=True)
    return dx / root, np.sum(dy * normal, axis=0), np.sum(dy, axis=0)


def differences(name, x, gamma, beta, dy, eps, step):
    """dx by central differences of sum(dy * y)."""
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        out[place] = np.sum(dy * (forward(name, up, gamma, beta, eps) - forward(name, down, gamma, beta, eps))) / (2 * step)
    return out
