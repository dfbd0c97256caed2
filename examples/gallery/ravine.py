"""
In a ravine
===========

A quadratic with condition number 50. SGD swings across the stiff direction and crawls along the flat one; momentum
carries itself along; Adam, whose scale is taken along the axes, goes straight when the ravine lies along them, and does
not when it is turned.
"""

import matplotlib.pyplot as plt
import numpy as np

import optlab as ol

fig, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", sharex=True, sharey=True)
for ax, angle, title in zip(axes, (0.0, np.pi / 6), ("along the axes", "turned by 30°"), strict=True):
    c, s = np.cos(angle), np.sin(angle)
    loss = f"(({c:.3f}*x + {s:.3f}*y)**2/50 + ({c:.3f}*y - {s:.3f}*x)**2)/2"
    problem = ol.problems.symbolic(loss, theta0=[-4.0 * c - 0.6 * s, -4.0 * s + 0.6 * c])
    x, y = np.meshgrid(np.linspace(-5, 1.5, 200), np.linspace(-3, 2, 200))
    ax.contour(
        x, y, ((c * x + s * y) ** 2 / 50 + (-s * x + c * y) ** 2) / 2, levels=np.geomspace(1e-3, 8, 12), colors="0.8", linewidths=0.8
    )
    for name, rate in {"sgd": 1.9, "momentum(beta=0.7)": 0.5, "adam": 0.3}.items():
        run = ol.simulate(name, problem, schedule=rate, steps=40, trajectories=1, rng=0)
        ax.plot(*run.theta_mean.values.T, marker=".", label=f"{name}, α = {rate}")
    ax.plot(0, 0, "k*")
    ax.set(title=title, aspect="equal")
axes[0].legend()
plt.show()
