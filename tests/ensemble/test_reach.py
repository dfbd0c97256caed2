"""First-passage times: read off trajectories recorded at every step."""

import numpy as np
import pytest

import optlab as ol
from optlab.errors import InputError

TABLE = np.random.default_rng(3).normal(size=(11, 3))
LABELS = np.where(TABLE @ [1.0, -1.0, 0.5] + 0.3 > 0, 1.0, -1.0)
PROBLEMS = {
    "separable": ol.problems.quadratic(condition_number=5, dim=3, noise=0.5),
    "dense": ol.problems.quadratic(condition_number=5, dim=3, noise=0.5, rotation=2),
    "expression": ol.problems.symbolic("x**2/2 + w**4/4 - 1/10", theta0=[1.0, -1.0], noise=0.5),
    "fresh": ol.problems.line_fit(label_noise=0.1),
    "rows": ol.problems.least_squares(TABLE, TABLE @ [1.0, -2.0, 0.5], noise=0.2),
    "logistic": ol.problems.logistic_regression(TABLE, LABELS, noise=0.2),
}
SHARES = [2.0, 0.9, 0.5, 0.25, 1e-9]  # of the first loss: reached at the start, in between by many, never


def simulated(shape, steps=40, runs=200, record=None, share=SHARES, **options):
    problem = PROBLEMS[shape]
    first = float(ol.simulate("sgd", problem, schedule=0.1, steps=0, trajectories=1).loss_mean[0])
    defaults = {"schedule": 0.1, "batch": 2, "rng": 8, "quantiles": [0.0, 0.1, 0.5, 0.9, 1.0]}
    return ol.simulate(
        "momentum(beta=0.5)", problem, steps=steps, trajectories=runs, reach=[s * first for s in share],
        record=range(steps + 1) if record is None else record, **(defaults | options),
    )  # fmt: skip


def passages(losses, level):
    """The first step with a loss at or below the level, infinite where there is none."""
    down = losses <= level
    return np.where(down.any(1), down.argmax(1), np.inf)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", PROBLEMS)
@pytest.mark.parametrize("runs", [1, 65, 200])
def test_first_passages_are_those_of_the_trajectories(shape, runs, dtype):
    run = simulated(shape, runs=runs, keep=runs, dtype=dtype)
    for k, level in enumerate(run.level.values):
        times = passages(run.loss.values, level)
        assert np.array_equal(run.reached[k], (times[:, None] <= run.step.values).sum(0))
        order = np.sort(times)
        expected = [order[int(np.floor(q * (runs - 1)))] for q in run["quantile"].values]
        assert np.array_equal(run.passage_quantile[k], expected)
    assert (run.reached[0] == runs).all()
    assert (run.passage_quantile[0] == 0).all()
    assert (run.reached[-1] == 0).all()
    assert np.isinf(run.passage_quantile[-1]).all()
    assert (run.reached.diff("step") >= 0).all()
    if runs == 200:
        assert 0 < run.reached[2, -1]  # half of the first loss is reached by some, at more than one step
        assert len(np.unique(run.reached[2])) > 2


@pytest.mark.parametrize("shape", ["separable", "rows"])
def test_what_is_recorded_changes_no_first_passage(shape):
    every, few = simulated(shape), simulated(shape, record=[0, 13, 40])
    assert np.array_equal(every.passage_quantile, few.passage_quantile)
    assert np.array_equal(every.reached.sel(step=[0, 13, 40]), few.reached)


@pytest.mark.parametrize("shape", ["separable", "rows"])
def test_levels_come_back_in_the_order_asked(shape):
    sorted_, mixed = simulated(shape), simulated(shape, share=[SHARES[k] for k in (3, 0, 4, 2, 1)])
    assert np.array_equal(mixed.level, sorted_.level[[3, 0, 4, 2, 1]])
    assert np.array_equal(mixed.reached, sorted_.reached[[3, 0, 4, 2, 1]])
    assert np.array_equal(mixed.passage_quantile, sorted_.passage_quantile[[3, 0, 4, 2, 1]])


def test_following_levels_changes_nothing_else():
    for shape in PROBLEMS:
        with_, without = simulated(shape), simulated(shape, share=[])
        assert set(with_.data_vars) - set(without.data_vars) == {"reached", "passage_quantile"}
        for name in without.data_vars:
            assert np.array_equal(with_[name], without[name], equal_nan=True), (shape, name)


def test_a_diverged_run_reaches_nothing():
    run = ol.simulate("sgd", "quadratic(spectrum=[1.0], theta0=2)", schedule=30.0, steps=400, trajectories=3, reach=[1.0], record=[0, 400])
    assert not np.isfinite(run.loss_mean[-1])
    assert (run.reached == 0).all()


def test_without_quantiles_only_counts_are_returned():
    run = simulated("separable", quantiles=[])
    assert "passage_quantile" not in run
    assert (run.reached[0] == 200).all()


@pytest.mark.parametrize(("reach", "message"), [
    ([0.1, 0.1], "holds a level twice"), ([float("nan")], "reach = nan must be a finite number"), (["low"], "reach = 'low' is not a number"),
])  # fmt: skip
def test_bad_levels_are_refused_in_one_line(reach, message):
    with pytest.raises(InputError, match=message) as caught:
        ol.simulate("sgd", PROBLEMS["separable"], schedule=0.1, steps=2, reach=reach)
    assert "\n" not in str(caught.value)
