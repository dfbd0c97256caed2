"""Steps against kappa: the count against plain loops, the exponents against Polyak's, and what is said of them."""

import math

import numpy as np
import pytest

import optlab as ol
from optlab.experiments.first_passage import SPACING, Course, Setting, looks, passage
from optlab.experiments.questions import condition
from optlab.experiments.questions.condition import ConditionSpec, quadratic

SMALL = {"kappas": [10, 30, 100, 300], "noise": [0.0], "dim": 4, "steps": 4000}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return ol.experiments.condition(rules=["sgd", "momentum"], tunings=["minimax"], store=tmp_path_factory.mktemp("store"), **SMALL)


def by_hand(kappa, dim, alpha, beta, eps):
    """Heavy ball on the equal-share start, in a plain loop: the first step with a loss at or below eps."""
    curvature = kappa ** -(1 - np.arange(dim) / (dim - 1))
    theta, v = np.sqrt(2 / (dim * curvature)), np.zeros(dim)
    for step in range(100_000):
        if np.sum(curvature * theta**2) / 2 <= eps:
            return step
        v = beta * v - alpha * curvature * theta
        theta = theta + v
    return math.inf


def test_steps_are_those_of_a_plain_loop(found):
    for kappa in found.kappa.values:
        q = math.sqrt(kappa)
        polyak = 4 / (1 + 1 / q) ** 2, ((q - 1) / (q + 1)) ** 2
        for rule, (alpha, beta) in {"sgd": (2 / (1 + 1 / kappa), 0.0), "momentum": polyak}.items():
            point = found.sel(rule=rule, tuning="minimax", noise=0, kappa=kappa)
            assert float(point.alpha[0]) == pytest.approx(alpha, rel=1e-6)
            steps = by_hand(kappa, 4, alpha, beta, 1e-4)
            np.testing.assert_allclose(point.steps.values, steps, atol=1)  # both orientations: linear rules do not see a rotation


def test_every_start_has_the_same_loss_and_the_same_share():
    for orientation in ("aligned", "rotated"):
        problem = ol.problems.quadratic(**quadratic(ConditionSpec(**SMALL), 100.0, orientation, 0.0))
        assert float(ol.predict("sgd", problem, schedule=0.0, steps=0).loss_mean[0]) == pytest.approx(1.0, rel=1e-12)


def test_exponents_are_polyak_s(found):
    at = found.sel(tuning="minimax", orientation="aligned", noise=0)
    assert float(at.rate_exponent.sel(rule="sgd")) == pytest.approx(1.0, abs=0.02)
    assert float(at.rate_exponent.sel(rule="momentum")) == pytest.approx(0.5, abs=0.05)
    closed = [math.log(1e-4) / (2 * math.log((k - 1) / (k + 1))) for k in found.kappa.values]
    np.testing.assert_allclose(found.theory_steps.sel(rule="sgd"), closed, rtol=1e-9)


def test_a_search_is_no_worse_than_what_it_starts_from():
    problem = quadratic(ConditionSpec(**SMALL), 100.0, "rotated", 0.0)
    options = {"level": 1e-4, "most": 4000, "batch": 1, "trajectories": 64, "seed": 0}
    searched, tuned = (passage("momentum", problem, tuning, **options) for tuning in ("search", "minimax"))
    assert float(searched.steps) < float(tuned.steps)
    assert searched.attrs["outcome"] == "reached"


def test_a_search_under_noise_is_measured_on_other_noise():
    problem = ol.problems.quadratic(**quadratic(ConditionSpec(**SMALL), 10.0, "aligned", 0.01))
    course = Course(ol.rules.get("sgd"), problem, 1e-4, 4000, 1, 4096, 0)
    best, _ = course.search()
    measured = course.measure(best)
    assert measured["low"] <= measured["exact"] <= measured["high"]  # 99 % and a fixed seed
    ahead = course.measure(Setting(best.alpha / 4, {}))
    assert ahead["exact"] > measured["exact"]


def test_what_cannot_be_is_a_labelled_value():
    problem = quadratic(ConditionSpec(**SMALL), 100.0, "aligned", 0.0)
    options = {"level": 1e-4, "most": 300, "batch": 1, "trajectories": 64, "seed": 0}
    assert passage("adam", problem, "minimax", **options).attrs["outcome"] == "no minimax tuning"
    slow = passage("sgd", problem, "default", **options)
    assert slow.attrs["outcome"] == "not reached in 300 steps"
    assert float(slow.steps) == math.inf
    stiff = {**problem, "L": 1e7, "theta0": [1.0] * 4}  # torch's 0.001 is beyond 2/L
    assert passage("sgd", stiff, "default", **{**options, "most": 3000}).attrs["outcome"] == "diverged"


def test_longer_budgets_look_at_the_same_steps():
    short, long = looks(500), looks(5000)
    assert set(short[:-1]) <= set(long)
    assert max(np.diff(np.log(long[50:]))) < 2 * math.log(SPACING)


def test_tables_and_findings_come_from_the_numbers(found):
    exponents, steps = condition.tables(found)
    assert exponents.rows[0][:3] == ["sgd", "minimax", "1.00"]
    assert steps.rows[0][-1] == str(int(found.steps[0, 0, 0, 0, -1]))
    assert any("within" in text and "derived" in text for text in condition.findings(found))
    changed = found.copy(deep=True)
    changed["exponent"].loc[{"rule": "momentum"}] = 0.77
    changed["steps"].loc[{"rule": "momentum", "orientation": "rotated"}] *= 3
    changed["outcome"] = changed.outcome.astype(object)
    changed["outcome"].loc[{"rule": "sgd", "kappa": 300}] = "diverged"
    said = " ".join(condition.findings(changed))
    assert "momentum 0.77" in said
    assert "Rotating the axes costs momentum at kappa 300" in said
    assert "2 diverged" in said


def test_an_unknown_rule_is_said_at_once(tmp_path):
    with pytest.raises(ol.errors.UnknownNameError, match="sdg"):
        ol.experiments.condition(rules=["sdg"], store=tmp_path)
