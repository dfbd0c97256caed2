"""Normalization by hand, for rows x features: batch_norm averages over rows, the others over features.

Roots are powers of a half, so that arrays of mpmath numbers keep their precision.
"""

import numpy as np

AXIS = {"batch_norm": 0, "layer_norm": 1, "rms_norm": 1}

#: dx as textbooks give it; mean_dy_xhat is the mean of dy xhat, mean_gamma_dy that of gamma dy, and so on.
DX = {
    "batch_norm": "gamma/sigma*(dy - mean_dy - xhat*mean_dy_xhat)",
    "layer_norm": "(gamma*dy - mean_gamma_dy - xhat*mean_gamma_dy_xhat)/sigma",
    "rms_norm": "(gamma*dy - xhat*mean_gamma_dy_xhat)/sigma",
}


def normalized(name, x, eps):
    """(xhat, sigma), sigma with the averaged axis kept."""
    axis = AXIS[name]
    if name != "rms_norm":
        x = x - np.sum(x, axis=axis, keepdims=True) / x.shape[axis]
    sigma = (np.sum(x * x, axis=axis, keepdims=True) / x.shape[axis] + eps) ** 0.5
    return x / sigma, sigma


def forward(name, x, gamma, beta, eps):
    """y for x of shape (rows, features), gamma and beta of shape (features,)."""
    scaled = gamma * normalized(name, x, eps)[0]
    return scaled if name == "rms_norm" else scaled + beta


def backward(name, x, gamma, dy, eps):
    """(dx, dgamma, dbeta) of sum(dy * y), element by element."""
    xhat, sigma = normalized(name, x, eps)
    rows, features = x.shape
    dx = np.zeros_like(x)
    for i in range(rows):
        for j in range(features):
            group = [(k, j) for k in range(rows)] if name == "batch_norm" else [(i, k) for k in range(features)]
            total = gamma[j] * dy[i, j]
            for k, m in group:
                weighted = gamma[m] * dy[k, m]
                total = total - xhat[i, j] * weighted * xhat[k, m] / len(group)
                if name != "rms_norm":
                    total = total - weighted / len(group)
            dx[i, j] = total / (sigma[0, j] if name == "batch_norm" else sigma[i, 0])
    return dx, np.sum(dy * xhat, axis=0), np.sum(dy, axis=0)


def differences(outputs, x, dy, step):
    """dx of sum(dy * outputs(x)) by central differences."""
    out = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] = up[place] + step
        down[place] = down[place] - step
        out[place] = np.sum(dy * (outputs(up) - outputs(down))) / (2 * step)
    return out


def updated(x, old_mean, old_var, momentum):
    """batch_norm's running mean and variance after a batch; the running variance takes the divisor rows - 1."""
    rows = x.shape[0]
    mean = np.sum(x, axis=0) / rows
    var = np.sum((x - mean) ** 2, axis=0) / (rows - 1)
    return (1 - momentum) * old_mean + momentum * mean, (1 - momentum) * old_var + momentum * var
