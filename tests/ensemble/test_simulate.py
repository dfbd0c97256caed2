"""The ensemble simulator: bits, trajectories against twins, statistics against NumPy, divergence."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab.ensemble.bind import hessian
from tests.ensemble.short_runs import NOISY, PLAIN, SPECTRUM, START, noisy
from tests.oracles import RULES, sampling
from tests.oracles import philox as twin
from tests.rules.generated import as_options

# --- the same seed, the same numbers ---


@pytest.mark.parametrize("count", [1, 63, 65, 257, 1000])
def test_any_number_of_threads_gives_the_same_bits(count):
    runs = [noisy(trajectories=count, threads=threads, keep=3, outcomes=True) for threads in (1, 2, 3)]
    for other in runs[1:]:
        assert other.identical(runs[0])
    assert runs[0].loss_mean.notnull().all()


def test_repeated_runs_are_the_same_and_seeds_differ():
    first = noisy()
    assert noisy().identical(first)
    assert noisy(rng=np.random.default_rng(5)).identical(noisy(rng=np.random.default_rng(5)))
    other = noisy(rng=6)
    assert (other.loss_mean[1:] != first.loss_mean[1:]).all()
    assert (noisy(batch=5).loss_mean[1:] != first.loss_mean[1:]).all()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("chunk", [1, 2, 3, 8, 64])
def test_any_threads_and_any_chunks_give_the_same_bits(threads, chunk):
    options = {"trajectories": 2001, "keep": 70, "outcomes": True, "reach": [1.0, 0.2]}
    assert noisy(threads=threads, chunk=chunk, **options).identical(noisy(threads=1, **options))


@pytest.mark.parametrize(("fewer", "more"), [(1, 64), (63, 300), (65, 257), (256, 1000)])
def test_a_trajectory_does_not_depend_on_how_many_there_are(fewer, more):
    """The first runs are the same, whatever the count, the steps that follow, and what is recorded."""
    short = noisy(trajectories=fewer, keep=fewer, outcomes=True)
    long = noisy(trajectories=more, keep=fewer, outcomes=True, quantiles=[0.5])
    assert np.array_equal(short.theta, long.theta)
    assert np.array_equal(short.loss, long.loss)
    assert np.array_equal(short.final_loss, long.final_loss[:fewer])
    later = noisy(trajectories=more, keep=fewer, steps=20, record=[0, 1, 5, 12, 20])
    assert np.array_equal(short.theta, later.theta[:, :4])


def test_trajectories_differ_from_each_other():
    final = noisy(trajectories=1000, outcomes=True).final_loss
    assert len(np.unique(final)) == 1000


def test_common_random_numbers():
    """With ``common`` rules share their noise: sgd and momentum at beta = 0 are then one rule; without it they differ."""
    shared = [noisy(rule, common=True) for rule in ("sgd", "momentum(beta=0)")]
    assert np.allclose(shared[0].loss_mean, shared[1].loss_mean, rtol=1e-12)
    own = [noisy(rule) for rule in ("sgd", "momentum(beta=0)")]
    assert not np.any(np.isclose(own[0].loss_mean[1:], own[1].loss_mean[1:], rtol=1e-6))


# --- one trajectory, by hand ---


def by_hand(rule, gradient, rates, start, noise=lambda step: 0.0):
    """The twin's (theta of every step)."""
    module, options = RULES[rule.name], as_options(rule)
    theta = [float(x) for x in start]
    states = [module.initial(options) for _ in theta]
    path = [list(theta)]
    for step, rate in enumerate(rates):
        points = [module.point(x, s, options) for x, s in zip(theta, states, strict=True)]
        g = np.asarray(gradient(np.array(points), step)) + noise(step)
        pairs = [module.step(x, s, float(gi), step + 1, float(rate), options) for x, s, gi in zip(theta, states, g, strict=True)]
        theta, states = [x for x, _ in pairs], [s for _, s in pairs]
        path.append(list(theta))
    return np.array(path)


def quadratic_loss(theta):
    return 0.5 * (np.array(SPECTRUM) * theta**2).sum(-1)


RULE_TEXTS = [*ol.rules.names(), "adam(eps_placement=outside, beta2=9/10)", "ema_momentum(first_step=gradient)"]


@pytest.mark.parametrize("text", RULE_TEXTS)
@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_a_trajectory_is_the_twins_step_by_step(text, sigma):
    rule, steps, batch, seed = ol.rules.get(text), 60, 4, 9
    schedule = ol.schedules.get("warmup_cosine", peak=0.2, steps=steps, warmup=5, floor=0.01)
    run = ol.simulate(
        rule, ol.problems.quadratic(**PLAIN, noise=sigma), schedule=schedule, steps=steps, batch=batch, trajectories=70, keep=70,
        rng=seed, common=True, record=range(steps + 1),
    )  # fmt: skip
    for trajectory in (0, 1, 63, 64, 69):
        noise = lambda step: sigma / math.sqrt(batch) * np.array(twin.normals(trajectory, step, twin.NOISE, 6, twin.common_key(seed)))  # noqa: B023, E731
        path = by_hand(rule, lambda x, _: np.array(SPECTRUM) * x, run.learning_rate.values[:steps], START, noise)
        scale = np.abs(path).max()
        assert np.abs(run.theta[trajectory].values - path).max() <= 1e-9 * scale
        assert np.allclose(run.loss[trajectory], quadratic_loss(path), rtol=1e-8, atol=1e-12)


def test_a_rotated_trajectory_is_the_twins():
    problem = ol.problems.quadratic(spectrum=SPECTRUM, theta0=START, rotation=3)
    run = ol.simulate("adam", problem, schedule=0.1, steps=40, trajectories=1, keep=1, record=range(41))
    matrix = hessian(problem)
    path = by_hand(ol.rules.get("adam"), lambda x, _: matrix @ x, [0.1] * 40, START)
    assert np.allclose(run.theta[0], path, rtol=1e-9, atol=1e-10)
    assert np.allclose(run.loss[0], 0.5 * np.einsum("si,ij,sj->s", path, matrix, path), rtol=1e-9)


def test_a_trajectory_on_an_expression_is_the_twins():
    run = ol.simulate(
        "sgd",
        "symbolic('w**4/4 + (x - w)**2 + cos(x)', theta0=[1.5, -1])",
        schedule=0.05,
        steps=30,
        trajectories=1,
        keep=1,
        record=range(31),
    )
    gradient = lambda p, _: [p[0] ** 3 - 2 * (p[1] - p[0]), 2 * (p[1] - p[0]) - math.sin(p[1])]  # noqa: E731
    path = by_hand(ol.rules.get("sgd"), gradient, [0.05] * 30, [1.5, -1])
    assert np.allclose(run.theta[0], path, rtol=1e-12, atol=1e-13)
    assert np.allclose(run.loss[0], path[:, 0] ** 4 / 4 + (path[:, 1] - path[:, 0]) ** 2 + np.cos(path[:, 1]), rtol=1e-12)
    assert run.theta.coordinate.values.tolist() == ["w", "x"]


@pytest.mark.parametrize("convention", ["half", "full"])
def test_a_trajectory_of_the_line_fit_is_the_twins(convention):
    steps, batch, noise, factor = 25, 3, 0.1, {"half": 1, "full": 2}[convention]
    problem = ol.problems.line_fit(label_noise=noise, convention=convention)
    run = ol.simulate(
        "sgd", problem, schedule=0.3, steps=steps, batch=batch, trajectories=3, keep=3, rng=4, common=True, record=range(steps + 1)
    )

    def gradient(p, step):
        drawn = sampling.fresh(2, step, batch, twin.common_key(4))
        residuals = [(p[0] * x + p[1] - (2 * x + 1 + noise * e), x) for x, e in drawn]
        return [factor * sum(r * x for r, x in residuals) / batch, factor * sum(r for r, _ in residuals) / batch]

    path = by_hand(ol.rules.get("sgd"), gradient, [0.3] * steps, [0, 0])
    assert np.allclose(run.theta[2], path, rtol=1e-11, atol=1e-12)
    errors = path - [2, 1]
    assert np.allclose(run.loss[2], factor / 2 * (errors[:, 0] ** 2 / 3 + errors[:, 1] ** 2 + noise**2), rtol=1e-9)


# --- statistics over all runs ---


def check_statistics(run, levels):
    theta, loss, n = run.theta.values, run.loss.values, run.sizes["trajectory"]
    assert n == run.attrs["trajectories"]
    assert np.allclose(run.loss_mean, loss.mean(0), rtol=1e-12)
    assert np.allclose(run.loss_variance, loss.var(0, ddof=1), rtol=1e-10, atol=1e-24)
    assert np.allclose(run.loss_standard_error, loss.std(0, ddof=1) / math.sqrt(n), rtol=1e-10, atol=1e-14)  # at step 0 all runs are equal
    assert np.array_equal(run.loss_min, loss.min(0))
    assert np.array_equal(run.loss_max, loss.max(0))
    assert np.allclose(run.theta_mean, theta.mean(0), rtol=1e-10, atol=1e-14)
    assert np.allclose(run.theta_variance, theta.var(0, ddof=1), rtol=1e-10, atol=1e-24)
    ordered = np.sort(loss, 0)
    for level, found in zip(levels, run.loss_quantile.values, strict=True):
        order = ordered[math.floor(level * (n - 1) + 1e-9)]
        assert np.all(np.abs(found - order) <= np.abs(order) / 64), level


@pytest.mark.parametrize("count", [2, 63, 257, 3000])
def test_statistics_are_numpys(count):
    levels = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]
    run = noisy(trajectories=count, keep=count, quantiles=levels, record=[0, 1, 2, 12])
    check_statistics(run, levels)


def test_one_trajectory_has_no_variance():
    run = noisy(trajectories=1, keep=1)
    assert np.array_equal(run.loss_mean, run.loss[0])
    assert (run.loss_variance == 0).all()


def test_quantiles_of_negative_and_mixed_losses():
    """A saddle: its loss takes both signs."""
    levels = [0.05, 0.3, 0.5, 0.7, 0.95]
    problem = ol.problems.symbolic("x**2 - w**2", theta0="normal", noise=0.2)
    run = ol.simulate("sgd", problem, schedule=0.05, steps=10, trajectories=3000, keep=3000, quantiles=levels, record=[0, 5, 10])
    assert (run.loss_min < 0).all()
    assert (run.loss_max > 0).all()
    check_statistics(run, levels)


@pytest.mark.parametrize("alpha", [0.5, 3.0], ids=["shrinking", "growing"])
def test_quantiles_of_losses_far_from_one(alpha):
    """From 1e-120 to 1e+120: within 1/64 between 2^-161 and 2^95, within a factor of 2 beyond."""
    levels = [0.05, 0.5, 0.95]
    problem = ol.problems.quadratic(spectrum=[1.0], theta0="normal")
    run = ol.simulate("sgd", problem, schedule=alpha, steps=200, trajectories=500, keep=500, quantiles=levels, record=[0, 5, 60, 200])
    ordered = np.sort(run.loss.values, 0)
    for level, found in zip(levels, run.loss_quantile.values, strict=True):
        order = ordered[math.floor(level * 499)]
        fine = (order > 2.0**-161) & (order < 2.0**95)
        assert 0 < fine.sum() < len(order)  # both ranges are visited
        assert np.all(np.abs(found / order - 1)[fine] <= 1 / 64), (level, found, order)
        assert np.all((found / order > 0.5) & (found / order < 2)), (level, found, order)


def test_attributes_and_coordinates():
    run = noisy(quantiles=[0.1, 0.9])
    assert run.loss_quantile.dims == ("quantile", "step")
    assert run["quantile"].values.tolist() == [0.1, 0.9]
    assert run.attrs["rule"] == "sgd"
    assert run.attrs["seed"] == 5
    assert run.attrs["minimum"] == 0
    assert run.learning_rate[:3].values.tolist() == [0.1] * 3
    assert np.isnan(run.learning_rate[-1])
    wide = ol.problems.quadratic(condition_number=10, dim=17)
    assert "theta_mean" not in ol.simulate("sgd", wide, schedule=0.1, steps=2, trajectories=2)
    assert ol.simulate("sgd", wide, schedule=0.1, steps=2, trajectories=2, coordinates=True).theta_mean.shape[1] == 17
    assert "theta_mean" not in noisy(coordinates=False)


# --- divergence ---


def test_divergence_is_reported_per_trajectory():
    """Beyond 2/L = 2 an SGD run multiplies its error by 1 - alpha = -2 each step: it passes limit 1000 at a step known by hand."""
    problem = ol.problems.quadratic(spectrum=[1.0], theta0="normal")
    run = ol.simulate("sgd", problem, schedule=3.0, steps=12, trajectories=400, keep=400, outcomes=True, limit=1000, record=range(13))
    start = np.abs(run.theta.values[:, 0, 0])
    first = np.array([next((k for k in range(1, 13) if x * 2**k > 1000), -1) for x in start])
    assert np.array_equal(run.diverged_at, first)
    assert {-1, 10, 11} <= set(first.tolist())
    assert np.array_equal(run.diverged, [np.sum((first >= 0) & (first <= k)) for k in range(13)])
    assert np.allclose(run.loss_mean, run.loss.mean("trajectory"), rtol=1e-12)
    assert np.array_equal(run.final_loss, run.loss[:, -1])


@pytest.mark.parametrize(("rule", "alpha"), [("sgd", 2.5), ("momentum", 3.9)])
def test_runs_that_overflow_are_counted_and_make_the_mean_infinite(rule, alpha):
    """SGD beyond 2/L, momentum beyond 2(1 + beta)/L = 3.8."""
    run = ol.simulate(
        rule, ol.problems.quadratic(**NOISY), schedule=alpha, steps=6000, trajectories=70, outcomes=True, record=[0, 10, 6000]
    )
    assert (run.diverged_at > 0).all()
    assert run.diverged.values.tolist()[0] == 0
    assert run.diverged.values.tolist()[-1] == 70
    assert np.isfinite(run.loss_mean[:2]).all()
    assert np.isinf(run.loss_mean[-1])
    assert np.isinf(run.loss_variance[-1])
    assert np.isinf(run.loss_quantile[:, -1]).all()
    assert not np.isfinite(run.final_loss).any()


@pytest.mark.parametrize(("rule", "alpha"), [("sgd", 1.99), ("momentum", 3.79)])
def test_runs_within_the_stability_limit_do_not_diverge(rule, alpha):
    run = ol.simulate(rule, ol.problems.quadratic(**NOISY), schedule=alpha, steps=2000, trajectories=70, outcomes=True, record=[0, 2000])
    assert (run.diverged_at == -1).all()
    assert run.diverged.values.tolist() == [0, 0]


def test_the_final_loss_is_that_of_the_last_step_whatever_is_recorded():
    full, part = noisy(outcomes=True), noisy(outcomes=True, record=[0, 5])
    assert np.array_equal(full.final_loss, part.final_loss)


# --- what is recorded ---


@pytest.mark.parametrize(
    ("record", "steps", "expected"),
    [
        ("linear", 10, list(range(11))),
        ("log", 10, list(range(11))),
        (3, 10, [0, 5, 10]),
        (2, 10, [0, 10]),
        ([7, 2, 2], 10, [2, 7]),
        ("linear", 0, [0]),
        ("log", 0, [0]),
        (range(0, 11, 5), 10, [0, 5, 10]),
    ],
)
def test_recorded_steps(record, steps, expected):
    assert noisy(record=record, steps=steps).step.values.tolist() == expected


def test_log_records_are_dense_at_first():
    steps = noisy(record="log", steps=1000, trajectories=1).step.values
    assert steps[0] == 0
    assert steps[-1] == 1000
    assert set(range(12)) <= set(steps.tolist())
    assert 60 <= len(steps) <= 102
    assert np.all(np.diff(np.diff(steps)) >= -1)


def test_what_is_recorded_does_not_change_the_numbers():
    full = noisy(record=range(13))
    assert np.array_equal(noisy(record=[3, 12]).loss_mean, full.loss_mean.sel(step=[3, 12]))


# --- float32 ---


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_float32_runs_are_near_float64(rule):
    """The same words give the same noise to 2^-24; 20 steps of rounding leave 1e-4 (Adam divides by small roots)."""
    options = {"steps": 20, "keep": 70, "trajectories": 70, "common": True, "record": range(21), "rng": 3}
    wide, narrow = (ol.simulate(rule, ol.problems.quadratic(**NOISY), schedule=0.05, dtype=d, **options) for d in ("float64", "float32"))
    assert np.abs(wide.theta - narrow.theta).max() <= 1e-4
    assert np.abs(wide.theta - narrow.theta).max() > 0
    assert np.array_equal(narrow.theta, narrow.theta.astype(np.float32))
    assert np.allclose(wide.loss_mean, narrow.loss_mean, rtol=1e-4)
    again = ol.simulate(rule, ol.problems.quadratic(**NOISY), schedule=0.05, dtype="float32", threads=1, **options)
    assert again.identical(narrow)


def test_float32_divergence_is_found_beyond_its_own_range():
    run = ol.simulate(
        "sgd", ol.problems.quadratic(**NOISY), schedule=3.0, steps=300, trajectories=10, dtype="float32", limit=1e300, outcomes=True
    )
    assert (run.diverged_at > 100).all()
    assert np.isinf(run.loss_mean[-1])


# --- exact expectation ---


@given(
    beta=st.fractions(0, Fraction(9, 10), max_denominator=50), share=st.floats(0.05, 0.8), batch=st.integers(1, 64),
    seed=st.integers(0, 10**6),
    rule=st.sampled_from(["sgd", "momentum", "nesterov", "ema_momentum"]),
    kind=st.sampled_from(["constant", "inverse_sqrt", "cosine"]),
)  # fmt: skip
def test_mean_loss_agrees_with_an_independent_recursion(beta, share, batch, seed, rule, kind):
    """E loss from second moments, typed by hand, against 4,000 runs at 5 steps.

    The loss is a quadratic form of Gaussians: all moments are finite, so z is near normal; |z| <= 7.3 at 5 points of each of 25
    draws (200 in CI) fails falsely below 1000 * 2.9e-13 = 3e-10 for a whole CI run.
    """
    steps, alpha = 40, share
    options = {"constant": {"alpha": alpha}, "inverse_sqrt": {"a": alpha}, "cosine": {"peak": alpha, "steps": steps}}[kind]
    chosen = ol.rules.get(rule, **({} if rule == "sgd" else {"beta": sp.Rational(beta.numerator, beta.denominator)}))
    schedule = ol.schedules.get(kind, **options)
    run = ol.simulate(
        chosen,
        ol.problems.quadratic(**NOISY),
        schedule=schedule,
        steps=steps,
        batch=batch,
        trajectories=4000,
        rng=seed,
        record=[1, 5, 10, 20, 40],
    )
    rates = [float(schedule.at(k)) for k in range(steps)]
    b, expected = float(beta), np.zeros(steps + 1)
    for lam, x0 in zip(SPECTRUM, START, strict=True):
        mean, cov = np.array([x0, 0.0]), np.zeros((2, 2))
        for step in range(steps + 1):
            expected[step] += lam / 2 * (mean[0] ** 2 + cov[0, 0])
            if step == steps:
                break
            h = rates[step]
            if rule == "sgd":
                A, kick = np.array([[1 - h * lam, 0], [0, 0]]), np.array([-h, 0])
            elif rule == "momentum":
                A, kick = np.array([[1 - h * lam, b], [-h * lam, b]]), np.array([-h, -h])
            elif rule == "nesterov":
                A, kick = np.array([[1 - h * lam, b - h * lam * b], [-h * lam, b - h * lam * b]]), np.array([-h, -h])
            else:
                A, kick = np.array([[1 - h * (1 - b) * lam, -h * b], [(1 - b) * lam, b]]), np.array([-h * (1 - b), 1 - b])
            mean, cov = A @ mean, A @ cov @ A.T + np.outer(kick, kick) * NOISY["noise"] ** 2 / batch
    z = (run.loss_mean - expected[[1, 5, 10, 20, 40]]) / run.loss_standard_error
    assert np.abs(z).max() <= 7.3
