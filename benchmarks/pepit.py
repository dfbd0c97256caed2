"""optlab beside PEPit on one question: the worst distance after n steps over quadratics with curvatures in [mu, L].

    python -m benchmarks.pepit [RESULT.md]

Both answers of a case are computed in turn, so that both meet the machine in the same state. PEPit solves a semidefinite
program with one of the solvers that cvxpy finds; optlab evaluates the transition matrix at the critical curvatures.
"""

import platform
import sys
from datetime import date
from importlib.metadata import version
from math import sqrt
from pathlib import Path
from statistics import median
from time import perf_counter

from optlab import bounds, rules
from optlab.analysis.worst_case import worst_case
from tests.peers.pep import by_pepit
from tests.peers.test_pepit import CASES

ROUNDS, SHOTS = 3, 7  # PEPit solves once a round, optlab answers SHOTS times
STEPS = (1, 2, 3, 5, 8)


def quadratics(mu, L):
    """Name, rule, alpha, beta, whether Nesterov's: tuned for [mu, L]."""
    root = sqrt(mu / L)
    slow = (1 - root) / (1 + root)
    far = sqrt(3 * L / mu + 1)
    return (
        ("gradient descent, 2/(mu + L)", rules.get("sgd"), 2 / (mu + L), 0.0, False),
        ("heavy ball, Polyak's tuning", rules.get("momentum", beta=slow**2), 4 / (sqrt(L) + sqrt(mu)) ** 2, slow**2, False),
        ("Nesterov, 4/(3L + mu)", rules.get("nesterov", beta=(far - 2) / (far + 2)), 4 / (3 * L + mu), (far - 2) / (far + 2), True),
    )


def timed(work):
    began = perf_counter()
    value = work()
    return value, perf_counter() - began


def alternate(slow, fast):
    """Value and median seconds of both, measured in turn."""
    fast()  # compile
    theirs, ours, a, b = [], [], 0.0, 0.0
    for _ in range(ROUNDS):
        a, seconds = timed(slow)
        theirs.append(seconds)
        for _ in range(SHOTS):
            b, seconds = timed(fast)
            ours.append(seconds)
    return a, median(theirs), b, median(ours)


def row(name, steps, a, slow, b, fast):
    return f"| {name} | {steps} | {a:.8g} | {b:.8g} | {a / b - 1:+.1e} | {1e3 * slow:.1f} | {1e3 * fast:.4f} | {slow / fast:,.0f} |"


def main(path):
    mu, L = 0.1, 1.0
    by_pepit("quadratic", mu, L, 1.0, 0.0, 1, start="distance2", measure="distance2")  # imports and warms up
    head = "| method | steps | PEPit | optlab | PEPit/optlab - 1 | PEPit ms | optlab ms | times faster |\n|---|---|---|---|---|---|---|---|"
    lines = [head]
    for name, rule, alpha, beta, nesterov in quadratics(mu, L):
        for n in STEPS:
            found = alternate(
                lambda: by_pepit("quadratic", mu, L, alpha, beta, n, start="distance2", measure="distance2", nesterov=nesterov),  # noqa: B023
                lambda: worst_case(rule, mu, L, n, schedule=alpha).value ** 2,  # noqa: B023
            )
            lines.append(row(name, n, *found))
    others = [head.replace("| optlab |", "| bound |").replace("PEPit/optlab", "PEPit/bound")]
    for name, ((functions, start), alpha, beta, nesterov, values) in CASES.items():
        record = bounds.get(name)
        for n in STEPS[:-1]:
            found = alternate(
                lambda: by_pepit(functions, mu, L, alpha, beta, n, start=start, measure="gap", nesterov=nesterov),  # noqa: B023
                lambda: record.value(values | {"mu": mu, "L": L, "T": n}),  # noqa: B023
            )
            others.append(row(name, n, *found))
    packages = ", ".join(f"{name} {version(name)}" for name in ("PEPit", "cvxpy", "clarabel", "scs", "numpy", "sympy"))
    path.write_text(f"""# optlab beside PEPit

{date.today()}, Python {platform.python_version()}, {packages}; {platform.machine()}, {platform.system()}.
Command: `python -m benchmarks.pepit`.
Medians of {ROUNDS} solves of PEPit and {ROUNDS * SHOTS} calls of optlab, in turn; the machine also ran other work; mu = {mu}, L = {L}.

## Quadratics: the worst ||theta_n - theta*||^2 from ||theta_0 - theta*||^2 = 1

Both are the exact worst case; the difference is the tolerance of the solver.

{chr(10).join(lines)}

## Function classes: PEPit's certified worst loss beside the closed-form bound

Here only PEPit is exact for the named n; the bound holds for every n. Where the bound is attained the difference is the solver's.

{chr(10).join(others)}
""")
    print(path.read_text())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results" / "pepit.md")
