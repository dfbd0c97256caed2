"""
How long until it is good enough?
=================================

First-passage times are reduced as a simulation runs: the step at which each run's loss is first at most 0.1, for a grid
of learning rates in one launch.
"""

import matplotlib.pyplot as plt
import numpy as np

import optlab as ol

problem = ol.problems.quadratic(condition_number=100, dim=10, noise=1.0)
rates = np.geomspace(0.003, 0.3, 13)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for beta in (0.0, 0.9):
    run = ol.simulate("momentum", problem, schedule=0.1, steps=3000, batch=16, trajectories=1000, rng=0, reach=[0.1], record=[0, 3000],
                      axes={"alpha": rates, "beta": [beta]}, coordinates=False)  # fmt: skip
    times = run.passage_quantile.squeeze()
    ax.plot(rates, times.sel(quantile=0.5), "o-", label=f"β = {beta:g}")
    ax.fill_between(rates, times.isel(quantile=0), times.isel(quantile=-1), alpha=0.15)
ax.set(xscale="log", yscale="log", xlabel="learning rate α", ylabel="steps until the loss is at most 0.1")
ax.legend()
plt.show()
