"""
Adam's first steps, with and without bias correction
====================================================

Without it the average of gradients starts too small. So does the average of squares, and its root more so: the first
step is larger, not smaller.
"""

import matplotlib.pyplot as plt

import optlab as ol

problem = ol.problems.quadratic(spectrum=[1.0], theta0=1.0, noise=0.0)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for choice in ("on", "off"):
    run = ol.simulate(f"adam(bias_correction={choice})", problem, schedule=0.001, steps=1000, trajectories=1, rng=0)
    ax.plot(run.step, run.theta_mean.squeeze(), label=f"bias correction {choice}")
ratio = ol.analyze_adaptive("adam")["uncorrected_ratio"].expression.subs(ol.rules.get("adam").values)
ax.set(xlabel="step", ylabel="θ", title=f"the first uncorrected step is {float(ratio):.3g} times the corrected one")
ax.legend()
plt.show()
