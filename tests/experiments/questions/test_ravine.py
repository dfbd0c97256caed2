"""The ravine: paths against plain recursions, and the command that shows them."""

import itertools

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab.experiments.questions import ravine


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return ol.experiments.ravine(rules=["sgd", "momentum"], kappa=25, steps=40, store=folder)


def test_gradient_descent_swings_at_every_step(found):
    """Its minimax rate 2/(mu + L) has the factor (1 - kappa)/(1 + kappa) < 0 along the stiff direction."""
    alpha = 2 / (1 / 25 + 1)
    path = np.array([[-1.0 * (1 - alpha / 25) ** k, 0.6 * (1 - alpha) ** k] for k in range(41)])
    np.testing.assert_allclose(found.theta.sel(rule="sgd"), path, rtol=1e-9)
    assert int(found.sign_changes.sel(rule="sgd")) == 39


def test_the_path_of_momentum_is_the_article_s(found):
    alpha, (flat, stiff) = float(found.alpha.sel(rule="momentum")), (1 / 25, 1.0)
    beta = ((25**0.5 - 1) / (25**0.5 + 1)) ** 2  # Polyak 1964
    theta, v = np.array([-1.0, 0.6]), np.zeros(2)
    for k in range(41):
        np.testing.assert_allclose(found.theta.sel(rule="momentum", step=k), theta, atol=1e-9)
        v = beta * v - alpha * np.array([flat, stiff]) * theta
        theta = theta + v


def test_sign_changes_are_counted_as_they_stand(found):
    for rule in found.rule.values:
        steps = np.diff(found.theta.sel(rule=rule, direction="stiff").values)
        assert int(found.sign_changes.sel(rule=rule)) == sum(a * b < 0 for a, b in itertools.pairwise(steps))


def test_tables_and_findings_come_from_the_numbers(found):
    (table,) = ravine.tables(found)
    assert [row[0] for row in table.rows] == ["sgd", "momentum"]
    assert table.rows[0][2] == "39 of 39"
    changed = found.assign(sign_changes=("rule", [1, 30]), loss_final=("rule", [1.0, 2.0]))
    assert "momentum swings" in ravine.findings(changed)[0]
    assert "sgd ends lowest, at a loss of 1." in ravine.findings(changed)[1]


def test_what_is_in_the_store_is_not_run_again(found, tmp_path):
    first = ol.experiments.ravine({"rules": ["sgd"], "steps": 10}, store=tmp_path)
    again = ol.experiments.ravine({"rules": ["sgd"], "steps": 10}, store=tmp_path)
    assert (first.attrs["cells_computed"], again.attrs["cells_computed"], again.attrs["cells_read"]) == (1, 0, 1)
    xr.testing.assert_equal(first, again)
