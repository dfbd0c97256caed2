"""A rule of one's own: Lion (Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023, Algorithm 2).

optlab derive examples/lion.py:LION
optlab verify examples/lion.py:LION
optlab simulate --rule examples/lion.py:LION --alpha 0.003
"""

import sympy as sp

from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta1, beta2, wd, m, c = (symbol(name) for name in ("beta1", "beta2", "wd", "m", "c"))

LION = Rule(
    name="lion",
    parameters={beta1: Parameter("9/10", within="[0, 1)"), beta2: Parameter("99/100", within="[0, 1)"), wd: Parameter(0, within="[0, oo)")},
    state={m: State(init=0)},
    equations=((c, beta1 * m + (1 - beta1) * g), (theta, theta - alpha * (sp.sign(c) + wd * theta)), (m, beta2 * m + (1 - beta2) * g)),
)
