"""Against PEPit: no bound lies below the worst case that a semidefinite program certifies, and the exact ones meet it."""

from math import sqrt
from time import perf_counter

import pytest

from optlab import bounds, rules
from optlab.analysis.worst_case import worst_case
from tests.peers.pep import by_pepit

pytestmark = pytest.mark.peers

MU, L = 0.1, 1.0
SLOPPY = 1e-4  #: what the solver may be off by, above
EXACTLY = 1e-3  #: and below, where the bound is the worst case

ROOT = sqrt(MU / L)
SLOW, FAST = (1 - ROOT) / (1 + ROOT), 4 / (1 + ROOT) ** 2

#: PEPit's (functions, start), alpha, beta, whether Nesterov's, and what the bound's other symbols are there
CASES = {
    "gradient_descent": (("convex", "distance2"), 1 / L, 0.0, False, {"alpha": 1 / L, "distance2": 1.0}),
    "gradient_descent_strongly_convex": (("strongly_convex", "gap"), 2 / (MU + L), 0.0, False, {"alpha": 2 / (MU + L), "gap": 1.0}),
    "heavy_ball": (("quadratic", "gap"), FAST, SLOW**2, False, {"gap": 1.0}),
    "heavy_ball_strongly_convex": (("strongly_convex", "gap"), 0.5, sqrt((1 - 0.5 * MU) * 0.5), False, {"alpha": 0.5, "gap": 1.0}),
    "nesterov_convex": (("convex", "distance2"), 1 / L, lambda n: (n - 2) / (n + 1), True, {"distance2": 1.0}),
    "nesterov_strongly_convex": (("strongly_convex", "both"), 1 / L, SLOW, True, {"gap": 1.0, "distance2": 0.0}),
}
EXACT = ("gradient_descent", "gradient_descent_strongly_convex", "heavy_ball")


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("name", CASES)
def test_a_bound_is_never_below_the_certified_worst_case(name, steps, record_property):
    (functions, start), alpha, beta, nesterov, values = CASES[name]
    began = perf_counter()
    certified = by_pepit(functions, MU, L, alpha, beta, steps, start=start, measure="gap", nesterov=nesterov)
    theirs = perf_counter() - began
    began = perf_counter()
    bound = bounds.get(name).value(values | {"mu": MU, "L": L, "T": steps})
    ours = perf_counter() - began
    ratio = certified / bound
    record_property("certified/bound", ratio)
    print(f"\n{name}, {steps} steps: certified/bound = {ratio:.6f}; {1e3 * theirs:.0f} ms against {1e3 * ours:.2f} ms")
    assert bound >= certified * (1 - SLOPPY)
    assert certified >= bound * (1 - EXACTLY if name in EXACT else 0.1)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("of", ["distance", "loss"])
@pytest.mark.parametrize(("name", "alpha", "beta"), [("sgd", 2 / 1.1, 0.0), ("momentum", 1.2, 0.3), ("nesterov", 0.9, 0.4)])
def test_the_exact_worst_case_on_quadratics_is_the_certified_one(name, alpha, beta, of, steps):
    measure = "gap" if of == "loss" else "distance2"
    certified = by_pepit("quadratic", MU, L, alpha, beta, steps, start="distance2", measure=measure, nesterov=name == "nesterov")
    rule = rules.get(name) if name == "sgd" else rules.get(name, beta=beta)
    found = worst_case(rule, MU, L, steps, schedule=alpha, of=of).value
    assert (found if of == "loss" else found**2) == pytest.approx(certified, rel=EXACTLY)
