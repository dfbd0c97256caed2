"""The second-moment operator against every batch enumerated, dense algebra, closed forms, and simulation.

Statistical tests fail a correct program with probability at most 1e-9, and their seeds are fixed.
"""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import problems
from optlab.ensemble.agreement import compare
from optlab.ensemble.second_moment import second_moment
from optlab.errors import InputError, NotLinearError, UnsupportedError
from tests.ensemble.test_predict import matrices
from tests.oracles.batches import blocks, gradient_covariance, second_moment_matrix

RULES = [("sgd", {}), ("momentum", {"beta": "4/5"}), ("nesterov", {"beta": "1/2"}), ("ema_momentum", {"beta": "9/10"})]
SAMPLINGS = ("replacement", "subset")


def table(n, d, seed=0, fit=False):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) * np.linspace(0.5, 1.5, d)
    return rows, rows @ np.ones(d) if fit else rng.normal(size=n)


def settled(name, options, rate):
    """A, b, c of the twin long after the start."""
    return matrices(name, {k: float(sp.Rational(v)) for k, v in options.items()}, rate, 10**6)


@pytest.mark.parametrize(("name", "options"), RULES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_every_batch_enumerated(name, options, sampling, batch):
    n, d, rate = 5, 2, 0.1
    rows, targets = table(n, d)
    operator = second_moment(problems.least_squares(rows, targets, sampling=sampling), rule=ol.rules.get(name, **options), batch=batch)
    A, b, c = settled(name, options, rate)
    k = len(b)
    dense = second_moment_matrix(rows, batch, sampling, A, b, c)
    S = np.random.default_rng(1).normal(size=(k * d, k * d))
    S = S @ S.T
    expected = blocks((dense @ S.ravel()).reshape(k * d, k * d), k, d)
    found = operator.apply(blocks(S, k, d), rate)
    assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max()
    radius = np.abs(np.linalg.eigvals(dense)).max()
    assert operator.spectral_radius(rate) == pytest.approx(radius, rel=1e-12)
    limit = operator.stability_limit
    for near, sign in ((1 - 1e-9, -1), (1 + 1e-9, 1)):
        A, b, c = settled(name, options, limit * near)
        outside = np.abs(np.linalg.eigvals(second_moment_matrix(rows, batch, sampling, A, b, c))).max() - 1
        assert outside * sign > 0
    best = np.linalg.lstsq(rows, targets, rcond=None)[0]
    rate = limit / 2
    A, b, c = settled(name, options, rate)
    dense = second_moment_matrix(rows, batch, sampling, A, b, c)
    noise = np.kron(np.outer(b, b), gradient_covariance(rows, targets - rows @ best, batch, sampling))
    covariance = np.linalg.solve(np.eye(len(dense)) - dense, noise.ravel()).reshape(k * d, k * d)[:d, :d]
    assert np.abs(operator.stationary_covariance(rate) - covariance).max() <= 1e-12 * np.abs(covariance).max()
    loss = np.mean((targets - rows @ best) ** 2) / 2 + np.trace(rows.T @ rows @ covariance) / n / 2
    assert operator.stationary_loss(rate) == pytest.approx(loss, rel=1e-12)


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from(SAMPLINGS), st.integers(0, 99))
def test_the_limit_is_below_two_over_the_curvature_and_grows_with_the_batch(d, n, batch, sampling, seed):
    rows, targets = table(n, d, seed)
    batch = min(batch, n)
    problem = problems.least_squares(rows, targets, sampling=sampling)
    limit, top = second_moment(problem, batch=batch).stability_limit, 2 / np.linalg.eigvalsh(rows.T @ rows / n).max()
    assert limit <= top * (1 + 1e-12)
    assert second_moment(problem, batch=1).stability_limit <= limit * (1 + 1e-12)
    if batch < n and n > 1 and d > 1:
        assert limit < top * (1 - 1e-9)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_whole_table_has_the_limit_of_its_hessian(sampling):
    rows, targets = table(6, 3)
    problem = problems.least_squares(rows, targets, sampling=sampling)
    top = 2 / np.linalg.eigvalsh(rows.T @ rows / 6).max()
    assert second_moment(problem, batch=None).stability_limit == pytest.approx(top, rel=1e-14)
    whole = second_moment(problem, batch=6).stability_limit
    assert whole == pytest.approx(top, rel=1e-13) if sampling == "subset" else whole < top
    operator = second_moment(problem, batch=None, rule="momentum(beta=0.5)")
    assert operator.stability_limit == pytest.approx(1.5 * top, rel=1e-12)  # 2 (1 + beta) / L
    assert operator.stationary_loss(0.1) == pytest.approx(operator.least, rel=1e-14)


def test_one_dimension_by_hand():
    a, m2, m4, size = sp.symbols("a m2 m4 size", positive=True)
    growth = 1 - 2 * a * m2 + a**2 * (m4 / size + (1 - 1 / size) * m2**2)
    (limit,) = sp.solve(sp.expand((growth - 1) / a), a)
    assert sp.simplify(limit - 2 * m2 / (m2**2 * (1 - 1 / size) + m4 / size)) == 0
    x = np.array([0.3, -1.2, 0.7, 2.0])
    for batch in (1, 2, 5):
        values = {m2: np.mean(x**2), m4: np.mean(x**4), size: batch}
        found = second_moment(problems.least_squares(x[:, None], [1.0, 0.0, 0.0, 2.0]), batch=batch).stability_limit
        assert found == pytest.approx(float(limit.subs(values)), rel=1e-13)


@pytest.mark.parametrize("convention", ["half", "full"])
def test_fresh_samples_have_the_moments_of_their_distribution(convention):
    problem = problems.line_fit(convention=convention, label_noise=0.5)
    scale = {"half": 1, "full": 2}[convention]
    x = np.polynomial.legendre.leggauss(40)
    rows, weights = np.stack([x[0], np.ones(40)], 1), x[1] / 2
    for batch in (1, 3):
        H = scale * np.einsum("r,ri,rj->ij", weights, rows, rows)
        one = scale**2 * np.einsum("r,ri,rj,rk,rl->ijkl", weights, rows, rows, rows, rows)
        K = (one / batch + (1 - 1 / batch) * np.einsum("ij,kl->ijkl", H, H)).transpose(0, 2, 1, 3).reshape(4, 4)
        lyapunov = np.kron(H, np.eye(2)) + np.kron(np.eye(2), H)
        radius = np.abs(np.linalg.eigvals(np.linalg.solve(lyapunov, K))).max()
        assert second_moment(problem, batch=batch).stability_limit == pytest.approx(1 / radius, rel=1e-11)


@pytest.mark.parametrize("name", ["sgd", "momentum(beta=0.5)"])
@pytest.mark.parametrize("rows", [[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 1.0]], [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]])
def test_rank_deficient_and_duplicated_rows(name, rows):
    problem = problems.least_squares(rows, [1.0, 0.0, 3.0])
    operator = second_moment(problem, rule=name, batch=2)
    limit = operator.stability_limit
    assert operator.spectral_radius(limit) == pytest.approx(1, abs=1e-10)
    covariance = operator.stationary_covariance(limit / 3)
    flat = operator.basis[:, ~operator.rank]
    assert flat.size
    assert np.abs(covariance @ flat).max() < 1e-13 * np.abs(covariance).max()
    exact = ol.predict(name, problem, schedule=limit / 3, steps=30_000, batch=2, record=[30_000]).loss_mean.item()
    assert operator.stationary_loss(limit / 3) == pytest.approx(exact, rel=1e-11)


def test_a_table_of_zeros_never_moves():
    operator = second_moment(problems.least_squares([[0.0], [0.0]], [1.0, 2.0]), batch=1)
    assert math.isinf(operator.stability_limit)
    assert operator.spectral_radius(3.0) == 1


@pytest.mark.parametrize("n", [40, 20])  # by the tensor of fourth moments, and by the rows
def test_large_tables_agree_with_the_recursion_run_to_its_end(n):
    """Iterative solvers (d = 10 is 55 pairs), for SGD and for momentum."""
    rows, targets = table(n, 10, seed=3)
    problem = problems.least_squares(rows, targets, sampling="subset")
    for name in ("sgd", "momentum(beta=0.7)"):
        operator = second_moment(problem, rule=name, batch=4)
        rate = 0.5 * operator.stability_limit
        exact = ol.predict(name, problem, schedule=rate, steps=12_000, batch=4, record=[12_000]).loss_mean.item()
        assert operator.stationary_loss(rate) == pytest.approx(exact, rel=1e-11)
        assert operator.spectral_radius(operator.stability_limit) == pytest.approx(1, abs=1e-11)
        assert operator.spectral_radius(operator.stability_limit * (1 + 1e-6)) > 1


def dense_limit(rows, batch, sampling):
    """1/rho(Lc^-1 K) with K = E[H_B (x) H_B] from every batch."""
    n, d = rows.shape
    H, one = rows.T @ rows / n, np.ones(1)
    K = second_moment_matrix(rows, batch, sampling, np.zeros((1, 1)), one, one)
    return 1 / np.linalg.eigvals(np.linalg.solve(np.kron(H, np.eye(d)) + np.kron(np.eye(d), H), K)).real.max()


@given(st.integers(1, 4), st.integers(1, 3), st.sampled_from(SAMPLINGS), st.integers(0, 99))
def test_the_bracket_encloses_the_dense_limit(d, batch, sampling, seed):
    rows, targets = table(6, d, seed)
    operator = second_moment(problems.least_squares(rows, targets, sampling=sampling), batch=batch)
    low, high = operator.stability_bracket
    limit = dense_limit(rows, batch, sampling)
    assert low * (1 - 1e-11) <= limit <= high * (1 + 1e-11)
    assert high - low <= 1e-9 * limit
    assert operator.stability_limit == pytest.approx(limit, rel=1e-12)


def test_the_bracket_holds_with_any_positive_definite_matrix():
    rows, targets = table(6, 3, 1)
    operator = second_moment(problems.least_squares(rows, targets), batch=2)
    limit, rng = dense_limit(rows, 2, "replacement"), np.random.default_rng(0)
    for _ in range(20):
        root = rng.normal(size=(3, 3))
        operator.__dict__["_perron"] = (1.0, (root @ root.T)[np.triu_indices(3)])
        low, high = operator.stability_bracket
        assert low <= limit <= high
        assert high - low > 1e-3 * limit


@pytest.mark.parametrize("n", [50, 200])
def test_the_bracket_of_larger_tables_is_narrow(n):
    rows, targets = table(n, 12, 2)
    operator = second_moment(problems.least_squares(rows, targets), batch=4)
    low, high = operator.stability_bracket
    assert low * (1 - 1e-13) <= operator.stability_limit <= high * (1 + 1e-13)
    assert high - low <= 1e-6 * high


def test_one_row_feeds_no_noise_back():
    for rows in ([[1.0, 2.0]], [[0.5, 0.25]] * 4):
        problem = problems.least_squares(rows, [1.0] * len(rows))
        top = 2 / np.square(rows[0]).sum()
        assert second_moment(problem, batch=2).stability_limit == pytest.approx(top, rel=1e-13)
        assert second_moment(problem, batch=2, rule="momentum(beta=0.5)").stability_limit == pytest.approx(1.5 * top, rel=1e-8)
        assert second_moment(problem, batch=2).stability_bracket == pytest.approx((top, top), rel=1e-13)


def test_a_table_of_zeros_has_no_limit_in_its_bracket():
    assert second_moment(problems.least_squares([[0.0], [0.0]], [1.0, 2.0]), batch=1).stability_bracket == (math.inf, math.inf)


def test_interpolated_tables_converge_at_the_radius():
    rows, targets = table(12, 3, fit=True)
    problem = problems.least_squares(rows, targets)
    operator = second_moment(problem, batch=2)
    rate = 0.6 * operator.stability_limit
    losses = ol.predict("sgd", problem, schedule=rate, steps=240, batch=2, record=[200, 240]).loss_mean.values
    assert (losses[1] / losses[0]) ** (1 / 40) == pytest.approx(operator.spectral_radius(rate), rel=1e-9)
    assert operator.stationary_loss(rate) == pytest.approx(0, abs=1e-28)


def test_additive_noise_on_quadratics():
    operator = second_moment(problems.quadratic(spectrum=[0.5, 1.0], noise=0.3), batch=2)
    assert operator.stability_limit == 2
    floor = sp.lambdify((ol.symbols.alpha, ol.symbols.lam, ol.symbols.s2), ol.analyze("sgd").stationary_variance)
    expected = np.diag([floor(0.4, lam, 0.3**2 / 2) for lam in (0.5, 1.0)])
    assert np.allclose(operator.stationary_covariance(0.4), expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_simulation_below_the_limit_and_prediction_above(sampling):
    rows, targets = table(20, 2, seed=5)
    problem = problems.least_squares(rows, targets, sampling=sampling)
    operator = second_moment(problem, batch=4)
    rate = 0.25 * operator.stability_limit
    options = {"schedule": rate, "steps": 60, "batch": 4}
    simulated = ol.simulate("sgd", problem, trajectories=20_000, rng=11, **options)
    exact = ol.predict("sgd", problem, **options)
    assert compare(simulated, exact).holds
    assert exact.loss_mean[-1].item() == pytest.approx(operator.stationary_loss(rate), rel=1e-2)
    grown = ol.predict("sgd", problem, schedule=1.05 * operator.stability_limit, steps=2000, batch=4, record=[1000, 2000]).loss_mean.values
    assert grown[1] > 100 * grown[0]
    assert 1.05 * operator.stability_limit < 2 / np.linalg.eigvalsh(operator.H).max()  # while the mean still converges


@pytest.mark.parametrize(
    ("make", "error", "word"),
    [
        (lambda p: second_moment(p, rule="adam"), NotLinearError, "not linear"),
        (lambda p: second_moment(p, batch=0), InputError, "batch"),
        (lambda p: second_moment(problems.quadratic(dim=1), batch=None), InputError, "batch=None"),
        (lambda p: second_moment(problems.least_squares([[1.0]], [1.0], sampling="subset"), batch=2), InputError, "1 rows"),
        (lambda p: second_moment(problems.least_squares([[1.0]], [1.0], sampling="reshuffle"), batch=1), UnsupportedError, "reshuffle"),
        (lambda p: second_moment(p, rule="momentum").stability_bracket, UnsupportedError, "only SGD"),
        (lambda p: second_moment(p).apply([1.0, 2.0], 0.1), InputError, "shape"),
        (lambda p: second_moment(p).stationary_loss(5.0), InputError, "limit"),
        (lambda p: second_moment(p).stationary_loss(-1.0), InputError, "above 0"),
    ],
)
def test_errors_are_one_line(make, error, word):
    with pytest.raises(error, match=word) as caught:
        make(problems.least_squares([[1.0, 0.0], [1.0, 2.0]], [0.0, 1.0]))
    assert "\n" not in str(caught.value)
