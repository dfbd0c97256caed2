"""Slopes of decaying steps: minima and constants against SciPy, the loss against a plain loop, and what is said of them."""

import numpy as np
import pytest
from scipy.optimize import minimize

import optlab as ol
from optlab.ensemble.bind import problem_data
from optlab.experiments.convex import constants, drawn
from optlab.experiments.questions import convergence

SMALL = {"rows": 40, "steps": 400, "trajectories": 192, "replicates": 3}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return ol.experiments.convergence(store=tmp_path_factory.mktemp("store"), **SMALL)


def by_hand(kind, theta, X, y):
    """The loss and the gradient, written out."""
    u = X @ theta
    if kind == "logistic":
        return np.mean(np.logaddexp(0, -y * u)), X.T @ (-y / (1 + np.exp(y * u))) / len(y)
    r = u - y
    if kind == "huber":
        inside = np.abs(r) <= 1
        return np.mean(np.where(inside, r**2 / 2, np.abs(r) - 0.5)), X.T @ np.clip(r, -1, 1) / len(y)
    return np.mean(r**2) / 2, X.T @ r / len(y)


@pytest.mark.parametrize("kind", ["logistic", "huber", "least_squares"])
def test_the_minimum_and_the_constants_are_scipy_s(kind):
    problem = drawn(kind, 60, 3, 5, condition_number=10, noise=1)
    X, y = problem_data(problem).matrix, problem_data(problem).targets
    about = constants(problem)
    other = minimize(lambda w: by_hand(kind, w, X, y), np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert about.minimum == pytest.approx(other.fun, abs=1e-12)
    assert about.distance2 == pytest.approx(float(other.x @ other.x), rel=1e-5)
    assert pytest.approx(np.linalg.norm(X, 2) ** 2 / 60 * (0.25 if kind == "logistic" else 1), rel=1e-9) == about.L
    if kind == "least_squares":
        assert about.trace is None  # its noise grows with the distance
    else:
        assert about.trace == pytest.approx(np.mean(np.sum(X**2, 1)), rel=1e-6)  # slopes are at most 1
        rng = np.random.default_rng(0)
        for theta in 30 * rng.normal(size=(50, 3)):
            rows = np.array([by_hand(kind, theta, X[i : i + 1], y[i : i + 1])[1] for i in range(60)])
            assert np.sum(rows.var(0)) <= about.trace


def test_the_simulated_loss_starts_and_ends_where_a_plain_loop_does(found):
    """120 runs by hand against 192 simulated ones: 7 standard errors, a false alarm below 1e-10."""
    problem = drawn("huber", 40, 3, 0, condition_number=10, noise=1)
    X, y, about = problem_data(problem).matrix, problem_data(problem).targets, constants(problem)
    rng, losses = np.random.default_rng(1), []
    for _ in range(120):
        theta = np.zeros(3)
        for t in range(400):
            i = rng.integers(40)
            theta = theta - 1 / about.L / np.sqrt(t + 1) * by_hand("huber", theta, X[i : i + 1], y[i : i + 1])[1]
        losses.append(by_hand("huber", theta, X, y)[0] - about.minimum)
    row = found.sel(problem="huber", schedule="inverse_sqrt")
    assert float(row.excess[0]) == pytest.approx(about.gap, rel=1e-9)
    spread = np.std(losses) / np.sqrt(120) * np.sqrt(1 + 120 / 192)
    assert abs(np.mean(losses) - float(row.excess[-1])) < 7 * spread


def test_a_bound_is_above_what_is_measured(found):
    used = found.used.values[np.isfinite(found.used.values)]
    assert len(used) == 4  # last iterate on all three, 1/T on the quadratic alone
    assert used.max() < 1
    assert np.isnan(found.bound.sel(problem="huber", schedule="inverse_time")).all()


def test_the_exact_expectation_lies_in_the_noise(found):
    row = found.sel(problem="quadratic", schedule="inverse_sqrt")
    every = ol.predict("sgd", ol.problems.quadratic(condition_number=10, dim=3, noise=1.0), schedule="inverse_sqrt(a=1)", steps=400)
    assert float(row.exact[-1]) == pytest.approx(float(every.loss_mean[-1]), rel=1e-12)


def test_tables_and_findings_come_from_the_numbers(found):
    (table,) = convergence.tables(found)
    assert len(table.rows) == 6
    assert "does not apply" in table.rows[3]
    flat = found.assign(slope_low=found.slope * 0 - 0.01, slope_high=found.slope * 0 + 0.01, slope=found.slope * 0)
    assert all("not yet" in text for text in convergence.findings(flat)[:2])
    right = found.assign(slope_low=found.limit - 0.01, slope_high=found.limit + 0.01, slope=found.limit)
    said = convergence.findings(right)
    assert "Under inverse_time the slope is -1" in said[1]
    assert "curvature at the minimizer" in said[2]
