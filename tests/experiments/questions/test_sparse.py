"""Rare features: the tables, the least loss, excess losses against plain loops and exact expectations, what is printed."""

import numpy as np
import pytest
from scipy.optimize import minimize

import optlab as ol
from optlab.experiments.questions import sparse
from optlab.experiments.questions.sparse import neighbors, pick, ratio
from optlab.experiments.rare_features import minimizer, table
from optlab.reporting.figures.questions.sparse import draw

SMALL = {"rows": 200, "common": 2, "rare": 2, "label_noise": 0.1}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    keys = SMALL | {"shares": [1.0, 0.05], "alphas": [0.01, 0.1, 1.0], "steps": 200, "trajectories": 400}
    return ol.experiments.sparse(keys, rules=["sgd", "adagrad"], store=tmp_path_factory.mktemp("store"))


def rows_of(problem):
    return np.frombuffer(problem.rows).reshape(problem.n, problem.dim), np.frombuffer(problem.targets)


def test_tables_are_as_rare_as_they_say():
    rare, scaled, standard = (rows_of(table(kind, "linear", share=0.05, seed=0, **SMALL))[0] for kind in ("rare", "scaled", "standardized"))
    assert (np.abs(rare[:, :2]) == 1).all()
    assert ((rare[:, 2:] != 0).sum(0) == 10).all()
    assert (scaled != 0).all()
    for X, squares in ((rare, 0.05), (scaled, 0.05), (standard, 1.0)):
        np.testing.assert_allclose((X[:, 2:] ** 2).mean(0), squares)  # the same curvatures on the diagonal
        np.testing.assert_allclose((X[:, :2] ** 2).mean(0), 1.0)
    assert not np.array_equal(rare, rows_of(table("rare", "linear", share=0.05, seed=1, **SMALL))[0])


@pytest.mark.parametrize("model", ["linear", "logistic"])
def test_the_least_loss_by_another_minimizer(model):
    problem = table("rare", model, share=0.3, seed=2, **SMALL)
    X, y = rows_of(problem)

    def loss(theta):
        z = X @ theta
        return np.mean((z - y) ** 2) / 2 if model == "linear" else np.mean(np.log1p(np.exp(-y * z)))

    other = minimize(loss, np.zeros(4), tol=1e-12)
    best, least = minimizer(problem)
    assert least == pytest.approx(other.fun, rel=1e-8)
    np.testing.assert_allclose(best, other.x, atol=1e-4)


def test_excess_by_plain_loops(found):
    """400 runs in NumPy of each rule; 7 standard errors of the difference have a false-alarm probability below 1e-9 (normal means)."""
    problem = table("rare", "linear", share=0.05, seed=0, **SMALL)
    (X, y), (_, least), rng = rows_of(problem), minimizer(problem), np.random.default_rng(4)
    for rule in ("sgd", "adagrad"):
        row, theta, square = found.sel(rule=rule, kind="rare", share=0.05), np.zeros((400, 4)), np.zeros((400, 4))
        for _ in range(200):
            at = rng.integers(0, 200, (400, 16))
            g = ((np.einsum("rbd,rd->rb", X[at], theta) - y[at])[:, :, None] * X[at]).mean(1)
            square += g * g
            theta -= float(row.alpha_best) * g / (np.sqrt(square + 1e-8) if rule == "adagrad" else 1)
        excess = ((theta @ X.T - y) ** 2).mean(1) / 2 - least
        error = np.hypot(excess.std(ddof=1) / 20, float(row.excess_high - row.excess) / 2.5758)
        assert abs(float(row.excess) - excess.mean()) < 7 * error


def test_the_prediction_of_sgd(found):
    row = found.sel(rule="sgd")
    assert (abs(row.excess - row.predicted) < 7 * (row.excess_high - row.excess) / 2.5758).all()
    assert found.predicted.sel(rule="adagrad").isnull().all()


def test_dense_tables_of_both_kinds_are_one(found):
    """With a share of 1 nothing is rare and nothing is scaled; only the random numbers of the runs differ."""
    tables = [table(kind, "linear", share=1.0, seed=0, **SMALL) for kind in ("rare", "scaled")]
    np.testing.assert_array_equal(*(rows_of(problem)[0] for problem in tables))
    dense = found.sel(share=1.0, rule="sgd")
    assert dense.alpha_best.sel(kind="rare") == dense.alpha_best.sel(kind="scaled")
    assert dense.predicted.sel(kind="rare") == dense.predicted.sel(kind="scaled")
    assert (found.gain.sel(rule="sgd") == 1).all()


def test_the_search():
    assert neighbors([0.01, 0.1, 1.0], 0) == (0.00316, 0.0316)
    assert neighbors([0.1], 0) == (0.0316, 0.316)
    assert pick(0.1, 2.0, (0.03, 0.3), np.array([3.0, 1.0])) == 0.3
    assert pick(0.1, np.inf, (0.03, 0.3), np.array([np.nan, np.inf])) == 0.1
    np.testing.assert_array_equal(ratio(np.array([2.0, 1.0, -1.0]), np.array([1.0, 0.0, 1.0])), [2.0, np.inf, 0.0])


def test_findings_follow_the_numbers(found):
    changed = found.copy(deep=True)

    def put(kind, gain):
        for name, factor in (("gain", 1.0), ("gain_low", 0.9), ("gain_high", 1.1)):
            changed[name].loc["adagrad", kind, 0.05] = gain * factor

    put("rare", 8.0)
    put("scaled", 2.0)
    said = " ".join(sparse.findings(changed))
    assert "adagrad ends 8 times lower than sgd" in said
    assert "rarity itself (8 and 2 times)" in said
    put("scaled", 20.0)
    assert "conditioning, not rarity" in " ".join(sparse.findings(changed))
    put("scaled", 8.0)
    assert "gains as much on dense features" in " ".join(sparse.findings(changed))
    put("rare", 0.5)
    said = " ".join(sparse.findings(changed))
    assert "adagrad ends 2 times higher than sgd" in said
    assert "conditioning" not in said
    changed["alpha_end"].loc["sgd", "rare", 1.0] = "highest"
    assert "widen alphas" in sparse.findings(changed)[-1]
    assert "sgd" in sparse.findings(changed)[-1]


def test_the_baseline_is_always_measured(tmp_path):
    keys = {"rules": ["adagrad"], "shares": [0.2], "kinds": ["rare"], "alphas": [0.1], "steps": 5, "trajectories": 2}
    one = ol.experiments.sparse(SMALL | keys, store=tmp_path)
    assert one.rule.values.tolist() == ["sgd", "adagrad"]
    assert one.attrs["cells_computed"] == sparse.count(sparse.SparseSpec(**(SMALL | keys)))


def test_a_logistic_model(tmp_path):
    keys = {"rules": ["sgd"], "shares": [0.2], "kinds": ["rare"], "alphas": [0.1], "steps": 5, "trajectories": 2, "model": "logistic"}
    one = ol.experiments.sparse(SMALL | keys, store=tmp_path)
    assert one.predicted.isnull().all()
    assert (one.excess > 0).all()
    assert draw(one).axes[0].get_ylabel() == "excess loss at the best learning rate"
