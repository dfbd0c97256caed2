"""Claim 4: strongly convex, learning rates like 1/t: the excess loss is O(sigma^2 / (mu T))."""

from __future__ import annotations

from optlab.claims.convergence_rates import KINDS, SIZES, parts, slopes
from optlab.claims.record import Claim

MOST = -0.9

CLAIM = Claim(
    number=4,
    name="strongly_convex_rate",
    statement="For strongly convex losses SGD with α ∼ 1/t converges as O(σ²/(μT)).",
    test="SGD, one sample a step, α = c/(t + t₀) with c = 2/μ, on four problems. The slope of the logarithm of the mean excess loss "
    f"against log T over the last decade of steps, with Student's 99 % interval over replicates. O(1/T) means a slope of at most {MOST:g}.",
    parts=parts(MOST, tuple(KINDS)),
    measure=lambda setting, run: slopes(setting, run, "inverse_time"),
    sizes=SIZES,
    reference="Bottou, Curtis & Nocedal, SIAM Review 60(2), 2018, theorem 4.7",
    figure="excess",
)
