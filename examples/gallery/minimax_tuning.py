"""
The best worst case
===================

All that is known is that curvatures lie between 1/100 and 1. Which learning rate and which momentum shrink the error
fastest in the worst of them? The star is the tuning that is derived and certified; the map is computed point by point.
"""

import matplotlib.pyplot as plt

import optlab as ol
from optlab.reporting.figures.minimax import draw_landscape

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, name in zip(axes, ["momentum", "nesterov"], strict=True):
    draw_landscape(ol.rules.get(name), 100, ax)
plt.show()
