"""First passages and statistics against what whole kept trajectories say."""

import numpy as np
import pytest

import optlab as ol

RUNS = 200
LEVELS = [0.05, 1.0, 0.2, 1e-9]


def lanes():
    return ol.problems.quadratic(condition_number=10, dim=3, noise=0.4)


def rows():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(20, 3))
    return ol.problems.least_squares(table, table @ [1.0, -1.0, 0.5])


@pytest.mark.parametrize("make", [lanes, rows])
def test_passages_are_those_of_the_kept_trajectories(make):
    steps = 60
    run = ol.simulate("momentum", make(), schedule=0.05, steps=steps, record=steps + 1, trajectories=RUNS, keep=RUNS, reach=LEVELS)
    loss = run.loss.values
    assert loss.shape == (RUNS, steps + 1)
    for k, level in enumerate(LEVELS):
        below = loss <= level
        first = np.where(below.any(1), below.argmax(1), np.inf)
        reached = [(first <= step).sum() for step in range(steps + 1)]
        assert run.reached.values[k].tolist() == reached
        expected = [np.sort(first)[int(np.floor(q * (RUNS - 1)))] for q in run["quantile"].values]
        assert run.passage_quantile.values[k].tolist() == expected
    assert run.level.values.tolist() == LEVELS
    assert np.isinf(run.passage_quantile.values[3]).all()  # never reached


@pytest.mark.parametrize("count", [1, 63, 64, 65, 127, 1000])
def test_statistics_are_those_of_the_kept_trajectories(count):
    run = ol.simulate("sgd", lanes(), schedule=0.1, steps=30, trajectories=count, keep=count, outcomes=True)
    loss, theta = run.loss.values, run.theta.values
    assert run.loss_mean.values == pytest.approx(loss.mean(0), rel=1e-12)
    assert run.loss_min.values.tolist() == loss.min(0).tolist()
    assert run.loss_max.values.tolist() == loss.max(0).tolist()
    assert run.final_loss.values.tolist() == loss[:, -1].tolist()
    if count > 1:
        assert run.loss_variance.values == pytest.approx(loss.var(0, ddof=1), rel=1e-9, abs=1e-25)
        assert run.theta_variance.values == pytest.approx(theta.var(0, ddof=1), rel=1e-9, abs=1e-25)
    exact = (
        np.quantile(loss, run["quantile"].values, axis=0, method="lower"),
        np.quantile(loss, run["quantile"].values, axis=0, method="higher"),
    )
    assert (run.loss_quantile.values >= exact[0] * (1 - 1 / 64)).all()
    assert (run.loss_quantile.values <= exact[1] * (1 + 1 / 64)).all()


def test_diverged_runs_are_counted_and_the_rest_keep_their_quantiles():
    problem = ol.problems.symbolic("x**4/4 - x**2/2", noise=3.0, theta0=0.1)
    run = ol.simulate("sgd", problem, schedule=0.4, steps=60, record=61, trajectories=RUNS, keep=RUNS, outcomes=True)
    when = run.diverged_at.values
    assert 0 < (when >= 0).sum() < RUNS
    assert run.diverged.values.tolist() == [((when >= 0) & (when <= step)).sum() for step in range(61)]
    theta = np.abs(run.theta.values[:, :, 0])
    for k in np.flatnonzero(when >= 0):
        assert not theta[k, int(when[k])] <= 1e15
        assert theta[k, int(when[k]) - 1] <= 1e15
    assert np.isinf(run.loss_mean.values[-1])
