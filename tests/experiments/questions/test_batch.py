"""Batch sizes: variance and floor against NumPy, steps against plain recursions, the critical batch on a known law."""

import itertools
import math

import numpy as np
import pytest

import optlab as ol
from optlab.experiments.batch_scaling import Race, meeting
from optlab.experiments.questions import batch
from optlab.experiments.questions.batch import BatchSpec, table_of

SMALL = {"rows": 12, "dim": 2, "condition_number": 3, "batches": [1, 3, 12], "trajectories": 960, "replicates": 3}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return ol.experiments.batch(store=tmp_path_factory.mktemp("store"), **SMALL)


def test_variances_are_those_of_all_batches(found):
    """Every batch of the table, listed: without replacement the 220 subsets of three rows. 7 standard errors: false alarms below 1e-11."""
    X, y = table_of(BatchSpec(**SMALL))
    rows = X * -y[:, None]
    for size in (1, 3, 12):
        means = np.array([rows[list(chosen)].mean(0) for chosen in itertools.combinations(range(12), size)])
        listed = np.sum(means.var(0))
        error = np.std(np.sum((means - means.mean(0)) ** 2, 1)) / np.sqrt(960)
        for sampling in ("subset", "reshuffle"):
            point = found.sel(sampling=sampling, batch=size)
            assert float(point.variance_exact) == pytest.approx(listed, abs=1e-12)
            assert abs(float(point.variance) - listed) <= 7 * error + 1e-12
        assert float(found.variance_exact.sel(sampling="replacement", batch=size)) == pytest.approx(np.sum(rows.var(0)) / size)


def test_the_floor_is_that_of_a_plain_recursion(found):
    """E[s s'] over all single rows, followed until it stands still."""
    X, y = table_of(BatchSpec(**SMALL))
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    H, alpha = X.T @ X / 12, found.attrs["alpha"]
    assert alpha == pytest.approx(0.3 / np.linalg.eigvalsh(H).max())
    S = np.zeros((2, 2))
    for _ in range(3000):
        S = np.mean([(np.eye(2) - alpha * np.outer(x, x)) @ S @ (np.eye(2) - alpha * np.outer(x, x))
                     + alpha**2 * (x @ best - t) ** 2 * np.outer(x, x) for x, t in zip(X, y, strict=True)], 0)  # fmt: skip
    point = found.sel(sampling="replacement", batch=1)
    assert float(point.floor_exact) == pytest.approx(np.sum(H * S) / 2, rel=1e-9)
    assert float(point.floor) == pytest.approx(float(point.floor_exact), rel=0.15)  # the mean of 960 runs over many steps is within 2 %
    assert np.isnan(found.floor_exact.sel(sampling="reshuffle")).all()


def test_steps_are_those_of_a_plain_recursion():
    """The whole table: gradient descent without noise."""
    X, y = table_of(BatchSpec(**SMALL))
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    least = np.mean((X @ best - y) ** 2) / 2
    level, theta, losses = least + 0.01 * (np.mean(y**2) / 2 - least), np.zeros(2), []
    for _ in range(200):
        losses.append(np.mean((X @ theta - y) ** 2) / 2)
        theta = theta - 0.2 * X.T @ (X @ theta - y) / 12
    crossed = next(i for i, loss in enumerate(losses) if loss <= level)
    race = Race("sgd", X.tolist(), y.tolist(), "subset", 12, level, 10_000)
    assert crossed - 1.5 <= race.steps(0.2) <= crossed + 1.5  # looks are up to 2.5 % apart
    rate, steps = race.best()
    assert steps <= race.steps(0.2)
    assert steps <= min(race.steps(rate * 1.1), race.steps(rate / 1.1)) * (1 + 1e-3)


def test_a_curve_that_never_meets_the_level():
    assert meeting(np.array([0, 5]), np.array([1.0, 0.5]), 0.1) == math.inf
    assert meeting(np.array([0, 5]), np.array([0.05, 0.5]), 0.1) == 0


def test_simulated_steps_hold_the_exact_ones(found):
    """At intervals of 99 % of nine settings most hold; a look is 2.5 % or one step wide."""
    best = found.sel(scaling="best")
    wide = np.maximum(1, 0.026 * best.steps_exact)
    inside = (best.steps_low - wide <= best.steps_exact) & (best.steps_exact <= best.steps_high + wide)
    assert inside.all()


def test_the_critical_batch_of_a_known_law(found):
    law = found.copy(deep=True)
    law["steps_exact"].loc[{"scaling": "best"}] = 7.0 * (1 + 20.0 / law.batch.values)
    law["steps_exact"].loc[{"scaling": "linear"}] = 140.0 / law.batch.values * [1, 1.4, 2.0]
    law["steps_exact"].loc[{"scaling": "sqrt"}] = 140.0 / law.batch.values
    known = batch.critical(law)
    assert known["least_steps"] == pytest.approx(7, rel=1e-9)
    assert [known[f"critical_{end}"] for end in ("batch", "low", "high")] == pytest.approx([20, 20, 20], rel=1e-6)
    assert (known["linear_holds"], known["sqrt_holds"]) == (3, 12)
    said = " ".join(batch.findings(law.assign_attrs(known)))
    assert "holds up to B = 3" in said
    assert "B_crit = 20 [20, 20]" in said


def test_tables_and_findings_come_from_the_numbers(found):
    first, second = batch.tables(found)
    assert [len(first.rows), len(second.rows)] == [9, 9]
    low = found.copy(deep=True)
    low["floor"].loc[{"sampling": "reshuffle"}] = low.floor.sel(sampling="subset").values / 8
    assert any("0.12 to 0.12 times" in text for text in batch.findings(low))


def test_an_adaptive_rule_is_refused(tmp_path):
    with pytest.raises(ol.errors.OptlabError, match="adam"):
        ol.experiments.batch(rule="adam", store=tmp_path)
