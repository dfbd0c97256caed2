"""Advice on a table: its numbers against NumPy, its choices against simulation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import optlab as ol
from optlab.data.tables import Table, read_table
from optlab.ensemble.agreement import z_threshold
from optlab.errors import InputError
from optlab.experiments.advise import advise
from optlab.experiments.gradient_noise import gradient_noise
from optlab.experiments.step_search import FAMILIES

DIABETES = Path(__file__).parents[2] / "examples" / "data" / "diabetes.csv"


def table(n, d, seed=0, noise=1.0):
    """n rows, d features of unequal scales."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, d)) * np.geomspace(1, 0.3, d) + 0.5
    y = x @ np.arange(1.0, d + 1) + noise * generator.normal(size=n) + 1
    return Table(x, y, tuple(f"x{i}" for i in range(d)), "y")


@pytest.fixture(scope="module")
def diabetes():
    return advise(DIABETES, target="progression", standardize=True)


@pytest.fixture(scope="module")
def raw():
    return advise(DIABETES, target="progression", rules=["sgd", "nesterov"])


def numpy_design(standardize):
    data = np.genfromtxt(DIABETES, delimiter=",", skip_header=1)
    x, y = data[:, :-1], data[:, -1]
    if standardize:
        x, y = (x - x.mean(0)) / x.std(0), y - y.mean()
    return np.c_[x, np.ones(len(x))], y


@pytest.mark.parametrize("standardize", [True, False])
def test_spectrum_fit_and_noise_against_numpy(standardize, diabetes, raw):
    advice = diabetes if standardize else raw
    X, y = numpy_design(standardize)
    n = len(y)
    H = X.T @ X / n
    assert (advice.n, advice.d, advice.rank, advice.batch, advice.budget) == (442, 11, 11, 16, 560)
    np.testing.assert_allclose(advice.spectrum, np.linalg.eigvalsh(H)[::-1], rtol=1e-6)
    np.testing.assert_allclose(advice.condition_number, np.linalg.cond(X) ** 2, rtol=1e-9)
    best, squares = np.linalg.lstsq(X, y, rcond=None)[:2]
    np.testing.assert_allclose(advice.minimum, squares[0] / (2 * n), rtol=1e-10)
    np.testing.assert_allclose(list(advice.coefficients.values()), np.linalg.lstsq(*numpy_design(False), rcond=None)[0], rtol=1e-8)
    # one row at a time, from the definitions
    for theta, trace in ((np.zeros(11), advice.noise.trace_at_start), (best, advice.noise.trace_at_optimum)):
        rows = np.array([x * (x @ theta - t) for x, t in zip(X, y, strict=True)])
        C = np.cov(rows.T, bias=True)
        np.testing.assert_allclose(trace, np.trace(C), rtol=1e-9)
        if not theta.any():
            g = rows.mean(0)
            np.testing.assert_allclose(advice.noise.simple, np.trace(C) / (g @ g), rtol=1e-9)
            np.testing.assert_allclose(advice.noise.curved, np.trace(H @ C) / (g @ H @ g), rtol=1e-8)
    np.testing.assert_allclose(advice.noise.at_optimum, np.trace(C) / (2 * np.linalg.eigvalsh(H)[-1] * advice.minimum), rtol=1e-9)


def test_standardizing_is_weighed(diabetes, raw):
    for advice in (diabetes, raw):
        np.testing.assert_allclose(advice.condition_number_raw, np.linalg.cond(numpy_design(False)[0]) ** 2, rtol=1e-9)
        np.testing.assert_allclose(advice.condition_number_standardized, np.linalg.cond(numpy_design(True)[0]) ** 2, rtol=1e-9)
        assert advice.standardizing_helps
        assert advice.standardizing_gain > 1e5
    assert any("Standardizing" in note for note in raw.notes)
    assert any("raw columns" in note for note in raw.notes)
    assert not any("raw columns" in note for note in diabetes.notes)


def test_minimax_tuning_matches_the_closed_forms(diabetes):
    by_name = {item.name: item for item in diabetes.rules}
    assert list(by_name) == ["sgd", "momentum", "nesterov", "ema_momentum", "rmsprop", "adam", "adamw"]
    mu, L, root = diabetes.mu, diabetes.L, math.sqrt(diabetes.condition_number)
    np.testing.assert_allclose(by_name["sgd"].tuned_alpha, 2 / (L + mu), rtol=1e-4)
    np.testing.assert_allclose(by_name["sgd"].rate, (L - mu) / (L + mu), rtol=1e-9)
    np.testing.assert_allclose(by_name["momentum"].rate, (root - 1) / (root + 1), rtol=1e-5)  # Polyak 1964
    np.testing.assert_allclose(by_name["sgd"].steps_per_1000, math.log(1000) / -math.log(by_name["sgd"].rate), rtol=1e-6)
    for name in ("rmsprop", "adam", "adamw"):
        assert by_name[name].tuned_alpha is None
        assert by_name[name].found_by == "simulation"
        assert not by_name[name].linear


def test_the_best_step_beats_its_neighbors(diabetes):
    for item in diabetes.rules:
        if item.linear:
            for factor in (0.5, 0.8, 1.25, 2):
                other = ol.predict(item.rule, diabetes.problem, schedule=item.alpha * factor, steps=560, batch=16, record=[560])
                assert item.loss <= other.loss_mean.item() * (1 + 1e-9)
            assert diabetes.minimum < item.loss < diabetes.start_loss


def test_simulated_curves_agree_with_predicted_ones(diabetes):
    """False alarm 1e-9 over all points of ten curves of 256 runs each (the constant schedule repeats a rule's)."""
    curves = [item for item in (*diabetes.rules, *diabetes.schedules) if item.predicted is not None]
    assert len(curves) == 10
    limit = z_threshold(sum(len(item.predicted.step) for item in curves), 256)
    for item in curves:
        assert item.largest_z <= limit, item.name


def test_predictions_on_the_raw_table_against_a_direct_recursion(raw):
    """Condition number 5e7: the second moments of Nesterov's (theta, v) as one matrix, S <- M S M' + b C b'."""
    X, y = numpy_design(False)
    n, d = X.shape
    item = next(item for item in raw.rules if item.name == "nesterov")
    alpha, beta = item.alpha, float(next(iter(item.rule.values.values())))
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    H, residual, eye = X.T @ X / n, y - X @ best, np.eye(d)
    look = np.hstack([eye, beta * eye])
    b = np.vstack([-alpha * eye, -alpha * eye])
    M = np.block([[eye, beta * eye], [0 * eye, beta * eye]]) + b @ H @ look
    m = np.r_[-best, np.zeros(d)]
    S = np.outer(m, m)
    for _ in range(raw.budget):
        U = look @ S @ look.T
        weights = np.einsum("ni,ij,nj->n", X, U, X) - 2 * residual * (X @ (look @ m)) + residual**2
        C = (X.T * weights) @ X / n - H @ U @ H
        S, m = M @ S @ M.T + (n - 16) / (n - 1) / 16 * b @ C @ b.T, M @ m
    expected = residual @ residual / (2 * n) + np.trace(H @ S[:d, :d]) / 2
    np.testing.assert_allclose(item.loss, expected, rtol=1e-8)


def test_the_recommended_schedule_is_the_lowest_when_simulated(diabetes):
    """Means of 4000 runs with a seed of their own; false alarm 1e-9 over the eleven comparisons."""
    limit = z_threshold(11, 4000)
    assert [item.name for item in diabetes.schedules] == list(FAMILIES) == ol.schedules.names()
    base = next(item.rule for item in diabetes.rules if item.name == diabetes.schedule_rule)
    options = {"steps": diabetes.budget, "batch": diabetes.batch, "record": [diabetes.budget], "trajectories": 4000, "rng": 12345}
    ends = {}
    for item in diabetes.schedules:
        run = ol.simulate(base, diabetes.problem, schedule=item.schedule, **options)
        ends[item.name] = (run.loss_mean.item(), run.loss_standard_error.item())
        assert abs(ends[item.name][0] - item.loss) <= limit * ends[item.name][1]
    best, error = ends[diabetes.recommended_schedule]
    for name, (other, other_error) in ends.items():
        assert best <= other + limit * math.hypot(error, other_error), name
    assert diabetes.recommended.gain > 1.2
    assert diabetes.recommended.excess == min(item.excess for item in diabetes.schedules)


def test_json_and_dataset(diabetes, raw, tmp_path):
    for advice in (diabetes, raw):
        document = json.loads(json.dumps(advice.to_dict(), allow_nan=False))
        assert document["condition_number"] == advice.condition_number
        assert document["rules"][0]["name"] == "sgd"
        assert document["recommended"]["name"] == advice.recommended_schedule
        data = advice.dataset()
        assert data.predicted.dims == data.simulated.dims == ("rule", "step")
        assert data.schedule_predicted.dims == ("schedule", "step")
        assert int(data.step[-1]) == advice.budget
        np.testing.assert_allclose(data.simulated[:, 0], advice.start_loss, rtol=1e-9)
        data.to_netcdf(tmp_path / "curves.nc", engine="scipy")
    assert np.isnan(diabetes.dataset().predicted.sel(rule="adam")).all()


def test_fewer_rows_than_coefficients_is_said():
    few = table(6, 9)
    advice = advise(few, budget=60, rules=["sgd", "adam"], trajectories=8, batch=2)
    eigenvalues = np.linalg.eigvalsh(np.c_[few.features, np.ones(6)] @ np.c_[few.features, np.ones(6)].T / 6)
    assert (advice.rank, advice.d) == (6, 10)
    np.testing.assert_allclose(advice.mu, eigenvalues[0], rtol=1e-8)
    np.testing.assert_allclose(advice.L, eigenvalues[-1], rtol=1e-10)
    assert advice.spectrum[6:] == (0.0,) * 4
    assert "6 rows cannot fix 10 coefficients" in advice.notes[0]
    assert "smallest non-zero" in advice.notes[0]
    assert advice.minimum < 1e-20
    assert advice.noise.at_optimum is None
    json.dumps(advice.to_dict(), allow_nan=False)


def test_collinear_columns_are_said():
    base = table(40, 2)
    x = np.c_[base.features, base.features.sum(1)]
    advice = advise(Table(x, base.target, ("a", "b", "c"), "y"), budget=60, rules=["momentum"], trajectories=8)
    X = np.c_[x, np.ones(40)]
    assert advice.rank == np.linalg.matrix_rank(X) == 3
    np.testing.assert_allclose(advice.mu, np.sort(np.linalg.eigvalsh(X.T @ X / 40))[1], rtol=1e-9)
    np.testing.assert_allclose(list(advice.coefficients.values()), np.linalg.pinv(X) @ base.target, rtol=1e-7)
    assert "collinear (rank 3 of 4" in advice.notes[0]


@pytest.mark.parametrize("standardize", [False, True])
def test_two_rows_one_column_and_a_batch_beyond_the_table(standardize):
    small = Table(np.array([[1.0], [2.0]]), np.array([1.0, 3.0]), ("x",), "y")
    advice = advise(small, budget=1, standardize=standardize, trajectories=4, rules=["sgd", "nesterov", "rmsprop"])
    assert advice.batch == 2
    assert any("A batch of 16" in note for note in advice.notes)
    json.dumps(advice.to_dict(), allow_nan=False)


def test_same_seed_same_numbers():
    options = {"budget": 40, "batch": 4, "trajectories": 16, "rules": ["sgd", "adam"]}
    one, two = (advise(table(20, 2), rng=3, **options) for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert one.dataset().identical(two.dataset())
    other = advise(table(20, 2), rng=4, **options)
    assert not one.dataset().simulated.equals(other.dataset().simulated)


def test_only_adaptive_rules_have_no_schedules():
    advice = advise(table(20, 2), budget=30, batch=4, trajectories=8, rules=["adam"])
    assert advice.schedules == ()
    assert advice.recommended is None
    assert advice.to_dict()["recommended"] is None
    advice.dataset()


def test_a_large_search_is_simulated(monkeypatch):
    monkeypatch.setattr("optlab.experiments.step_search.EXACT_SEARCH", 0.0)
    advice = advise(table(30, 2), budget=30, batch=4, trajectories=16, rules=["sgd"])
    assert advice.rules[0].found_by == "simulation"
    assert advice.rules[0].predicted is not None
    assert any("simulation" in note for note in advice.notes)
    exact = advise(table(30, 2), budget=30, batch=4, trajectories=16, rules=["sgd"], sampling="replacement")
    assert exact.rules[0].excess >= 0


def test_the_noise_floor_of_small_steps():
    """alpha tr C / (4 B) is the limit of small steps: the exact prediction, at an alpha of 0.02 / L, is within 10 %."""
    base = table(50, 2)
    X = np.c_[base.features, np.ones(50)]
    best = np.linalg.lstsq(X, base.target, rcond=None)[0]
    noise = gradient_noise(X, base.target, best, 5)
    alpha = 0.02 / np.linalg.eigvalsh(X.T @ X / 50)[-1]
    problem = ol.problems.least_squares(X, base.target, sampling="subset", theta0=list(best))
    run = ol.predict("sgd", problem, schedule=alpha, steps=20_000, batch=5, record=[0, 20_000])
    np.testing.assert_allclose(run.loss_mean[1] - run.loss_mean[0], alpha * noise.floor_per_alpha, rtol=0.1)


def test_a_condition_number_beyond_double_precision_is_refused_and_mended():
    """Scales 1e9 apart give X'X/n a condition number of 1e18: every step size would look the same."""
    x = np.random.default_rng(4).normal(size=(60, 2))
    table = Table(x * np.array([1.0, 1e9]), x.sum(1), ("a", "b"), "y", 0, "scales.csv")
    with pytest.raises(
        InputError, match=r"scales.csv: condition number .*e\+1[78], beyond .*; standardize .--standardize. lowers it to 1\."
    ):
        ol.advise(table, rules=["sgd"])
    assert ol.advise(table, rules=["sgd"], standardize=True, budget=30, trajectories=8).condition_number < 2


def test_progress_counts_up():
    seen = []
    advise(table(20, 2), budget=20, batch=4, trajectories=4, rules=["sgd", "adam"], progress=lambda *what: seen.append(what))
    assert [done for done, _, _ in seen] == list(range(9))
    assert {total for _, total, _ in seen} == {8}


def test_wrong_options_are_named():
    few = table(6, 2)
    for options, word in [
        ({"batch": 0}, "batch"), ({"budget": 0}, "budget"), ({"trajectories": 0}, "trajectories"), ({"rules": ["sdg"]}, "sgd"),
        ({"sampling": "reshuffle"}, "sampling"), ({"rng": -1}, "rng"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=word) as caught:
            advise(few, **options)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="which column is the target"):
        advise(DIABETES)
    with pytest.raises(InputError, match="did you mean 'progression'"):
        advise(DIABETES, target="progresion")


def test_a_table_read_is_a_table_advised_on():
    read = read_table(DIABETES, "progression", columns=["bmi", "age"])
    options = {"columns": ["bmi", "age"], "budget": 20, "trajectories": 4, "rules": ["sgd"]}
    assert advise(DIABETES, target="progression", **options).to_dict() == advise(read, budget=20, trajectories=4, rules=["sgd"]).to_dict()
