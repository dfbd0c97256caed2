"""
The best peak for a number of steps
===================================

How large should the learning rate be, if there are 300 steps? The exact prediction gives the final loss for every peak;
the marks are the optima that ``ol.best_peak`` solves for. A decaying schedule wants a larger peak than a constant one,
and ends lower.
"""

import matplotlib.pyplot as plt
import numpy as np

import optlab as ol

problem = ol.problems.quadratic(condition_number=100, dim=10, noise=1.0)
calls = {
    "constant": "constant(alpha={})",
    "cosine": "cosine(peak={}, steps=300)",
    "one_cycle": "one_cycle(base={0}/25, peak={0}, steps=300)",
}
peaks = np.geomspace(0.01, 1.9, 30)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in calls:
    best = ol.best_peak("sgd", problem, schedule=name, steps=300, batch=16)
    ends = [ol.predict("sgd", problem, schedule=calls[name].format(peak), steps=300, batch=16, record=[300]) for peak in peaks]
    losses = [float(one.loss_mean[-1]) for one in ends]
    (line,) = ax.plot(peaks, losses, label=f"{name}: {best.peak:.3g}")
    ax.plot(best.peak, best.final_loss, "*", color=line.get_color(), markersize=13)
ax.set(
    xscale="log", yscale="log", xlabel="largest learning rate", ylabel="expected loss after 300 steps", ylim=(None, 30 * best.final_loss)
)
ax.legend(title="best peak")
plt.show()
