"""Layer normalization: each row centered and divided by its own standard deviation."""

import sympy as sp

from optlab.dialects import Dialect
from optlab.norms.record import Norm, beta, eps, gamma, sigma, x, xhat
from optlab.symbols import symbol

mean, var = symbol("mean"), symbol("var")

NORM = Norm(
    name="layer_norm",
    summary="center and scale each row over its features",
    reference="Ba, Kiros & Hinton, Layer normalization, arXiv:1607.06450, 2016",
    reductions=((mean, x), (var, (x - mean) ** 2)),
    scale=sp.sqrt(var + eps),
    normalized=(x - mean) / sigma,
    output=gamma * xhat + beta,
    parameters={gamma: 1, beta: 0},
    varying=frozenset({gamma, beta}),
    reduced="features",
    summed="rows",
    dialects={"torch": Dialect("torch.nn.LayerNorm", {"eps": eps}), "keras": Dialect("keras.layers.LayerNormalization", {"epsilon": eps})},
)
