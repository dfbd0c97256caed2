"""The numerical example against what follows from it by hand."""

import numpy as np
import pytest

from optlab import problems, rules
from optlab.experiments.line_fit import CLAIMS, TRUTH, Row, count, fixed_table, run_line_fit, settings
from optlab.experiments.spec import LineFit
from optlab.experiments.sweep import Runner

SMALL = LineFit(runs=400, table_rows=30)


@pytest.fixture(scope="module")
def rows():
    runner = Runner(None)
    found = run_line_fit(SMALL, 0, runner)
    assert runner.computed == count(SMALL)
    return found


def pick(rows, **wanted):
    (row,) = [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
    return row


def test_every_reading_is_a_row(rows):
    readings = [(row.convention, row.label_noise, row.start, row.data) for row in rows if row.rule == "sgd"]
    assert readings == [(row.convention, row.label_noise, row.start, row.data) for row in rows if row.rule == "adam"]
    assert len(readings) == len(set(readings)) == 8
    for convention in ("half", "full"):
        assert {r[1:] for r in readings if r[0] == convention} == {
            (0.0, "(0, 0)", "fresh"), (0.1, "(0, 0)", "fresh"), (0.0, "N(0, 1)", "fresh"), (0.1, "(0, 0)", "table of 30 rows"),
        }  # fmt: skip


@pytest.mark.parametrize(("convention", "factor", "w"), [("half", 1, 1.9326), ("full", 2, 1.9980)])
def test_the_exact_mean_of_sgd_is_its_closed_form(rows, convention, factor, w):
    """E x^2 = 1/3: the error of w shrinks by 1 - factor alpha/3 per step, that of b by 1 - factor alpha, whatever the label noise."""
    shrink = np.array([1 - factor * 0.1 / 3, 1 - factor * 0.1]) ** 100
    expected = np.array(TRUTH) * (1 - shrink)
    assert expected[0] == pytest.approx(w, abs=5e-5)
    for noise in (0.0, 0.1):
        row = pick(rows, rule="sgd", convention=convention, label_noise=noise, start="(0, 0)", data="fresh")
        np.testing.assert_allclose(row.exact, expected, rtol=1e-12)
    row = pick(rows, rule="sgd", convention=convention, start="N(0, 1)")
    np.testing.assert_allclose(row.exact, expected, rtol=1e-12)  # the mean start is the same


def test_on_a_table_the_mean_follows_the_tables_own_hessian(rows):
    """Batches are unbiased, so the mean runs full gradient descent on the table."""
    x, y = fixed_table(30, 0.1, 0)
    for convention, factor in (("half", 1.0), ("full", 2.0)):
        point = np.zeros(2)
        for _ in range(100):
            point = point - 0.1 * factor * x.T @ (x @ point - y) / 30
        row = pick(rows, rule="sgd", convention=convention, data="table of 30 rows")
        np.testing.assert_allclose(row.exact, point, rtol=1e-12)


def test_simulated_means_lie_within_their_errors(rows):
    """|z| <= 7.5 for 32 near-normal means of 400 runs: a false alarm with probability below 1e-9; the seed is fixed."""
    for row in rows:
        if row.exact is None:
            assert row.rule == "adam"
            continue
        np.testing.assert_allclose(row.standard_error, np.array(row.sd) / 20, rtol=1e-12)
        assert np.all(np.abs(np.array(row.mean) - row.exact) <= 7.5 * np.array(row.standard_error) + 1e-12), row
        if row.label_noise:
            assert row.agreement.holds, row.agreement
        else:
            assert row.agreement is None


def test_adam_comes_nearer_than_sgd_under_one_half(rows):
    sgd = pick(rows, rule="sgd", convention="half", label_noise=0.0, start="(0, 0)")
    adam = pick(rows, rule="adam", convention="half", label_noise=0.0, start="(0, 0)")
    assert sgd.claim == CLAIMS["sgd"] == (1.95, 0.99)
    assert adam.claim == CLAIMS["adam"] == (1.999, 1.0)
    assert abs(sgd.mean[0] - 2) > 0.05
    assert sgd.median_loss > 0


def test_in_reach_means_within_two_standard_deviations():
    def row(mean, sd, claim):
        return Row("sgd", "half", 0.0, "s", "fresh", mean, sd, sd, None, claim, 0.0, None)

    assert row((1.93, 0.99), (0.0101, 0.0), (1.95, 0.99)).claim_in_spread == (True, True)
    assert row((1.93, 0.99), (0.0090, 0.0), (1.95, 0.99)).claim_in_spread == (False, True)
    assert row((1.95, 0.9904), (0.0, 0.0), (1.95, 0.99)).claim_in_spread == (True, True)  # rounding
    assert row((1.95, 0.9906), (0.0, 0.0), (1.95, 0.99)).claim_in_spread == (True, False)


def test_the_fixed_table_is_drawn_once():
    x, y = fixed_table(200, 0.0, 5)
    again, _ = fixed_table(200, 0.3, 5)
    other, _ = fixed_table(200, 0.0, 6)
    np.testing.assert_array_equal(x, again)
    assert np.all(x[:, 0] != other[:, 0])
    assert np.all(np.abs(x[:, 0]) < 1)
    assert np.all(x[:, 1] == 1)
    np.testing.assert_allclose(y, 2 * x[:, 0] + 1, rtol=1e-15)
    assert abs(x[:, 0].mean()) < 6.2 * np.sqrt(1 / 3 / 200)  # false alarm 1e-9
    spread = fixed_table(200, 0.3, 5)[1] - y
    assert 0.15 < spread.std() < 0.5


def test_settings_are_the_problems_of_their_names():
    for convention, noise, start, data, problem in settings(SMALL, 0):
        if data == "fresh":
            twin = problems.line_fit(convention=convention, label_noise=noise, theta0="normal" if start == "N(0, 1)" else 0.0)
            assert problem == twin
        else:
            assert (problem.n, problem.sampling, noise, start) == (30, "subset", 0.1, "(0, 0)")
            assert problem == problems.least_squares(*fixed_table(30, 0.1, 0), sampling="subset", convention=convention)


def test_claims_are_for_rules_that_exist():
    for name in CLAIMS:
        assert rules.get(name).name == name
