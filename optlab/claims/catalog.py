"""The claims of the source article by number; light, so that the command line lists them without importing what tests them."""

from __future__ import annotations

#: Number of each claim: the module of :mod:`optlab.claims` that holds its record as ``CLAIM``.
CLAIMS: dict[int, str] = {
    1: "unbiased",
    2: "variance",
    3: "convex_rate",
    4: "strongly_convex_rate",
    5: "ill_conditioned",
    6: "saddle_escape",
    7: "equal_minima",
    8: "momentum_speed",
    9: "effective_rates",
    10: "rare_features",
    11: "bias_correction",
    12: "decoupled_decay",
    13: "learning_rate",
    14: "cosine_annealing",
    15: "warmup",
    16: "one_cycle_speed",
    17: "larger_rates",
    18: "regularization",
    19: "small_batches",
    20: "line_fit_numbers",
    21: "line_fit_winner",
    22: "assignment",
}
