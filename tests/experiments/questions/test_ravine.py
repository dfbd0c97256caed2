"""The ravine: paths against plain recursions, turning and damping against closed forms, and what is shown."""

import itertools
import math

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab import rules
from optlab.experiments.questions import ravine
from optlab.experiments.swing import factor, mean_interval, predicted_factor, predicted_turns, turns
from optlab.reporting.figures.questions.ravine import draw


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    keys = {"kappa": 25, "steps": 80, "start": [-1.0, 0.6], "trajectories": 200, "sgd_rates": [0.5, 1.5]}
    return ol.experiments.ravine(keys, rules=["sgd", "momentum"], store=folder)


def test_gradient_descent_swings_at_every_step(found):
    """Its minimax rate 2/(mu + L) has the factor (1 - kappa)/(1 + kappa) < 0 along the stiff direction, its opposite along the flat one."""
    alpha = 2 / (1 / 25 + 1)
    path = np.array([[-1.0 * (1 - alpha / 25) ** k, 0.6 * (1 - alpha) ** k] for k in range(81)])
    np.testing.assert_allclose(found.theta.sel(rule="sgd"), path, rtol=1e-9)
    assert int(found.sign_changes.sel(rule="sgd")) == 79
    np.testing.assert_allclose(found.factor.sel(rule="sgd"), 24 / 26, rtol=1e-9)
    np.testing.assert_allclose(found.factor_predicted.sel(rule="sgd"), 24 / 26, rtol=1e-9)
    assert float(found.flat_half.sel(rule="sgd")) == math.ceil(math.log(2) / math.log(26 / 24))
    assert float(found.flat_left.sel(rule="sgd")) == pytest.approx((24 / 26) ** 80)


def test_the_path_of_momentum_is_the_article_s(found):
    alpha, (flat, stiff) = float(found.alpha.sel(rule="momentum")), (1 / 25, 1.0)
    beta = ((25**0.5 - 1) / (25**0.5 + 1)) ** 2  # Polyak 1964
    theta, v = np.array([-1.0, 0.6]), np.zeros(2)
    for k in range(41):
        np.testing.assert_allclose(found.theta.sel(rule="momentum", step=k), theta, atol=1e-9)
        v = beta * v - alpha * np.array([flat, stiff]) * theta
        theta = theta + v
    np.testing.assert_allclose(found.factor_predicted.sel(rule="momentum"), math.sqrt(beta), rtol=1e-4)  # a double root


def test_sign_changes_are_counted_as_they_stand(found):
    for rule in found.rule.values:
        steps = np.diff(found.theta.sel(rule=rule, direction="stiff").values)
        assert int(found.sign_changes.sel(rule=rule)) == sum(a * b < 0 for a, b in itertools.pairwise(steps))
    assert turns(np.array([[0.0, 1.0, 1.0, 0.0]])).tolist() == [[False, False]]  # a step of 0 turns nowhere


def test_turning_under_noise(found):
    """arccos(-alpha h/2)/pi for SGD (Sheppard), and 200 runs of it: the interval is widened to a false-alarm probability below 1e-9."""
    for alpha in (0.5, 1.5):
        assert predicted_turns(rules.get("sgd"), alpha, 1.0) == pytest.approx(math.acos(-alpha / 2) / math.pi, rel=1e-12)
        row = found.sel(sgd_rate=alpha)
        half = float(row.sgd_turns_high - row.sgd_turns_low) / 2
        assert abs(float(row.sgd_turns - row.sgd_turns_predicted)) < 6.5 / 2.6 * half
    for rule in ("sgd", "momentum"):
        row = found.sel(rule=rule)
        assert abs(float(row.turns - row.turns_predicted)) < 6.5 / 2.6 * float(row.turns_high - row.turns_low) / 2
        np.testing.assert_allclose(row.spread, row.spread_predicted, rtol=0.5)  # 200 runs: 7 standard errors are 0.35
    assert math.isnan(predicted_turns(rules.get("adam"), 0.1, 1.0))
    assert math.isnan(predicted_turns(rules.get("sgd"), 2.1, 1.0))


def test_turning_of_momentum_by_a_long_plain_run():
    """One run of 200,000 steps in NumPy: its share is within 0.01 (some 9 standard errors) of the prediction."""
    noise, theta, v, path = np.random.default_rng(5).standard_normal(200_000), 0.0, 0.0, []
    for e in noise:
        v = 0.9 * v - 0.1 * (theta + e)
        theta += v
        path.append(theta)
    assert turns(np.array(path)).mean() == pytest.approx(predicted_turns(rules.get("momentum"), 0.1, 1.0), abs=0.01)


def test_factors():
    assert factor(np.zeros(9)) == 0
    assert predicted_factor(rules.get("sgd"), 1.5, 1.0) == pytest.approx(0.5)
    assert mean_interval(np.array([1.0, 2.0, 3.0]), 0.95) == pytest.approx((2.0, 2 - 4.302652730 / 3**0.5, 2 + 4.302652730 / 3**0.5))


def test_where_sgd_swings(found):
    assert found.sgd_turns_quiet.values.tolist() == [0.0, 1.0]
    assert any("Without noise SGD swings from a learning rate of 1.5/L on, and at 0.5/L it does not" in s for s in ravine.findings(found))


def test_tables_and_findings_come_from_the_numbers(found):
    table = ravine.tables(found)[0]
    assert [row[0] for row in table.rows] == ["sgd", "momentum"]
    assert table.rows[0][2] == "79 of 79"
    changed = found.assign(sign_changes=("rule", [1, 30]), loss_final=("rule", [1.0, 2.0]), flat_left=("rule", [0.1, 0.2]))
    said = ravine.findings(changed)
    assert said[0].startswith("momentum swings across the ravine most often: 30 changes")
    assert "sgd ends lowest, at a loss of 1." in said[1]
    assert "momentum crawls most: 20.0%" in said[2]
    assert ravine.findings(found.assign(sign_changes=("rule", [30, 30])))[0].startswith("sgd, momentum swing across")


def test_what_is_in_the_store_is_not_run_again(tmp_path):
    keys = {"rules": ["sgd"], "steps": 10, "sgd_rates": [0.5], "trajectories": 2}
    first = ol.experiments.ravine(keys, store=tmp_path)
    again = ol.experiments.ravine(keys, store=tmp_path)
    assert (first.attrs["cells_computed"], again.attrs["cells_computed"], again.attrs["cells_read"]) == (4, 0, 4)
    xr.testing.assert_equal(first, again)


def test_the_figure_has_a_panel_per_rule(found):
    titles = [ax.get_title() for ax in draw(found).axes]
    assert [title.split(",")[0] for title in titles[:2]] == ["sgd", "momentum"]
    assert "when does SGD swing?" in titles
