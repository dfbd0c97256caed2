"""
The price of a constant step
============================

With noisy gradients a constant learning rate never arrives: theta keeps a variance, which is derived in closed form.
Simulation agrees, up to the limit of stability, where it diverges.
"""

import matplotlib.pyplot as plt
import numpy as np
from sympy import lambdify

import optlab as ol

alpha, beta, lam, s2 = map(ol.sympify, ("alpha", "beta", "lam", "s2"))
problem = ol.problems.quadratic(spectrum=[1.0], theta0=0.0, noise=1.0)
rates = np.geomspace(0.02, 3.6, 12)

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for b in (0.0, 0.5, 0.9):
    variance = ol.analyze("momentum").stationary_variance.subs({lam: 1, s2: 1, beta: b})
    limit = 2 * (1 + b)
    fine = np.geomspace(0.02, 0.999 * limit, 300)
    (line,) = ax.plot(fine, lambdify(alpha, variance)(fine), label=f"β = {b:g}, derived")
    run = ol.simulate(
        "momentum", problem, schedule=0.1, steps=2000, trajectories=2000, rng=0, axes={"alpha": rates[rates < limit], "beta": [b]}
    )
    ax.plot(rates[rates < limit], 2 * run.loss_mean.isel(step=-1).squeeze("beta"), "o", color=line.get_color())
ax.set(xscale="log", yscale="log", xlabel="α λ", ylabel="variance of θ", title="what noise of variance 1 leaves (points: simulated)")
ax.legend()
plt.show()
