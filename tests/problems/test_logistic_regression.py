"""Logistic regression: against mpmath and hand-written NumPy at any margin, in the code that kernels are printed from; what it refuses."""

import math
import re

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import optlab as ol
from optlab import problems
from optlab.codegen.printer import Printer
from optlab.codegen.rules import HEADER
from optlab.errors import InputError, UnsupportedError
from optlab.symbols import y, z

PROBLEM = problems.logistic_regression([[1.0]], [1])
LOSS, GRADIENT, CURVATURE = (sp.lambdify((z, y), PROBLEM.expressions()[role], "mpmath") for role in ("loss", "gradient", "curvature"))
MARGINS = [0.0, 1e-12, 1e-3, 0.3, 1.0, 5.0, 17.0, 36.0, 40.0, 88.0, 104.0, 300.0, 709.0, 746.0, 1e3]
POINTS = [(sign * margin, label) for margin in MARGINS for sign in (1, -1) for label in (1.0, -1.0)]


@pytest.fixture(scope="module", params=["float64", "float32"])
def printed(request):
    """The printed loss and gradient, compiled, with the precision of their float type."""
    printer, formulas = Printer(), PROBLEM.expressions()
    bodies = [printer.function(role, [z, y], [], [formulas[role]]) for role in ("loss", "gradient", "curvature")]
    space = {}
    exec("\n\n".join([HEADER.format(what="a test", dtype=request.param), printer.helpers(), *bodies]), space)
    real = np.dtype(request.param).type
    return {role: lambda u, label, f=space[role]: f(real(u), real(label)) for role in formulas}, float(np.finfo(real).eps)


def exact(u, label):
    """Loss, gradient and curvature in a prediction u with 60 digits."""
    with mpmath.workdps(60):
        margin = mpmath.mpf(u) * label
        chance, other = 1 / (1 + mpmath.exp(margin)), 1 / (1 + mpmath.exp(-margin))
        return mpmath.log1p(mpmath.exp(-margin)), -label * chance, chance * other


@pytest.mark.parametrize(("u", "label"), POINTS)
def test_loss_gradient_and_curvature_at_any_margin(printed, u, label):
    """The loss to its absolute, the gradient to its relative accuracy; exp of a margin of m costs m roundings."""
    functions, eps = printed
    loss, gradient, curvature = exact(float(np.float32(u)) if eps > 1e-10 else u, label)
    assert abs(functions["loss"](u, label) - loss) <= 4 * eps * max(1, abs(u))
    tiny = 1e-30 if eps > 1e-10 else 1e-300
    assert abs(functions["gradient"](u, label) - gradient) <= 4 * eps * (1 + min(abs(u), 750)) * abs(gradient) + tiny
    assert abs(functions["curvature"](u, label) - curvature) <= 4 * eps * (1 + min(abs(u), 750)) * abs(curvature) + tiny


def test_the_gradient_is_the_slope_of_the_loss():
    with mpmath.workdps(50):
        for u, label in POINTS:
            h = mpmath.mpf(10) ** -15
            slope = (LOSS(mpmath.mpf(u) + h, label) - LOSS(mpmath.mpf(u) - h, label)) / (2 * h)
            assert abs(slope - GRADIENT(mpmath.mpf(u), label)) < 1e-25


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.sampled_from([-1.0, 1.0]))
def test_it_is_convex(first, second, label):
    with mpmath.workdps(500):  # margins of 1000 leave differences of e^-1000
        a, b = mpmath.mpf(first), mpmath.mpf(second)
        assert LOSS((a + b) / 2, label) <= (LOSS(a, label) + LOSS(b, label)) / 2
        assert CURVATURE(a, label) > 0


def test_simulated_descent_is_that_of_numpy():
    """Five full-batch steps of SGD by hand; nothing random, so to rounding."""
    rng = np.random.default_rng(3)
    rows, labels = rng.normal(size=(7, 3)) * [1.0, 5.0, 0.2], np.array([1, -1, 1, 1, -1, -1, 1])
    problem = problems.logistic_regression(rows, labels, theta0=[0.5, -20.0, 0.0])
    run = ol.simulate("sgd", problem, schedule=0.3, steps=5, batch=None, record=range(6), trajectories=1, keep=1)
    theta = np.array([0.5, -20.0, 0.0])
    for step in range(6):
        margins = labels * (rows @ theta)
        assert float(run.loss_mean[step]) == pytest.approx(np.logaddexp(0, -margins).mean(), rel=1e-13)
        np.testing.assert_allclose(run.theta.values[0, step], theta, rtol=1e-12, atol=1e-13)
        theta = theta + 0.3 * (rows * (labels / (1 + np.exp(margins)))[:, None]).mean(0)


def test_labels_may_be_0_and_1():
    rows = [[1.0, 2.0], [3.0, 4.0]]
    made = problems.logistic_regression(rows, [0, 1])
    assert made == problems.logistic_regression(rows, [-1, 1]) == problems.logistic_regression(np.array(rows), np.array([False, True]))
    assert list(made.targets) == [-1.0, 1.0]
    assert made != problems.logistic_regression(rows, [1, 1])
    assert list(problems.logistic_regression(rows, [0, 0]).targets) == [-1.0, -1.0]


def test_by_text_and_by_label():
    made = problems.get("logistic_regression([[1.0], [2.0]], [0, 1], sampling='subset', noise=0.5)")
    assert made.label() == "logistic_regression(table=2x1, sampling=subset, noise=0.5)"
    assert "logistic_regression" in problems.names()
    assert made != problems.least_squares([[1.0], [2.0]], [-1.0, 1.0], sampling="subset", noise=0.5)


def test_it_has_no_exact_prediction():
    assert not PROBLEM.is_quadratic
    with pytest.raises(UnsupportedError, match="its loss is not a squared error; simulate it"):
        ol.predict("sgd", PROBLEM, schedule=0.1, steps=3)


@pytest.mark.parametrize("convention", ["half", "full"])
def test_least_squares_is_quadratic(convention):
    assert problems.least_squares([[1.0]], [1.0], convention=convention).is_quadratic


BAD = {
    "label": (lambda: problems.logistic_regression([[1.0], [2.0]], [1, 2]), "targets: entry 1 is 2: .* labels -1 and 1, or 0 and 1"),
    "mixed": (lambda: problems.logistic_regression([[1.0]] * 3, [1, 0, -1]), "targets hold -1, and 0 too"),
    "nan": (lambda: problems.logistic_regression([[1.0]], [math.nan]), "targets: entry 0 is nan"),
    "no rows": (lambda: problems.logistic_regression([], []), "no rows: logistic regression needs at least one"),
    "ragged": (lambda: problems.logistic_regression([[1.0], [1.0, 2.0]], [0, 1]), "row 1 has 2 numbers but row 0 has 1"),
    "sampling": (lambda: problems.logistic_regression([[1.0]], [1], sampling="all"), "sampling = 'all' is unknown"),
    "start": (lambda: problems.logistic_regression([[1.0]], [1], theta0=[1, 2]), "theta0 has 2 numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case):
    attempt, message = BAD[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)
