"""
Leaving a saddle
================

How long does SGD stay at a strict saddle? Every factor of ten less noise costs the same number of steps more: the time
grows with the logarithm.
"""

import matplotlib.pyplot as plt

import optlab as ol

result = ol.experiments.saddle(
    rules=["sgd", "momentum", "nesterov"], noises=[1e-4, 1e-3, 1e-2, 1e-1], trajectories=200, steps=600, turned=[]
)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in result.rule.values:
    one = result.sel(rule=name)
    ax.plot(one.noise, one.escape_median, "o-", label=str(name))
    ax.fill_between(one.noise, one.escape_early, one.escape_late, alpha=0.15)
ax.set(xscale="log", xlabel="gradient noise σ", ylabel="steps until it has left (median, 5 to 95 %)")
ax.legend()
plt.show()
