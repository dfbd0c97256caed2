"""A problem of one's own under another law of noise: the exact curve is shown, and held against nothing."""

import pytest

from optlab.experiments.own_problem import run_own_problem
from optlab.experiments.spec import ProblemSection
from optlab.experiments.sweep import Runner


@pytest.mark.parametrize(("law", "held"), [("gaussian", True), ("student_t(dof=3)", False), ("multiplicative", False)])
def test_only_gaussian_noise_has_a_false_alarm_probability(law, held):
    spec = ProblemSection(problem=f"quadratic(spectrum=[1.0], noise=0.1, noise_law={law})", alpha=0.1, steps=5, trajectories=64)
    (entry,) = run_own_problem(spec, ["sgd"], 1, Runner(None), 1).entries
    assert entry.exact is not None
    assert (entry.agreement is not None) is held


def test_a_loss_that_is_not_quadratic_has_no_exact_curve():
    problem = "logistic_regression([[1.0], [2.0], [-1.0]], [1, 0, 1])"
    (entry,) = run_own_problem(
        ProblemSection(problem=problem, alpha=0.1, batch=2, steps=5, trajectories=64), ["sgd"], 1, Runner(None), 1
    ).entries
    assert entry.exact is entry.agreement is None
    assert entry.simulated.loss_mean[-1] < entry.simulated.loss_mean[0]
