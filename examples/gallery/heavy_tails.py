"""
Heavy-tailed gradients
======================

The same variance, another law: under Student's t noise with 2.5 degrees of freedom the typical run is better, and a few
pay for it. Median and the range from 1 to 99 % of ten thousand runs.
"""

import matplotlib.pyplot as plt

import optlab as ol

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained", sharey=True)
for ax, name, rate in zip(axes, ("sgd", "adam"), (0.1, 0.01), strict=True):
    for law in ("gaussian", "student_t(dof=2.5)"):
        problem = ol.problems.quadratic(condition_number=10, dim=5, noise=1.0, noise_law=law)
        run = ol.simulate(
            name, problem, schedule=rate, steps=400, trajectories=10_000, rng=0, quantiles=[0.01, 0.5, 0.99], coordinates=False
        )
        low, middle, high = run.loss_quantile.transpose("quantile", "step").values
        (line,) = ax.plot(run.step, middle, label=law)
        ax.fill_between(run.step, low, high, color=line.get_color(), alpha=0.15)
    ax.set(yscale="log", xlabel="step", title=f"{name}, α = {rate}")
axes[0].set_ylabel("loss")
axes[0].legend()
plt.show()
