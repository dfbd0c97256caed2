"""
Six schedules
=============

Each at a largest rate of 0.1 over 1000 steps; in the legend, the area under it: the length of the path that it allows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sympy import lambdify

import optlab as ol

calls = {
    "constant": "constant(alpha=0.1)",
    "1/√t": "inverse_sqrt(a=0.1)",
    "1/t": "inverse_time(c=10, t0=100)",
    "cosine": "cosine(peak=0.1, steps=1000)",
    "warmup + cosine": "warmup_cosine(peak=0.1, warmup=50, steps=1000)",
    "1-cycle": "one_cycle(base=0.004, peak=0.1, steps=1000)",
}
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, call in calls.items():
    schedule = ol.schedules.get(call)
    rates = lambdify(ol.sympify("t"), schedule.expression.subs(schedule.values))(np.arange(1000)) * np.ones(1000)
    ax.plot(np.arange(1000), rates, label=f"{name}: {rates.sum():.1f}")
ax.set(xlabel="step", ylabel="learning rate")
ax.legend()
plt.show()
