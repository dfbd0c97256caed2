"""
A rule of one's own
===================

Sign descent with momentum, written as two equations. It is simulated, like any built-in rule, from the code that is
generated from them.
"""

import matplotlib.pyplot as plt
import sympy as sp

import optlab as ol
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta, m = symbol("beta"), symbol("m")
SIGNUM = Rule(
    name="signum",
    parameters={beta: Parameter("9/10", within="[0, 1)")},
    state={m: State(init=0)},
    equations=((m, beta * m + (1 - beta) * g), (theta, theta - alpha * sp.sign(m))),
)

problem = ol.problems.quadratic(condition_number=100, dim=10, noise=1.0)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for rule, rate in ((SIGNUM, 0.01), ("adam", 0.01), ("sgd", 0.1)):
    run = ol.simulate(rule, problem, schedule=rate, steps=600, batch=16, trajectories=1000, rng=0, coordinates=False)
    ax.plot(run.step, run.loss_mean, label=rule if isinstance(rule, str) else rule.name)
ax.set(yscale="log", xlabel="step", ylabel="expected loss")
ax.legend()
plt.show()
