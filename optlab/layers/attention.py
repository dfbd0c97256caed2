"""Scaled dot-product attention of one query: scores, their softmax over the keys, and its adjoint.

The weights are softmax probabilities, which the loss's record holds already: ``TERM`` over the sum of ``TERM`` over the keys.
With ``pulled`` the sum of ``INTEGRAND`` over the keys, ``ADJOINT`` is the derivative of a loss by a key's score, of ``dw``, its derivative
by the key's weight (Vaswani et al., Attention is all you need, NeurIPS 2017, equation 1).
"""

import sympy as sp

from optlab.layers.softmax_cross_entropy import TERM, peak, total, z
from optlab.symbols import symbol

dot, head = symbol("dot"), symbol("head")  #: a query times a key; how many numbers each has
term, w, dw, pulled = symbol("term"), symbol("w"), symbol("dw"), symbol("pulled")

SCORE = dot / sp.sqrt(head)
SCORE_SLOPE = SCORE.diff(dot)
WEIGHT = term / total  #: of a key: its TERM over that of all keys
_of_weight = {term: w * total}
INTEGRAND = sp.simplify((total * dw * WEIGHT.diff(total)).subs(_of_weight))  #: what a weight says through the total, times the total
ADJOINT = sp.factor(((dw * WEIGHT.diff(term) + pulled / total) * TERM.diff(z)).subs(TERM, w * total))

__all__ = [
    "ADJOINT", "INTEGRAND", "SCORE", "SCORE_SLOPE", "TERM", "WEIGHT", "dot", "dw", "head", "peak", "pulled", "term", "total", "w", "z",
]  # fmt: skip
