"""RMS normalization: each row divided by its root mean square, without centering."""

import sympy as sp

from optlab.dialects import Dialect
from optlab.norms.record import Norm, eps, gamma, sigma, x, xhat
from optlab.symbols import symbol

ms = symbol("ms")

NORM = Norm(
    name="rms_norm",
    summary="scale each row by its root mean square",
    reference="Zhang & Sennrich, Root mean square layer normalization, NeurIPS 2019",
    reductions=((ms, x**2),),
    scale=sp.sqrt(ms + eps),
    normalized=x / sigma,
    output=gamma * xhat,
    parameters={gamma: 1},
    varying=frozenset({gamma}),
    reduced="features",
    summed="rows",
    dialects={
        "torch": Dialect("torch.nn.RMSNorm", {"eps": eps}, note="without eps it takes the machine epsilon of the input's type"),
        "keras": Dialect("keras.layers.RMSNormalization", {"epsilon": eps}),
    },
)
