"""Minimax tuning: the closed forms that are known, drawn rules against brute force, and the certificate itself."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import optlab as ol
from optlab import rules
from optlab.analysis.minimax import _certify
from optlab.analysis.optimal import STATUSES, kappa
from optlab.analysis.search import Program, rate
from optlab.analysis.tuning import tune
from optlab.errors import InputError, NotLinearError, UnsupportedError
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
from optlab.symbols import L, mu
from tests.analysis.drawn import two_state_rules, worst_rates

beta, m, n, weight = symbol("beta"), symbol("m"), symbol("n1"), symbol("weight")
KNOWN = {
    "sgd": (2 / (mu + L), {}, (kappa - 1) / (kappa + 1)),
    "momentum": (
        4 / (sp.sqrt(L) + sp.sqrt(mu)) ** 2,
        {"beta": ((sp.sqrt(kappa) - 1) / (sp.sqrt(kappa) + 1)) ** 2},
        (sp.sqrt(kappa) - 1) / (sp.sqrt(kappa) + 1),
    ),
    "nesterov": (4 / (3 * L + mu), {"beta": (sp.sqrt(3 * kappa + 1) - 2) / (sp.sqrt(3 * kappa + 1) + 2)}, 1 - 2 / sp.sqrt(3 * kappa + 1)),
    "ema_momentum": (
        1 / sp.sqrt(mu * L),
        {"beta": ((sp.sqrt(kappa) - 1) / (sp.sqrt(kappa) + 1)) ** 2},
        (sp.sqrt(kappa) - 1) / (sp.sqrt(kappa) + 1),
    ),
}  # Polyak 1964; Lessard, Recht & Packard 2016, Table 1


@pytest.mark.parametrize("name", KNOWN)
def test_the_known_tunings_are_derived_and_certified(name):
    step, parameters, factor = KNOWN[name]
    tuned = ol.analyze(name).optimal()
    assert tuned.status == "closed form"
    assert sp.simplify(tuned.alpha - step) == 0
    assert sp.simplify(tuned.rate - factor) == 0
    assert tuned.parameters.keys() == parameters.keys()
    for key, value in parameters.items():
        assert sp.simplify(getattr(tuned, key) - value) == 0
    certificate = tuned.certificate
    assert certificate.holds
    assert certificate.exact
    assert set(certificate.condition_numbers) == {2, 10, 100, 1000, 10_000}
    assert 0 <= certificate.gap < 0.2
    assert all(value > 0 for value in certificate.multipliers.values())


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("spectrum", [(1, 3), ("1/100", 1), ("0.2", 50), (3, 3)])
def test_numbers_agree_with_the_closed_form_and_with_the_numeric_tuning(name, spectrum):
    exact = ol.analyze(name).optimal(mu=spectrum[0], L=spectrum[1])
    low, high = (sp.Rational(str(s)) for s in spectrum)
    step, parameters, factor = KNOWN[name]
    given_ = {mu: low, L: high, kappa: high / low}
    if low == high:  # one curvature: one step reaches the minimum
        assert exact.rate is None or abs(float(exact.rate)) < 1e-12
        return
    assert exact.status in ("closed form", "algebraic")
    assert abs(sp.N(exact.alpha - step.subs(given_), 40)) < sp.Float(10) ** -30
    assert abs(sp.N(exact.rate - factor.subs(given_), 40)) < sp.Float(10) ** -30
    for key, value in parameters.items():
        assert abs(sp.N(getattr(exact, key) - value.subs(given_), 40)) < sp.Float(10) ** -30
    at = ol.analyze(name).optimal().at(*map(float, (low, high)))
    tuned = tune(name, float(low), float(high))
    assert tuned.rate == pytest.approx(at["rate"], rel=1e-10)
    assert tuned.alpha == pytest.approx(at["alpha"], rel=1e-7)


@pytest.mark.parametrize("name", KNOWN)
def test_the_equations_are_those_of_the_optimum(name):
    """They hold at the closed form, and not beside it."""
    tuned = ol.analyze(name).optimal()
    values = {alpha: tuned.alpha, rate: tuned.rate.subs(kappa, L / mu)} | {
        symbol(k): v.subs(kappa, L / mu) for k, v in tuned.parameters.items()
    }
    spectrum = {mu: sp.Rational(1, 7), L: sp.Integer(5)}
    at = {s: sp.N(v.subs(spectrum), 40) for s, v in values.items()}
    assert len(tuned.equations) == len(at)
    for equation in tuned.equations:
        assert abs(sp.N(equation.lhs.subs(spectrum).subs(at), 40)) < sp.Float(10) ** -35
    beside = at | {alpha: at[alpha] * sp.Rational(101, 100)}
    assert any(abs(equation.lhs.subs(spectrum).subs(beside)) > 1e-4 for equation in tuned.equations)


BRUTE = np.r_[np.geomspace(1e-3, 10, 90)], np.r_[np.linspace(0, 0.95, 30), 0.97, 0.99, 0.999]


@given(two_state_rules(), st.sampled_from([2, 10, 30]))
@settings(max_examples=25)
def test_a_drawn_rule_is_tuned_no_worse_than_brute_force(drawn, condition):
    """For each status: what it claims is checked with eigenvalues that optlab had no part in."""
    rule, A, b, c = drawn
    tuned = ol.analyze(rule).optimal(condition_number=condition)
    assert tuned.status in STATUSES
    brute = float(np.min(worst_rates(A, b, c, 1.0, float(condition), *BRUTE)))
    if tuned.status == "none":
        assert brute >= 1 - 1e-7
        return
    reached = tuned.witnesses[0]["rate"]
    assert reached <= brute + 1e-7
    for witness in tuned.witnesses:
        there = float(worst_rates(A, b, c, 1.0, float(condition), [witness["alpha"]], [witness.get("beta", 0.5)], 40)[0, 0])
        assert there == pytest.approx(witness["rate"], abs=2e-6)  # an eigenvalue at a double root is the square root of a rounding error
    if tuned.status in ("closed form", "algebraic"):
        assert float(tuned.rate) == pytest.approx(reached, abs=1e-6)
        assert tuned.certificate.exact
        assert tuned.certificate.holds, tuned.certificate
        values = {alpha: tuned.alpha, rate: tuned.rate, **{symbol(k): v for k, v in tuned.parameters.items()}}
        for name, polynomial in tuned.polynomials.items():
            low, high = tuned.intervals[name]
            unknown = rate if name == "rate" else symbol(name)
            root = values[unknown]
            assert low < sp.N(root, 40) < high
            assert abs(sp.N(polynomial.subs(unknown, root), 40)) < sp.Float(10) ** -20
            assert sp.Poly(polynomial, unknown, domain="QQ").count_roots(low, high) == 1
    if tuned.status == "not unique":
        assert abs(tuned.witnesses[0]["rate"] - tuned.witnesses[1]["rate"]) < 1e-7


def test_a_degenerate_corner_of_the_grid_is_left():
    """At beta = 0 several inequalities meet: the smooth program needs room to start. The best is SGD's 7/9 at alpha = 2/9."""
    fresh = symbol("fresh")
    rule = Rule(
        name="corner", parameters={beta: Parameter("1/2", within="[0, 1)")}, state={m: State()},
        equations=((fresh, theta - alpha * m - alpha * g), (m, sp.Rational(7, 2) * (alpha * m - beta * g)), (theta, fresh)),
    )  # fmt: skip
    assert ol.analyze(rule).optimal(condition_number=2).witnesses[0]["rate"] == pytest.approx(7 / 9, abs=1e-6)


def product():
    """Only the product of alpha and 1 - beta matters."""
    return Rule(name="product", parameters={beta: Parameter("1/2", within="[0, 1)")}, equations=((theta, theta - alpha * (1 - beta) * g),))


def test_a_family_of_tunings_is_called_not_unique():
    tuned = ol.analyze(product()).optimal()
    assert tuned.status == "not unique"
    first, second = tuned.witnesses
    assert first["alpha"] * (1 - first["beta"]) == pytest.approx(second["alpha"] * (1 - second["beta"]), rel=1e-6)
    assert abs(first["alpha"] - second["alpha"]) > 1e-3
    assert first["rate"] == pytest.approx(99 / 101, abs=1e-9)
    assert tuned.rate is None
    assert "same rate" in tuned.reason


def test_momentum_with_its_beta_bound_has_an_interval_of_best_steps():
    assert ol.analyze("momentum(beta=9/10)").optimal(condition_number=10).status == "not unique"
    assert ol.analyze("momentum(beta=1/2)").optimal(condition_number=1000).status == "closed form"


def test_a_rate_that_improves_toward_an_open_end_is_not_attained():
    """theta - alpha g - beta theta / 2: more shrinking is always better on a quadratic with its minimum at 0, and beta = 1 is left out."""
    shrink = Rule(
        name="shrink", parameters={beta: Parameter("1/2", within="[0, 1)")}, equations=((theta, theta * (1 - beta / 2) - alpha * g),)
    )
    tuned = ol.analyze(shrink).optimal(condition_number=10)
    assert tuned.status == "not attained"
    assert "beta approaches 1" in tuned.reason
    assert tuned.rate is None
    # the limit: minimize max |1/2 - a lam| over [1, 10] -> (1/2) 9/11
    assert tuned.witnesses[0]["rate"] == pytest.approx(9 / 22, abs=1e-6)


def test_a_rule_that_cannot_contract_is_told_so():
    climb = Rule(name="climb", equations=((theta, theta + alpha * g),))
    tuned = ol.analyze(climb).optimal()
    assert tuned.status == "none"
    assert tuned.alpha is None
    assert tuned.certificate is None


def test_three_hyper_parameters_and_a_closed_end_of_a_range():
    """Heavy ball with the gradient taken ahead by weight v: the look-ahead does not help the spectral radius, so weight = 0 is best."""
    ahead = Rule(
        name="ahead", parameters={beta: Parameter("1/2", within="[0, 1)"), weight: Parameter(0, within="[0, 1]")}, state={m: State()},
        gradient_at=theta + weight * m, equations=((m, beta * m - alpha * g), (theta, theta + m)),
    )  # fmt: skip
    tuned = ol.analyze(ahead).optimal(condition_number=16)
    assert tuned.certificate.holds
    polyak = sp.Rational(3, 5)
    assert float(tuned.rate) <= float(polyak) + 1e-12


def test_wider_ranges_are_searched_too():
    wide = Rule(
        name="wide", parameters={weight: Parameter(1, within="[0, oo)")}, state={m: State()},
        equations=((m, weight * m + g), (theta, theta - alpha * m)),
    )  # fmt: skip
    assert sp.simplify(ol.analyze(wide).optimal().weight - KNOWN["momentum"][1]["beta"]) == 0


def test_three_states_with_a_free_memory_answer_in_seconds():
    """In kappa no exact system is sought where the one at a number has no small solution; the numeric tuning is given."""
    rule = Rule(
        name="two", parameters={beta: Parameter("9/10", within="[0, 1)")}, state={m: State(), n: State()},
        equations=((m, beta * m - g), (n, beta**2 * n - g), (theta, theta + alpha * (m + n) / 2)),
    )  # fmt: skip
    tuned = ol.analyze(rule).optimal()
    assert tuned.status in ("numeric", "algebraic")
    assert 0 < tuned.witnesses[0]["rate"] < 99 / 101  # better than SGD at the same condition number


def test_three_states_are_tuned_with_an_algebraic_number():
    rule = Rule(
        name="three", state={m: State(), n: State()},
        equations=((m, m / 2 - g), (n, sp.Rational(9, 10) * n - g), (theta, theta + alpha * (m + n) / 2)),
    )  # fmt: skip
    tuned = ol.analyze(rule).optimal(condition_number=20)
    assert tuned.status == "algebraic"
    assert tuned.certificate.holds
    M = sp.lambdify((alpha, symbol("lam")), ol.analyze(rule).transition_matrix, "numpy")

    def worst(size):
        return max(np.abs(np.linalg.eigvals(M(size, curvature))).max() for curvature in np.geomspace(1, 20, 60))

    assert worst(float(tuned.alpha)) == pytest.approx(float(tuned.rate), abs=1e-9)
    assert min(worst(size) for size in np.geomspace(0.01, 1, 400)) >= float(tuned.rate) - 1e-9


@pytest.mark.parametrize("name", KNOWN)
def test_the_certificate_refuses_a_tuning_beside_the_best(name):
    """It can fail: a step 2 % away, or a rate that is claimed too low."""
    spectrum = sp.Integer(1), sp.Integer(30)
    tuned = ol.analyze(name).optimal(mu=1, L=30)
    program = Program(rules.get(name), 1.0, 30.0)
    best = {alpha: tuned.alpha, rate: tuned.rate, **{symbol(k): v for k, v in tuned.parameters.items()}}
    assert _certify(program, best, spectrum, True, {}).holds
    beside = best | {alpha: best[alpha] * sp.Rational(98, 100)}
    assert not _certify(program, beside, spectrum, True, {}).holds
    low = best | {rate: best[rate] * sp.Rational(999, 1000)}
    assert not _certify(program, low, spectrum, True, {}).holds
    slack = best | {rate: best[rate] * sp.Rational(1001, 1000)}
    assert not _certify(program, slack, spectrum, True, {}).holds
    assert not _certify(program, best, spectrum, False, {}).holds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["momentum", "nesterov", "ema_momentum"])
def test_a_grid_of_2000_by_2000_finds_nothing_better(name):
    tuned = ol.analyze(name).optimal().at(0.01, 1.0)
    program = Program(rules.get(name), 0.01, 1.0)
    sizes = np.linspace(1e-3, 20 if name == "ema_momentum" else 4, 2000)
    betas = np.linspace(0, 1, 2000, endpoint=False)
    best = min(float(program.scores(np.stack([np.full(2000, size), betas], 1)).min()) for size in sizes)
    assert 0 <= best - tuned["rate"] < 0.02 * (1 - tuned["rate"]) + 5e-3


BAD = {
    "mu alone": ({"mu": 1}, "give both mu and L"),
    "both ways": ({"mu": 1, "L": 2, "condition_number": 3}, "not both"),
    "reversed": ({"mu": 2, "L": 1}, "needs 0 < mu <= L"),
    "zero": ({"mu": 0, "L": 1}, "needs 0 < mu <= L"),
    "below one": ({"condition_number": "1/2"}, "condition_number = 1/2 must be at least 1"),
    "no number": ({"condition_number": "large"}, "condition_number = 'large' is not a finite number"),
    "irrational": ({"mu": 1, "L": sp.sqrt(2)}, "needs rational numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_spectra_are_refused_in_one_line(case):
    options, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        ol.analyze("sgd").optimal(**options)
    assert "\n" not in str(caught.value)


def test_what_has_no_tuning_in_kappa_says_so():
    with pytest.raises(NotLinearError):
        ol.analyze("adam")
    fixed = Rule(name="fixed", state={m: State()}, equations=((m, m / 2 + g), (theta, theta - alpha * g - m / 100)))
    with pytest.raises(UnsupportedError, match="not a matter of kappa alone"):
        ol.analyze(fixed).optimal()
    assert ol.analyze(fixed).optimal(mu=1, L=10).status in ("closed form", "algebraic")
    with pytest.raises(InputError, match="without curvature="):
        ol.analyze("sgd", curvature=2).optimal()
    with pytest.raises(AttributeError, match="it has alpha, rate, beta"):
        _ = ol.analyze("momentum").optimal().gamma
