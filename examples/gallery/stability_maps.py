"""
Where four rules are stable
===========================

The factor by which an error changes in a step, by learning rate times curvature and by the rule's first hyper-
parameter. Adam's scale is held fixed. Momentum widens the range of stable learning rates, Nesterov's looking ahead
narrows it.
"""

import matplotlib.pyplot as plt

import optlab as ol
from optlab.reporting.figures.stability import draw_stability

fig, axes = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
for ax, name in zip(axes.ravel(), ["momentum", "nesterov", "ema_momentum", "adam"], strict=True):
    draw_stability(ol.rules.get(name), ax).set_title(name)
plt.show()
