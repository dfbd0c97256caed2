"""Batch normalization: each channel centered and divided by its standard deviation over the batch."""

import sympy as sp

from optlab.dialects import Dialect
from optlab.expressions import exact
from optlab.norms.record import Norm, beta, eps, gamma, momentum, n, running, sigma, x, xhat
from optlab.symbols import symbol

mean, var = symbol("mean"), symbol("var")

NORM = Norm(
    name="batch_norm",
    summary="center and scale each channel over the batch",
    reference="Ioffe & Szegedy, Batch normalization, ICML 2015, Algorithm 1",
    reductions=((mean, x), (var, (x - mean) ** 2)),
    scale=sp.sqrt(var + eps),
    normalized=(x - mean) / sigma,
    output=gamma * xhat + beta,
    parameters={gamma: 1, beta: 0},
    reduced="batch and space",
    summed="batch and space",
    running={
        mean: (1 - momentum) * running + momentum * mean,
        var: (1 - momentum) * running + momentum * var * n / (n - 1),  # the unbiased variance
    },
    defaults={eps: exact("1e-5"), momentum: exact("0.1")},
    dialects={
        "torch": Dialect("torch.nn.BatchNorm1d", {"eps": eps, "momentum": momentum}),
        "keras": Dialect(
            "keras.layers.BatchNormalization", {"epsilon": eps, "momentum": 1 - momentum},
            expression={var: (1 - momentum) * running + momentum * var},
            note="its running variance has the divisor n, torch's n - 1",
        ),
    },
)  # fmt: skip
