"""The saddle: escape times against plain loops and closed forms, the stable manifold, what is printed."""

import math

import numpy as np
import pytest
from scipy.special import erfc

import optlab as ol
from optlab import bounds, problems, rules
from optlab.experiments.escape import growth, linearized_rule, median_levels, predicted_passage
from optlab.experiments.questions import saddle
from optlab.problems.saddle import linearized
from optlab.reporting.figures.questions.saddle import draw


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    keys = {"rules": ["sgd", "momentum", "rmsprop"], "noises": [1e-5, 1e-4, 1e-3, 1e-2, 1.0], "trajectories": 512, "steps": 450}
    return ol.experiments.saddle(keys, turned=["sgd"], store=folder)


def test_sgd_by_a_plain_loop(found):
    """The median of 4000 runs in NumPy. The chance that the two 99.9 % intervals miss each other is below 1e-9 (seeds are fixed)."""
    rng, noise, alpha = np.random.default_rng(3), 1e-3, 0.1
    theta, first = np.zeros((4000, 2)), np.full(4000, np.inf)
    for step in range(1, 200):
        x, y = theta.T
        slope = np.stack([x, -y + y**3 / 100], 1)
        theta = theta - alpha * (slope + noise * rng.standard_normal(theta.shape))
        loss = theta[:, 0] ** 2 / 2 - theta[:, 1] ** 2 / 2 + theta[:, 1] ** 4 / 400
        first = np.where(np.isinf(first) & (loss <= -0.5 + 1 / 400), step, first)
    low, high = np.quantile(first, [0.45, 0.55])
    row = found.sel(rule="sgd", noise=1e-3)
    assert low <= row.escape_high
    assert row.escape_low <= high


def test_the_prediction_is_the_bound_of_theory():
    """At the time of ``saddle_escape`` E u^2 = r^2, where erfc(1/sqrt(2)) of a normal distribution is out."""
    problem = linearized(problems.saddle(gamma=0.5, noise=0.01))
    step = predicted_passage(rules.get("sgd"), problem, alpha=0.2, distance=1.0, steps=400, share=erfc(math.sqrt(0.5)) * (1 - 1e-12))
    assert step == math.ceil(bounds.get("saddle_escape").value({"alpha": 0.2, "gamma": 0.5, "r": 1.0, "s2": 1e-4}))


def test_growth_by_hand():
    assert growth(rules.get("sgd"), 0.1, 0.5) == pytest.approx(1.05, rel=1e-12)
    matrix = np.array([[1 + 0.1 * 0.5, 0.9], [0.1 * 0.5, 0.9]])  # theta' = theta + v', v' = 0.9 v + 0.1 * 0.5 theta
    assert growth(rules.get("momentum"), 0.1, 0.5) == pytest.approx(np.abs(np.linalg.eigvals(matrix)).max(), rel=1e-12)


def test_the_law_of_the_logarithm(found):
    linear = found.sel(rule=["sgd", "momentum"])
    assert (linear.slope_low <= linear.slope_law).all()
    assert (linear.slope_law <= linear.slope_high).all()
    assert float(found.slope_law.sel(rule="sgd")) == pytest.approx(1 / math.log(1.1), rel=1e-12)
    assert float(abs(linear.escape_median - linear.predicted_median).max()) <= 3


def test_noise_hardly_matters_to_a_rule_that_divides_by_it(found):
    """RMSProp's steps are about alpha whatever the gradient's size: a factor 1000 of noise changes its time by less than a tenth."""
    times = found.escape_median.sel(rule="rmsprop", noise=[1e-5, 1e-2])
    assert float(times.max() / times.min()) < 1.1
    assert float(found.escape_median.sel(rule="rmsprop", noise=1.0) / times.min()) > 3


def test_the_scale_at_rest():
    frozen = linearized_rule(rules.get("adam"), 0.5)
    assert {str(k): float(v) for k, v in frozen.values.items()}["P"] == 0.25
    assert linearized_rule(rules.get("adagrad"), 0.5) is None
    assert linearized_rule(rules.get("lion"), 0.5) is None
    assert linearized_rule(rules.get("sgd"), 0.5) == rules.get("sgd")


def test_nobody_leaves_the_stable_manifold(found):
    """u is 0 to the last bit; the turned manifold is left after ln(1/rounding)/ln(1.1) steps."""
    assert (found.manifold_distance == 0).all()
    assert float(found.manifold_left.sel(rule="sgd")) == pytest.approx(0.9**450, rel=1e-9)
    at = float(found.turned_escape.sel(rule="sgd"))
    assert math.log(1 / 1e-15) / math.log(1.1) < at < math.log(1 / 1e-18) / math.log(1.1)
    assert list(found.turned_outcome.values) == ["left", "not asked", "not asked"]


def test_intervals_of_the_median():
    low, high = median_levels(100, 0.95)
    assert (math.floor(low * 99), math.floor(high * 99)) == (39, 60)  # ranks 40 and 61 of 100: the table of order statistics
    assert median_levels(3, 0.99) == (pytest.approx(0.125), 1.0)


def test_what_the_budget_does_not_see_is_said(tmp_path):
    short = ol.experiments.saddle(rules=["sgd"], noises=[1e-5, 1e-1], steps=60, trajectories=200, turned=[], store=tmp_path)
    assert list(short.outcome.values[0]) == ["none", "most"] or list(short.outcome.values[0]) == ["none", "all"]
    assert np.isnan(short.escape_median.values[0, 0])
    assert saddle.tables(short)[0].rows[0][2] == "not reached"
    assert np.isnan(short.slope.values[0])


def test_findings_follow_the_numbers(found):
    said = saddle.findings(found)
    assert any("2 of 2 linear rules." in line for line in said)
    assert any("falls for 2 of 2 linear rules" in line for line in said)
    assert any("falls for 0 of 1 adaptive rules" in line and "rmsprop 4" in line for line in said)
    assert any("3 of 3 rules never leave" in line for line in said)
    assert any("sgd at step" in line for line in said)
    changed = found.copy(deep=True)
    changed["slope_high"].loc["sgd"] = changed.slope_low.loc["sgd"]
    changed["manifold_distance"].loc["momentum"] = 0.3
    changed["escape_median"].loc["rmsprop", 1.0] = np.nan
    said = saddle.findings(changed)
    assert any("rmsprop not within the steps" in line for line in said)
    assert any("1 of 2 linear rules; not for sgd." in line for line in said)
    assert any("2 of 3 rules never leave" in line and "not so momentum" in line for line in said)


def test_the_figure_shows_every_rule(found):
    figure = draw(found)
    texts = {text.get_text() for ax in figure.axes for text in ax.get_legend().get_texts()}
    assert {"sgd", "momentum", "rmsprop", "exact moments", "scale held"} <= texts
