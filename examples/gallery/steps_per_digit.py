"""
What a condition number costs, at best
======================================

Steps for each decimal digit of the error, at each rule's minimax tuning. SGD pays kappa, momentum and Nesterov's method
its square root.
"""

import matplotlib.pyplot as plt

import optlab as ol
from optlab.reporting.figures.minimax import draw_rates

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
draw_rates([ol.rules.get(name) for name in ("sgd", "momentum", "nesterov", "ema_momentum")], ax)
plt.show()
