"""
Small batches are stable for less
=================================

On real rows the noise depends on theta, and the mean square of the error has a limit of stability of its own, below
2/L. Exact, by batch size, with and without replacement.
"""

import matplotlib.pyplot as plt
import numpy as np

import optlab as ol

generator = np.random.default_rng(0)
features = generator.normal(size=(200, 5)) * np.array([1.0, 0.8, 0.5, 0.3, 0.1])
targets = features @ np.ones(5) + generator.normal(size=200)
batches = [1, 2, 4, 8, 16, 32, 64, 128, 200]
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for sampling in ("replacement", "subset"):
    problem = ol.problems.least_squares(features, targets, sampling=sampling)
    ax.plot(batches, [ol.second_moment(problem, rule="sgd", batch=b).stability_limit for b in batches], "o-", label=sampling)
ax.axhline(ol.second_moment(problem, rule="sgd", batch=None).stability_limit, color="black", linewidth=0.9, label="2/L")
ax.set(xscale="log", yscale="log", xlabel="batch B", ylabel="largest stable learning rate")
ax.legend()
plt.show()
