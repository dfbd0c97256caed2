"""
Theory meets simulation
=======================

The expected loss of a linear rule on a quadratic is computed exactly, without sampling. Four thousand simulated runs
lie on it.
"""

import matplotlib.pyplot as plt

import optlab as ol

problem = ol.problems.quadratic(condition_number=100, dim=10, noise=1.0)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, rate in {"sgd": 0.3, "momentum": 0.05, "nesterov": 0.05}.items():
    setting = {"schedule": rate, "steps": 600, "batch": 16}
    run = ol.simulate(name, problem, trajectories=4_000, rng=0, coordinates=False, **setting)
    exact = ol.predict(name, problem, **setting)
    (line,) = ax.plot(run.step, run.loss_mean, label=f"{name}, α = {rate}", linewidth=3, alpha=0.5)
    ax.plot(exact.step, exact.loss_mean, color=line.get_color(), linestyle="--", linewidth=1)
ax.set(yscale="log", xlabel="step", ylabel="expected loss", title="4,000 runs (wide) on the exact expectation (dashed)")
ax.legend()
plt.show()
