"""Against PEPit: no bound lies below the worst case that a semidefinite program certifies, and the exact ones meet it."""

from math import sqrt
from time import perf_counter

import pytest

from optlab import bounds, rules
from optlab.analysis.worst_case import worst_case
from tests.peers.pep import by_pepit

pytestmark = pytest.mark.peers

MU, L = 0.1, 1.0
SLOPPY = 1e-4  #: what the solver may be off by

#: name, PEPit's options, and what the bound's symbols are there
CASES = {
    "gradient_descent": ({"functions": "convex", "alpha": 1 / L, "beta": 0.0, "start": "distance2", "measure": "gap"}, {"alpha": 1 / L, "distance2": 1.0}),
    "gradient_descent_strongly_convex": (
        {"functions": "strongly_convex", "alpha": 2 / (MU + L), "beta": 0.0, "start": "gap", "measure": "gap"},
        {"alpha": 2 / (MU + L), "gap": 1.0},
    ),
    "heavy_ball": (
        {
            "functions": "quadratic", "alpha": 4 / (sqrt(L) + sqrt(MU)) ** 2, "beta": ((sqrt(L) - sqrt(MU)) / (sqrt(L) + sqrt(MU))) ** 2,
            "start": "gap", "measure": "gap",
        },
        {"gap": 1.0},
    ),
    "heavy_ball_strongly_convex": (
        {"functions": "strongly_convex", "alpha": 0.5 / L, "beta": sqrt((1 - 0.5 * MU / L) * 0.5), "start": "gap", "measure": "gap"},
        {"alpha": 0.5 / L, "gap": 1.0},
    ),
    "nesterov_convex": (
        {"functions": "convex", "alpha": 1 / L, "beta": lambda n: (n - 2) / (n + 1), "start": "distance2", "measure": "gap", "nesterov": True},
        {"distance2": 1.0},
    ),
    "nesterov_strongly_convex": (
        {
            "functions": "strongly_convex", "alpha": 1 / L, "beta": (1 - sqrt(MU / L)) / (1 + sqrt(MU / L)), "start": "both", "measure": "gap",
            "nesterov": True,
        },
        {"gap": 1.0, "distance2": 0.0},
    ),
}  # fmt: skip
EXACT = ("gradient_descent", "gradient_descent_strongly_convex", "heavy_ball")


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("name", CASES)
def test_a_bound_is_never_below_the_certified_worst_case(name, steps, record_property):
    options, values = CASES[name]
    began = perf_counter()
    certified = by_pepit(mu=MU, L=L, steps=steps, **options)
    theirs = perf_counter() - began
    began = perf_counter()
    bound = float(bounds.get(name).at(values | {"mu": MU, "L": L, "T": steps}))
    ours = perf_counter() - began
    ratio = certified / bound
    record_property("certified/bound", ratio)
    print(f"\n{name}, {steps} steps: certified/bound = {ratio:.6f}; {1e3 * theirs:.0f} ms against {1e3 * ours:.2f} ms")
    assert bound >= certified * (1 - SLOPPY)
    assert certified >= bound * (0.1 if name not in EXACT else 1 - SLOPPY)


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("of", ["distance", "loss"])
@pytest.mark.parametrize(("name", "alpha", "beta"), [("sgd", 2 / 1.1, 0.0), ("momentum", 1.2, 0.3), ("nesterov", 0.9, 0.4)])
def test_the_exact_worst_case_on_quadratics_is_the_certified_one(name, alpha, beta, of, steps):
    options = {"functions": "quadratic", "alpha": alpha, "beta": beta, "start": "distance2", "nesterov": name == "nesterov"}
    certified = by_pepit(mu=MU, L=L, steps=steps, measure="gap" if of == "loss" else "distance2", **options)
    rule = rules.get(name) if name == "sgd" else rules.get(name, beta=beta)
    found = worst_case(rule, MU, L, steps, schedule=alpha, of=of).value
    assert (found if of == "loss" else found**2) == pytest.approx(certified, rel=SLOPPY)
