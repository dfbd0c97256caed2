"""Huber's regression: its loss and derivatives against NumPy, what it refuses, and a kernel run against a plain loop."""

import numpy as np
import pytest
import sympy as sp

import optlab as ol
from optlab.errors import InputError
from optlab.symbols import y, z


@pytest.mark.parametrize("width", [1, 0.25, 3])
def test_loss_and_derivatives(width):
    problem = ol.problems.huber_regression([[1.0]], [0.0], width=width)
    loss, gradient = (sp.lambdify((z, y), problem.expressions()[role], "numpy") for role in ("loss", "gradient"))
    r = np.linspace(-5, 5, 401)
    inside = np.minimum(np.abs(r), width)
    np.testing.assert_allclose(loss(r + 2, 2.0), inside * (np.abs(r) - inside / 2), atol=1e-14)
    np.testing.assert_allclose(gradient(r + 2, 2.0), np.clip(r, -width, width), atol=1e-14)
    assert not problem.is_quadratic


def test_full_gradient_descent_is_a_plain_loop():
    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(30, 2)), 5 * rng.normal(size=30)
    problem = ol.problems.huber_regression(X, t, width=0.5)
    run = ol.simulate("sgd", problem, schedule=0.3, steps=20, batch=None, trajectories=1, record=list(range(21)))
    theta = np.zeros(2)
    for step in range(21):
        r = X @ theta - t
        inside = np.minimum(np.abs(r), 0.5)
        assert float(run.loss_mean[step]) == pytest.approx(np.mean(inside * (np.abs(r) - inside / 2)), rel=1e-12)
        theta = theta - 0.3 * X.T @ np.clip(r, -0.5, 0.5) / 30


@pytest.mark.parametrize("width", [0, -1, float("nan"), "wide"])
def test_a_width_must_be_positive(width):
    with pytest.raises(InputError, match="width"):
        ol.problems.huber_regression([[1.0]], [0.0], width=width)


def test_it_has_a_name_and_a_form():
    problem = ol.problems.get("huber_regression([[1.0], [2.0]], [0, 1], width=2)")
    assert problem.form == ("rows", ("optlab.problems.huber_regression.huber_loss", 2.0))
    assert "width=2.0" in problem.label()
