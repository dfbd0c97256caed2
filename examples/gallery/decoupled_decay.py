"""
Weight decay beside Adam and inside it
======================================

Two coordinates, one with gradients a hundred times larger, both pulled to zero by weight decay. AdamW shrinks both
alike. As a penalty in the gradient the decay is divided by Adam's scale: where gradients are large, next to nothing is
left of it.
"""

import matplotlib.pyplot as plt

import optlab as ol

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
wd = 0.5
for label, noise in (("small gradients", 0.1), ("large gradients", 10.0)):
    flat = ol.problems.symbolic("1e-9*x**2", theta0=[1.0], noise=noise)
    penalty = ol.problems.symbolic(f"{wd}*x**2/2", theta0=[1.0], noise=noise)
    for name, rule, problem in (("AdamW", f"adamw(wd={wd})", flat), ("Adam + L2", "adam", penalty)):
        run = ol.simulate(rule, problem, schedule=0.003, steps=1500, trajectories=4000, rng=0)
        ax.plot(run.step, run.theta_mean.squeeze(), label=f"{name}, {label}", linestyle="-" if name == "AdamW" else "--")
ax.set(xlabel="step", ylabel="mean of θ", yscale="log")
ax.legend()
plt.show()
