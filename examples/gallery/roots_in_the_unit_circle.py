"""
The roots behind momentum
=========================

What a step does to an error is decided by two roots. As beta grows at a fixed learning rate they meet, part, and move
on a circle of radius √β: from there on the rule swings. At the meeting point the error shrinks fastest.
"""

import matplotlib.pyplot as plt
import numpy as np
from sympy import Poly, lambdify
from sympy.abc import z

import optlab as ol

mode = ol.analyze("momentum")
polynomial = mode.characteristic_polynomial
(variable,) = polynomial.free_symbols - {*map(ol.sympify, ("alpha", "beta", "lam"))} or {z}
alpha, beta, lam = map(ol.sympify, ("alpha", "beta", "lam"))
coefficients = lambdify([alpha, beta], Poly(polynomial.subs(lam, 1), variable).all_coeffs())

fig, ax = plt.subplots(figsize=(5.4, 5), layout="constrained")
ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="black"))
betas = np.linspace(0, 1, 400)
roots = np.array([np.roots(coefficients(0.1, b)) for b in betas])
points = ax.scatter(roots.real, roots.imag, c=np.repeat(betas, 2), s=7, cmap="viridis")
fig.colorbar(points, ax=ax, label="β")
ax.set(aspect="equal", xlabel="real part", ylabel="imaginary part", title="roots of momentum at α λ = 0.1")
plt.show()
