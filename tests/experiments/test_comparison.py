"""The comparison of rules and the ravine, on small specs."""

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab import problems, rules
from optlab.analysis.tuning import tune
from optlab.experiments import paths
from optlab.experiments.comparison import GRID, best_learning_rate, compare_rules, count, decay_rate, problem_of
from optlab.experiments.spec import Quadratics, Ravine
from optlab.experiments.store import Store
from optlab.experiments.sweep import Runner

SMALL = Quadratics(kappas=[10], dim=3, steps=60, trajectories=256, batch=4, noise=0.5)
NAMES = ["sgd", "momentum", "adam"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    runner = Runner(Store(tmp_path_factory.mktemp("store")))
    (case,) = compare_rules(SMALL, NAMES, 0, runner)
    assert runner.computed == count(SMALL, NAMES) == 3 + 3 + len(GRID) + 1
    again = Runner(runner.store)
    compare_rules(SMALL, NAMES, 0, again)
    assert (again.computed, again.read) == (0, runner.computed)
    return case


@pytest.mark.parametrize(
    ("rule", "noise", "steps"), [("sgd", 0.5, 60), ("sgd", 0.05, 200), ("sgd", 3.0, 30), ("momentum(beta=0.5)", 0.5, 60)]
)
def test_the_best_learning_rate_is_the_best_of_a_fine_grid(rule, noise, steps):
    rule, problem = rules.get(rule), problems.quadratic(condition_number=10, dim=3, noise=noise)
    largest = 2 / 1.1
    found = best_learning_rate(rule, problem, largest, steps=steps, batch=4)

    def final(alpha):
        return ol.predict(rule, problem, schedule=float(alpha), steps=steps, batch=4, record=[steps]).loss_mean.item()

    grid = largest * np.geomspace(1e-6, 1, 400)
    losses = [final(alpha) for alpha in grid]
    assert final(found) <= min(losses) * (1 + 1e-6)
    assert found <= largest * (1 + 1e-9)


def test_without_noise_the_best_learning_rate_is_the_fastest():
    """One curvature: alpha = 1/lam solves it in one step."""
    problem = problems.quadratic(spectrum=[0.5, 0.5])
    found = best_learning_rate(rules.get("sgd"), problem, 3.9, steps=3, batch=1)
    assert found == pytest.approx(2.0, rel=1e-2)


def test_linear_rules_agree_with_theory_and_adaptive_ones_have_none(compared):
    """False-alarm probability 1e-9 for both linear rules together; the seed is fixed."""
    assert [entry.name for entry in compared.entries] == NAMES
    sgd, momentum, adam = compared.entries
    for entry in (sgd, momentum):
        assert entry.agreement.holds, entry.agreement
        assert entry.agreement.points > 10
        assert (
            entry.simulated.attrs["schedule"] == f"constant(alpha={entry.alpha:g})" or str(entry.alpha) in entry.simulated.attrs["schedule"]
        )
        assert entry.searched is None
    assert (adam.exact, adam.agreement, adam.tuned_alpha, adam.bound) == (None, None, None, None)
    assert set(adam.searched) == set(GRID)
    assert adam.alpha == min(adam.searched, key=adam.searched.get)
    assert momentum.bound is None


def test_the_tuning_is_noted_beside_what_was_measured(compared):
    sgd, momentum, _ = compared.entries
    assert sgd.tuned_rate == pytest.approx(9 / 11, abs=1e-6)
    assert sgd.tuned_alpha == pytest.approx(2 / 1.1, rel=1e-6)
    assert sgd.measured_rate == pytest.approx(9 / 11, abs=2e-4)
    root = np.sqrt(10)
    assert momentum.tuned_rate == pytest.approx((root - 1) / (root + 1), abs=1e-6)
    assert momentum.measured_rate == pytest.approx(momentum.tuned_rate, abs=0.05)  # a double root is reached like 1/t
    assert momentum.rule == tune("momentum", 0.1, 1.0).tuned_rule


def test_the_bound_is_above_the_exact_curve(compared):
    sgd = compared.entries[0]
    assert sgd.alpha <= 1
    assert np.all(sgd.bound >= sgd.exact.loss_mean.values * (1 - 1e-12))
    assert sgd.bound[0] == pytest.approx(sgd.exact.loss_mean.values[0])


def test_problems_follow_the_spec():
    spec = Quadratics(kappas=[100], dim=5, spectrum="two_point", rotation=3, noise=0.25)
    problem = problem_of(spec, 100.0)
    assert problem == problems.quadratic(condition_number=100, dim=5, spectrum="two_point", rotation=3, noise=0.25)
    assert problem_of(spec, 100.0, noise=0.0).noise == 0


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.999])
def test_the_decay_rate_of_a_known_curve(rate):
    step = np.arange(0, 41)
    data = xr.Dataset({"loss_mean": ("step", (1 + (step < 10)) * rate ** (2.0 * step))}, {"step": step})
    assert decay_rate(data) == pytest.approx(rate, rel=1e-12)


def test_no_decay_rate_where_rounding_has_taken_over():
    step = np.arange(0, 41)
    data = xr.Dataset({"loss_mean": ("step", np.maximum(0.01 ** (2.0 * step), 1e-30))}, {"step": step})
    assert decay_rate(data) is None


def test_ravine_paths_are_those_of_the_rules():
    names = ["sgd", "momentum"]
    runner = Runner(None)
    spec = Ravine(kappa=20, steps=30)
    sgd, momentum = paths.run_ravine(spec, names, runner)
    assert runner.computed == paths.count(spec, names) == 2
    tuned = tune("sgd", 1 / 20, 1.0)
    point = np.array(paths.START)
    path = [point]
    for _ in range(30):
        point = point - tuned.alpha * np.array([1 / 20, 1.0]) * point
        path.append(point)
    np.testing.assert_allclose(sgd.points, path, rtol=1e-9)
    assert sgd.final_loss == pytest.approx(0.5 * (path[-1][0] ** 2 / 20 + path[-1][1] ** 2), rel=1e-9)
    assert sgd.sign_changes == 29  # 1 - alpha L < 0: every step turns back
    assert momentum.final_loss < sgd.final_loss / 10
