"""Exact prediction: against a dense recursion, against every batch enumerated, and against simulation.

Statistical tests fail a correct program with probability at most 1e-9 each, and their seeds are fixed.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, ncx2

import optlab as ol
from optlab import problems, rules, schedules
from optlab.analysis import linear_form
from optlab.ensemble.agreement import FALSE_ALARM, compare, z_threshold
from optlab.ensemble.bind import rotation_matrix
from optlab.errors import InputError, NotLinearError, UnsupportedError
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
from tests.oracles import RULES as TWINS
from tests.rules.generated import as_options

LINEAR = ["sgd", "momentum", "nesterov", "ema_momentum"]
spectra = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=4)


def drawn_schedule(kind, peak, steps):
    return {
        "constant": lambda: schedules.get("constant", alpha=peak),
        "inverse_sqrt": lambda: schedules.get("inverse_sqrt", a=peak),
        "inverse_time": lambda: schedules.get("inverse_time", c=4 * peak, t0=4),
        "cosine": lambda: schedules.get("cosine", peak=peak, steps=max(1, steps)),
        "warmup_cosine": lambda: schedules.get("warmup_cosine", peak=peak, steps=max(1, steps), warmup=max(1, steps // 4)),
        "one_cycle": lambda: schedules.get("one_cycle", base=peak / 10, peak=peak, steps=max(2, steps)),
    }[kind]()


KINDS = ["constant", "inverse_sqrt", "inverse_time", "cosine", "warmup_cosine", "one_cycle"]


def matrices(name, options, rate, t):
    """A, b, c of one step from the hand-written twin: what unit states and a unit gradient turn into."""
    twin = TWINS[name]
    size = 1 + len(twin.initial(options))
    A, c = np.zeros((size, size)), np.zeros(size)
    for k in range(size):
        unit = [float(j == k) for j in range(size)]
        new, states = twin.step(unit[0], unit[1:], 0.0, t, rate, options)
        A[:, k], c[k] = [new, *states], twin.point(unit[0], unit[1:], options)
    new, states = twin.step(0.0, [0.0] * (size - 1), 1.0, t, rate, options)
    return A, np.array([new, *states]), c


def dense(name, options, rates, H, noise, start, scatter=0.0):
    """Loss mean and variance after every step on 1/2 x'Hx, from E[s] and E[s s'] of the whole state, in Kronecker form."""
    d = len(H)
    A, b, c = matrices(name, options, 0.1, 1)
    k = len(b)
    mean = np.zeros(k * d)
    mean[:d] = start
    second = np.outer(mean, mean)
    second[:d, :d] += scatter**2 * np.eye(d)
    means, seconds = [mean], [second]
    for t, rate in enumerate(rates, 1):
        A, b, c = matrices(name, options, rate, t)
        M = np.kron(A, np.eye(d)) + np.kron(np.outer(b, c), H)
        N = np.kron(np.outer(b, b), noise * np.eye(d))
        second = (np.kron(M, M) @ second.ravel() + N.ravel()).reshape(second.shape)
        mean = M @ mean
        means, seconds = [*means, mean], [*seconds, second]
    blocks = np.array([s[:d, :d] for s in seconds])
    x = np.array(means)[:, :d]
    S = blocks - x[:, :, None] * x[:, None, :]
    loss = np.einsum("ij,tji->t", H, blocks) / 2
    variance = np.array([np.trace(H @ C @ H @ C) / 2 + v @ H @ C @ H @ v for C, v in zip(S, x, strict=True)])
    return loss, variance, x, np.einsum("tii->ti", S)


@pytest.mark.parametrize("name", LINEAR)
@given(
    spectrum=spectra, kind=st.sampled_from(KINDS), peak=st.floats(0.01, 0.9), steps=st.integers(0, 30), batch=st.integers(1, 64),
    noise=st.floats(0, 3), b=st.integers(0, 19), scatter=st.booleans(), rotated=st.booleans(),
)  # fmt: skip
def test_prediction_is_the_dense_moment_recursion(name, spectrum, kind, peak, steps, batch, noise, b, scatter, rotated):
    options = {} if name == "sgd" else {"beta": Fraction(b, 20)}
    rule = rules.get(name, **{key: str(value) for key, value in options.items()})
    d = len(spectrum)
    theta0 = "normal" if scatter else [1.5 - i for i in range(d)]
    problem = problems.quadratic(spectrum=spectrum, noise=noise, theta0=theta0, rotation=3 if rotated else None)
    schedule = drawn_schedule(kind, peak, steps)
    found = ol.predict(rule, problem, schedule=schedule, steps=steps, batch=batch, record=range(steps + 1), coordinates=True)
    Q = rotation_matrix(d, 3) if rotated else np.eye(d)
    rates = [float(schedule.at(t)) for t in range(steps)]
    loss, variance, mean, spread = dense(
        name, as_options(rule), rates, Q.T @ np.diag(spectrum) @ Q, noise**2 / batch,
        np.zeros(d) if scatter else np.array(theta0), float(scatter),
    )  # fmt: skip
    close = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(found.loss_mean, loss, **close)
    np.testing.assert_allclose(found.loss_variance, variance, **close)
    np.testing.assert_allclose(found.theta_mean, mean, **close)
    np.testing.assert_allclose(found.theta_variance, spread, **close)


def test_a_rule_of_ones_own_is_predicted_through_the_step_number():
    """Alpha and t both enter the matrices; three states; checked against the recursion written out."""
    m, n = symbol("m"), symbol("n1")
    t = symbol("t")
    rule = Rule(
        name="own", state={m: State(init=2), n: State()}, parameters={symbol("beta"): Parameter("1/2", within="[0, 1)")},
        equations=((m, symbol("beta") * m + g / t), (n, n / 3 + m), (theta, theta - alpha * n)), gradient_at=theta - m / 4,
    )  # fmt: skip
    found = ol.predict(
        rule, problems.quadratic(spectrum=[0.5], noise=0.7, theta0=1.5), schedule=0.3, steps=9, record=range(10)
    )  # fmt: skip
    mean, second = np.array([1.5, 2.0, 0.0]), np.outer([1.5, 2.0, 0.0], [1.5, 2.0, 0.0])
    losses = [0.25 * second[0, 0]]
    for step in range(1, 10):
        push = np.array([-0.3 / step, 1 / step, 1 / step])
        A = np.array([[1, -0.15, -0.1], [0, 0.5, 0], [0, 0.5, 1 / 3]])
        M = A + 0.5 * np.outer(push, [1, -0.25, 0])
        second = M @ second @ M.T + 0.49 * np.outer(push, push)
        mean = M @ mean
        losses.append(0.25 * second[0, 0])
    np.testing.assert_allclose(found.loss_mean, losses, rtol=1e-12)
    assert float(found.theta_mean[-1, 0]) == pytest.approx(mean[0], rel=1e-12)


# --- tables: every batch enumerated ---

X = np.array([[1.0, 0.5], [-0.5, 1.0], [0.3, -1.2], [0.8, 0.1]])
Y = np.array([1.0, -0.3, 0.6, 2.0])


def enumerated(name, n, batch, sampling, convention, rates, start):
    """Loss mean, theta mean and variance after every step, the average over all sequences of batches, each run by hand."""
    x, y, factor = X[:n], Y[:n], {"half": 1.0, "full": 2.0}[convention]
    twin, options = TWINS[name], as_options(rules.get(name))
    batches = list(itertools.combinations(range(n), batch)) if sampling == "subset" else list(itertools.product(range(n), repeat=batch))
    runs = [(np.array(start), [[s] * 2 for s in twin.initial(options)])]
    out = []
    for t in range(len(rates) + 1):
        points = np.array([point for point, _ in runs])
        out.append((np.mean(((points @ x.T - y) ** 2).mean(1)) * factor / 2, points.mean(0), points.var(0)))
        if t == len(rates):
            return out
        grown = []
        for point, states in runs:
            looks = np.array([twin.point(point[i], [s[i] for s in states], options) for i in range(2)])
            for chosen in batches:
                rows = list(chosen)
                gradient = factor * x[rows].T @ (x[rows] @ looks - y[rows]) / batch
                new = [twin.step(point[i], [s[i] for s in states], gradient[i], t + 1, rates[t], options) for i in range(2)]
                grown.append((np.array([p for p, _ in new]), [list(s) for s in zip(*(s for _, s in new), strict=True)]))
        runs = grown
    raise AssertionError


ENUMERATIONS = [
    ("sgd", 3, 2, "replacement", "half", 3),
    ("sgd", 4, 2, "subset", "full", 4),
    ("sgd", 4, 4, "subset", "half", 3),
    ("momentum", 3, 2, "subset", "half", 5),
    ("momentum", 3, 1, "replacement", "full", 5),
    ("nesterov", 4, 3, "subset", "half", 4),
    ("nesterov", 2, 2, "replacement", "half", 4),
    ("ema_momentum", 4, 1, "replacement", "half", 4),
    ("sgd", 1, 1, "subset", "half", 3),
]


@pytest.mark.parametrize(("name", "n", "batch", "sampling", "convention", "steps"), ENUMERATIONS)
def test_prediction_on_a_table_is_the_mean_over_every_sequence_of_batches(name, n, batch, sampling, convention, steps):
    schedule, start = schedules.get("inverse_sqrt", a=0.4), [0.7, -0.4]
    problem = problems.least_squares(X[:n], Y[:n], sampling=sampling, convention=convention, theta0=start)
    found = ol.predict(name, problem, schedule=schedule, steps=steps, batch=batch, record=range(steps + 1))
    rates = [0.4 / np.sqrt(t + 1) for t in range(steps)]
    for t, (loss, mean, variance) in enumerate(enumerated(name, n, batch, sampling, convention, rates, start)):
        assert float(found.loss_mean[t]) == pytest.approx(loss, rel=1e-10)
        np.testing.assert_allclose(found.theta_mean[t], mean, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(found.theta_variance[t], variance, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("n", [7, 60])  # few rows: row by row; many: through the tensor of fourth moments
@pytest.mark.parametrize("sampling", ["replacement", "subset"])
def test_both_ways_of_summing_the_rows_are_the_dense_map(n, sampling):
    """E[s s'] mapped by the average over single rows, which any batch size follows from by its variance factor."""
    rng = np.random.default_rng(11)
    d, batch, rate, steps = 4, 3, 0.2, 6
    x, y = rng.normal(size=(n, d)), rng.normal(size=n)
    found = ol.predict(
        "sgd", problems.least_squares(x, y, sampling=sampling), schedule=rate, steps=steps, batch=batch, record=range(steps + 1)
    )
    factor = (1 / batch) * ((n - batch) / (n - 1) if sampling == "subset" else 1)
    mean, second = np.zeros(d), np.zeros((d, d))
    full = x.T @ x / n
    for t in range(steps + 1):
        loss = np.mean([(r @ second @ r - 2 * v * r @ mean + v * v) for r, v in zip(x, y, strict=True)]) / 2
        assert float(found.loss_mean[t]) == pytest.approx(loss, rel=1e-10)
        # gradient of row r at theta: r (r.theta - y); G = E over rows of its square, F = square of its mean
        G = np.mean([np.outer(r, r) * (r @ second @ r - 2 * v * r @ mean + v * v) for r, v in zip(x, y, strict=True)], axis=0)
        drift = x.T @ y / n
        F = full @ second @ full - np.outer(full @ mean, drift) - np.outer(drift, full @ mean) + np.outer(drift, drift)
        cross = second @ full - np.outer(mean, drift)
        second = second - rate * (cross + cross.T) + rate**2 * (F + factor * (G - F))
        mean = mean - rate * (full @ mean - drift)


def test_the_whole_table_is_plain_gradient_descent():
    problem = problems.least_squares(X, Y, theta0=[0.7, -0.4])
    found = ol.predict("sgd", problem, schedule=0.3, steps=5, batch=None, record=range(6))
    point = np.array([0.7, -0.4])
    for t in range(6):
        assert float(found.loss_mean[t]) == pytest.approx(np.mean((X @ point - Y) ** 2) / 2, rel=1e-13)
        assert float(np.abs(found.theta_variance[t]).max()) < 1e-14
        point = point - 0.3 * X.T @ (X @ point - Y) / 4


# --- fresh samples ---


def line_fit_by_hand(rate, batch, steps, spread, factor, start=(0.0, 0.0), scatter=0.0):
    """E[(w, b)] and E[loss] of SGD on y = 2x + 1 with x ~ U(-1, 1), from E x^2 = 1/3 and E x^4 = 1/5 alone."""
    u, v = start[0] - 2, start[1] - 1  # errors of w and b
    mean = np.array([u, v])
    suu, svv, suv = u * u + scatter**2, v * v + scatter**2, u * v
    out = []
    for _ in range(steps + 1):
        out.append((mean + np.array([2, 1]), factor / 2 * (suu / 3 + svv + spread**2)))
        # per-sample gradient: factor * (x (u x + v - e), u x + v - e)
        full_uu, full_vv, full_uv = suu / 9, svv, suv / 3
        one_uu, one_vv, one_uv = suu / 5 + svv / 3 + spread**2 / 3, suu / 3 + svv + spread**2, 2 * suv / 3
        noise = [(one - full) / batch for one, full in ((one_uu, full_uu), (one_vv, full_vv), (one_uv, full_uv))]
        r = rate * factor
        suu = suu - 2 * r * suu / 3 + r * r * (full_uu + noise[0])
        svv = svv - 2 * r * svv + r * r * (full_vv + noise[1])
        suv = suv - r * (suv / 3 + suv) + r * r * (full_uv + noise[2])
        mean = mean * (1 - r * np.array([1 / 3, 1]))
    return out


@pytest.mark.parametrize("convention", ["half", "full"])
@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize(
    ("theta0", "start", "scatter"), [(0.0, (0.0, 0.0), 0.0), ([3.0, -1.0], (3.0, -1.0), 0.0), ("normal", (0.0, 0.0), 1.0)]
)
def test_the_line_fit_is_its_closed_form(convention, spread, theta0, start, scatter):
    problem = problems.line_fit(convention=convention, label_noise=spread, theta0=theta0)
    found = ol.predict("sgd", problem, schedule=0.1, steps=40, batch=16, record=range(41))
    expected = line_fit_by_hand(0.1, 16, 40, spread, {"half": 1, "full": 2}[convention], start, scatter)
    np.testing.assert_allclose(found.theta_mean, [mean for mean, _ in expected], rtol=1e-11)
    np.testing.assert_allclose(found.loss_mean, [loss for _, loss in expected], rtol=1e-11)
    assert list(found.coordinate.values) == ["w", "b"]


# --- simulation against prediction ---

noisy = {"noise": 0.5, "theta0": [1.0, -2.0, 0.5]}
CASES = {"sgd": (1.0, {}), "momentum": (0.6, {"beta": "7/10"})}  # one kernel serves every value of its hyper-parameters


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=8, derandomize=True, database=None)
@given(
    spectrum=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3), part=st.floats(0.02, 0.6), kind=st.sampled_from(KINDS),
    batch=st.integers(1, 256), b=st.integers(0, 9), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_simulation_agrees_with_prediction(name, spectrum, part, kind, batch, b, seed):
    """False-alarm probability of one example 1e-9 / 16, so 1e-9 for all sixteen; the draws are the same every time."""
    rule = rules.get(name, **({} if name == "sgd" else {"beta": f"{b}/10"}))
    problem, steps = problems.quadratic(spectrum=spectrum, **noisy), 40
    options = {"schedule": drawn_schedule(kind, 2 * part, steps), "steps": steps, "batch": batch, "record": 21}
    run = ol.simulate(rule, problem, trajectories=20_000, rng=seed, **options)
    result = compare(run, ol.predict(rule, problem, **options), comparisons=16)
    assert result.points == 20
    assert result.holds, result


def planted(rule="sgd", schedule=0.3, noise=0.5, batch=4, spectrum=(0.1, 0.5, 1.0), start=(1.0, -2.0, 0.5)):
    return {
        "rule": rule,
        "problem": problems.quadratic(spectrum=spectrum, noise=noise, theta0=list(start)),
        "schedule": schedule,
        "batch": batch,
    }


DEFECTS = {
    "noise 5 % too large": {"noise": 0.525},
    "batch off by one": {"batch": 5},
    "learning rate 2 % too large": {"schedule": 0.306},
    "largest curvature 3 % too small": {"spectrum": (0.1, 0.5, 0.97)},
    "start a little off": {"start": (1.02, -2.0, 0.5)},
    "another beta": {"rule": "momentum(beta=0.72)"},
    "another decay": {"schedule": "inverse_sqrt(a=0.3)"},
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_small_defect_is_noticed(defect):
    base = planted(rule="momentum(beta=0.7)") if defect == "another beta" else planted()
    options = {"steps": 40, "record": 21, "rng": 4}
    run = ol.simulate(**(base | planted(**({"rule": base["rule"]} | DEFECTS[defect]))), trajectories=60_000, **options)
    assert not compare(run, ol.predict(**base, **options)).holds
    assert compare(run, ol.predict(**(base | planted(**({"rule": base["rule"]} | DEFECTS[defect]))), **options)).holds  # 1e-9


def test_points_without_variance_must_agree_to_rounding():
    problem = problems.quadratic(spectrum=[0.1, 1.0])
    run = ol.simulate("sgd", problem, schedule=0.3, steps=10, trajectories=70, record=range(11))
    exact = ol.predict("sgd", problem, schedule=0.3, steps=10, record=range(11))
    same = compare(run, exact)
    assert (same.points, same.largest, same.holds) == (0, 0.0, True)
    off = compare(run, ol.predict("sgd", problem, schedule=0.3000001, steps=10, record=range(11)))
    assert off.largest == np.inf
    assert not off.holds


# --- the threshold ---


@pytest.mark.parametrize("runs", [10, 100, 4000, 10**6])
@pytest.mark.parametrize("points", [1, 100])
def test_the_false_alarm_rate_of_one_mode_is_below_what_is_stated(runs, points):
    """The mean of n losses lam/2 theta^2, theta normal, is a chi-square of n degrees of freedom: its tails are exact."""
    z = z_threshold(points, runs)
    edge = np.sqrt(2 * runs) * z
    exact = chi2.sf(runs + edge, runs) + chi2.cdf(runs - edge, runs)
    assert exact <= FALSE_ALARM / points
    assert z < 1.35 * np.sqrt(-2 * np.log(FALSE_ALARM / (2 * points))) * (1 + 8 / np.sqrt(runs))  # and not idly wide
    shifted = runs * 2.0  # a mean of its own beside the noise makes the skewness smaller
    spread = np.sqrt(2 * (runs + 2 * shifted))
    tails = ncx2.sf(runs + shifted + z * spread, runs, shifted) + ncx2.cdf(runs + shifted - z * spread, runs, shifted)
    assert tails <= FALSE_ALARM / points


@pytest.mark.parametrize("runs", [2000, 20_000])
def test_the_false_alarm_rate_holds_where_the_variance_is_that_of_the_runs(runs):
    """On tables the exact variance is not known. A low mean comes with a low variance, so P(t < -z) grows: by importance sampling."""
    exact = xr.Dataset({"loss_mean": ("step", [1.0])}, {"step": [0]})
    run = exact.assign(loss_variance=("step", [2.0])).assign_attrs(trajectories=runs, rule="r", problem="p")
    z = compare(run, exact).threshold
    assert 6.1 < z < 18  # wide for few runs: the kurtosis may be twice that of a squared normal
    scale = 1 / (1 + z * np.sqrt(2 / runs))  # losses drawn smaller by this factor have t about -z
    rng, weights = np.random.default_rng(6), []
    for _ in range(4_000_000 // runs):
        losses = scale * rng.standard_normal(runs) ** 2
        t = (losses.mean() - 1) / np.sqrt(losses.var(ddof=1) / runs)
        weights.append(np.exp(runs / 2 * np.log(scale) + (1 / scale - 1) * losses.sum() / 2) if t < -z else 0.0)
    assert np.mean(weights) <= FALSE_ALARM, f"P(t < -{z:.3f}) is {np.mean(weights):.2g} with {runs} runs"


def test_the_threshold_grows_with_points_and_falls_with_runs():
    assert 6.1094 <= z_threshold(1, 10**12) <= 6.6  # 2 * (1 - Phi(6.1094)) = 1e-9, and a bound need not be wide
    assert z_threshold(1, 10**12) < z_threshold(10, 10**12) < z_threshold(1000, 10**12)
    assert z_threshold(10, 10**6) < z_threshold(10, 10**4) < z_threshold(10, 100)
    assert z_threshold(10, 1000, false_alarm=1e-3) < z_threshold(10, 1000)


def test_too_few_runs_do_not_excuse_points_that_must_agree_to_rounding():
    """With a variance estimated from few runs no |z| is too large; the start of every run is exact all the same."""
    exact = xr.Dataset({"loss_mean": ("step", [1.0, 2.0])}, {"step": [0, 5]})
    right = exact.assign(loss_variance=("step", [0.0, 4.0])).assign_attrs(trajectories=100, rule="r", problem="p")
    assert compare(right, exact).holds
    assert not compare(right.assign(loss_mean=("step", [1.5, 2.0])), exact).holds


def test_losses_that_overflow_on_both_sides_do_not_disagree():
    exact = xr.Dataset(
        {"loss_mean": ("step", [1.0, 1e200, np.inf]), "loss_variance": ("step", [0.1, np.inf, np.inf])}, {"step": [0, 5, 9]}
    )  # fmt: skip
    run = exact.assign_attrs(trajectories=100, rule="r", problem="p")
    assert compare(run, exact).holds
    assert not compare(run.assign(loss_mean=("step", [1.0, 1e200, 7.0])), exact).holds


def test_compare_reads_the_worst_point():
    exact = xr.Dataset(
        {"loss_mean": ("step", [1.0, 2.0, 3.0]), "loss_variance": ("step", [0.0, 4.0, 9.0])}, {"step": [0, 5, 9]}
    )  # fmt: skip
    run = exact.assign(loss_mean=("step", [1.0, 2.1, 3.5])).assign_attrs(trajectories=400, rule="r", problem="p")
    result = compare(run, exact)
    assert result.largest == pytest.approx(0.5 / (3 / 20))
    assert (result.at_step, result.points, result.rule, result.problem) == (9, 2, "r", "p")
    assert compare(run, exact, comparisons=50).threshold > result.threshold


# --- errors ---


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "adagrad", "nadam", "amsgrad", "adamax", "lion"])
def test_adaptive_rules_have_no_prediction(name):
    with pytest.raises(NotLinearError, match=name):
        ol.predict(name, problems.quadratic(spectrum=[1.0]), schedule=0.1, steps=2)


def test_problems_without_a_prediction_say_why():
    with pytest.raises(UnsupportedError, match=r"reshuffle.*dependent"):
        ol.predict("sgd", problems.least_squares(X, Y, sampling="reshuffle"), schedule=0.1, steps=2, batch=2)
    with pytest.raises(UnsupportedError, match="no exact prediction on symbolic"):
        ol.predict("sgd", problems.symbolic("x**2 + y**4"), schedule=0.1, steps=2)
    with pytest.raises(InputError, match="batch"):
        ol.predict("sgd", problems.quadratic(spectrum=[1.0]), schedule=0.1, steps=2, batch=0)
    with pytest.raises(InputError, match="record"):
        ol.predict("sgd", problems.quadratic(spectrum=[1.0]), schedule=0.1, steps=2, record=[3])


def test_reshuffling_the_whole_table_has_no_dependence():
    problem = problems.least_squares(X, Y, sampling="reshuffle", theta0=[1.0, 0.0])
    twin = problems.least_squares(X, Y, theta0=[1.0, 0.0])
    options = {"schedule": 0.2, "steps": 4, "batch": None}
    assert np.array_equal(ol.predict("sgd", problem, **options).loss_mean, ol.predict("sgd", twin, **options).loss_mean)


def test_a_diverging_rule_is_predicted_to_diverge():
    found = ol.predict("sgd", problems.quadratic(spectrum=[1.0], noise=1.0), schedule=3.0, steps=2000, record=[0, 10, 2000])
    assert found.loss_mean[1] > 1e5
    assert found.loss_mean[2] == np.inf


def test_linear_forms_that_are_told_apart():
    """The prediction is built on the derived form, the tests above on hand-written twins: both say the same of each rule."""
    for name in LINEAR:
        form, options = linear_form(rules.get(name)), as_options(rules.get(name))
        values = {symbol("alpha"): sp.Rational(3, 10), symbol("t"): 2} | {
            symbol(k): sp.Rational(str(v)) for k, v in options.items() if k == "beta"
        }
        for found, expected in zip((form.A, form.b, form.c), matrices(name, options, 0.3, 2), strict=True):
            np.testing.assert_allclose(np.array(found.subs(values), float).reshape(expected.shape), expected, rtol=1e-14)
