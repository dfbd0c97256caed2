"""
A line, a hundred steps
=======================

y = 2x + 1, batches of 16, α = 0.1, a hundred steps: where do SGD and Adam end, over a thousand repetitions? The cross
is the truth.
"""

import matplotlib.pyplot as plt

import optlab as ol

fig, ax = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
problem = ol.problems.line_fit()
for name in ("sgd", "momentum", "adam"):
    run = ol.simulate(name, problem, schedule=0.1, steps=100, batch=16, trajectories=1000, rng=0, keep=300)
    ends = run.theta.isel(step=-1)
    ax.plot(
        ends[:, 0],
        ends[:, 1],
        ".",
        label=f"{name}: mean ({float(run.theta_mean[-1, 0]):.3f}, {float(run.theta_mean[-1, 1]):.3f})",
        alpha=0.6,
    )
ax.plot(2, 1, "k+", markersize=16)
ax.set(xlabel="w", ylabel="b")
ax.legend()
plt.show()
