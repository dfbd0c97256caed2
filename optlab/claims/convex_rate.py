"""Claim 3: convex and smooth, learning rates like 1/sqrt(t): the excess loss is O(1/sqrt(T))."""

from __future__ import annotations

from optlab.claims.convergence_rates import KINDS, SIZES, parts, slopes
from optlab.claims.record import Claim

MOST = -0.45

CLAIM = Claim(
    number=3,
    name="convex_rate",
    statement="For convex smooth losses SGD with α ∼ 1/√t converges as O(1/√T).",
    test="SGD, one sample a step, α = a/√(t + 1), on four problems. The slope of the logarithm of the mean excess loss against log T over "
    f"the last decade of steps, with Student's 99 % interval over replicates. O(1/√T) means a slope of at most {MOST:g}.",
    parts=parts(MOST, tuple(KINDS)),
    measure=lambda setting, run: slopes(setting, run, "inverse_sqrt"),
    sizes=SIZES,
    reference="Nemirovski, Juditsky, Lan & Shapiro, SIAM J. Optim. 19(4), 2009",
    figure="excess",
)
