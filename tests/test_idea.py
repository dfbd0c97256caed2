"""The idea itself: one sign changed in one file changes everything that is derived from it, and the hand-written twin notices."""

from pathlib import Path

import numpy as np
import pytest

import optlab as ol
from optlab import problems, rules
from optlab.analysis.tuning import tune
from optlab.codegen.printer import Printer
from optlab.codegen.rules import module_source, table_source
from optlab.ensemble.kernel import kernel_source
from optlab.errors import CheckFailed
from optlab.reporting.sections import rule_cards
from optlab.verify import check_rule
from tests.oracles import RULES as TWINS
from tests.rules.generated import Generated, as_options, gradients

ORIGINAL = Path(rules.__file__).parent / "momentum.py"
PROBLEM = problems.quadratic(condition_number=10, dim=3, noise=0.5)
OPTIONS = {"schedule": 0.1, "steps": 20, "batch": 4, "trajectories": 200, "record": [0, 1, 5, 20], "rng": 3, "common": True}


def copied(folder, before="", after=""):
    text = ORIGINAL.read_text(encoding="utf-8")
    assert text.count(before) == 1 or not before
    path = folder / "copy.py"
    path.write_text(text.replace(before, after) if before else text, encoding="utf-8")
    return rules.get(f"{path}:RULE")


@pytest.fixture
def same(tmp_path):
    return copied(tmp_path)


SIGNS = {  # the places where the file holds a sign
    "decay": ("(v, beta * v + push)", "(v, -beta * v + push)"),
    "gradient": ("{push: -alpha * fed, move: v}", "{push: alpha * fed, move: v}"),
    "move": ("(theta, theta + move)", "(theta, theta - move)"),
}


@pytest.fixture(params=SIGNS)
def changed(request, tmp_path):
    return copied(tmp_path, *SIGNS[request.param])


def matches_the_twin(rule):
    """200 random steps of the generated code against the hand-written twin."""
    twin, options = TWINS["momentum"], as_options(rule)
    rng = np.random.default_rng(0)
    gs, rates = gradients(rng, 200), 10 ** rng.uniform(-4, -1, 200)
    generated, x, states = Generated(rule, rates), 1.0, twin.initial(options)
    y, own, scale = 1.0, list(states), 1.0
    for t, (gradient, rate) in enumerate(zip(gs, rates, strict=True), 1):
        x, states = twin.step(x, states, float(gradient), t, float(rate), options)
        y, own = generated.step(y, own, float(gradient), t)
        scale = max(scale, abs(x))
        if abs(x - y) > 1e-12 * scale:
            return False
    return True


def derived(rule):
    """Everything that people see of a rule."""
    mode = ol.analyze(rule)
    run = ol.simulate(rule, PROBLEM, **OPTIONS)
    card = rule_cards([rule], [10.0])[0]
    return {
        "equations": rule.equations,
        "fingerprint": rule.fingerprint,
        "LaTeX": rule.latex(),
        "transition matrix": mode.transition_matrix,
        "stable set": mode.stable_set,
        "stationary variance": mode.stationary_variance,
        "source": module_source(rule),
        "kernel": kernel_source(rule, PROBLEM, "float64") + table_source(rule, Printer()),  # a sign beside alpha stands in the table
        "exact loss": ol.predict(rule, PROBLEM, **OPTIONS).loss_mean.values.tolist(),
        "simulated loss": run.loss_mean.values.tolist(),
        "report equations": card["equations"],
        "report facts": card["facts"],
    }


def test_an_untouched_copy_gives_all_the_same(same):
    original = rules.get("momentum")
    assert same is not original
    one, other = derived(same), derived(original)
    for what in other:
        assert one[what] == other[what], what
    assert matches_the_twin(same)
    assert [check.passed for check in check_rule(same)] == [True, True, True, True, True, None]


def test_one_changed_sign_changes_everything(changed):
    one, other = derived(changed), derived(rules.get("momentum"))
    unchanged = [what for what in other if one[what] == other[what]]
    assert unchanged == []
    assert not matches_the_twin(changed)


def test_what_is_derived_from_a_changed_sign_is_still_consistent(changed, request):
    """The change goes through the whole program: code, theory and simulation follow one file. Only what it does gives it away."""
    passed = [check.passed for check in check_rule(changed, raises=False)]
    assert passed[:3] == [True, True, True]
    climbs = request.node.callspec.params["changed"] != "decay"  # a changed sign of beta still descends
    assert passed[4] is not climbs


def test_a_changed_sign_of_the_gradient_is_derived_to_be_unstable(tmp_path):
    mode = ol.analyze(copied(tmp_path, *SIGNS["gradient"]))
    assert mode.stability_limit == 0
    run = ol.predict(mode.rule, PROBLEM, **OPTIONS)
    assert run.loss_mean[-1] > run.loss_mean[0]
    assert tune(mode.rule, 0.1, 1.0).rate >= 1 - 1e-6


def test_code_that_does_not_follow_its_file_is_noticed(monkeypatch, same):
    """The other way round: kernels of the changed rule under the original's equations."""
    import optlab.verify.rules as checks

    original = checks.module_source
    monkeypatch.setattr(checks, "module_source", lambda rule, dtype: original(rule, dtype).replace("g * s0", "-g * s0"))
    with pytest.raises(CheckFailed, match="generated code"):
        check_rule(same)
