"""check_rule passes every built-in rule and names each defect that is planted."""

import numpy as np
import pytest
import sympy as sp

from optlab import rules
from optlab.errors import CheckFailed, UnknownNameError
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
from optlab.verify import Check, check_rule
from optlab.verify import rules as checks
from tests.oracles import RULES as TWINS
from tests.rules.generated import as_options

NAMES = ["generated code", "float32", "threads", "theory", "descends", "at rest"]
LINEAR = ("sgd", "momentum", "nesterov", "ema_momentum")


@pytest.mark.parametrize("name", rules.names())
def test_every_builtin_rule_passes(name):
    """Its theory check is statistical: false-alarm probability 1e-9 each, seed fixed."""
    found = check_rule(name)
    assert [check.name for check in found] == NAMES
    assert all(isinstance(check, Check) for check in found)
    passed = [check.passed for check in found]
    assert passed == [True, True, True, True if name in LINEAR else None, True, None]
    assert found[-1].detail == (
        "a zero gradient leaves theta where it is" if name != "adamw" else found[-1].detail
    )  # fmt: skip
    assert ("move theta from 1 by" in found[-1].detail) == (name == "adamw")


def one_line(error, rule, check):
    text = str(error)
    assert "\n" not in text
    assert text.startswith(f"rule {rule}: {check}: ")
    return text


def defective(monkeypatch, change, dtype=None):
    original = checks.module_source

    def source(rule, kind="float64"):
        text = original(rule, kind)
        changed = change(text) if dtype in (None, kind) else text
        assert (changed != text) == (dtype in (None, kind))
        return changed

    monkeypatch.setattr(checks, "module_source", source)


def test_a_flipped_sign_in_the_generated_code_is_named(monkeypatch):
    defective(monkeypatch, lambda text: text.replace("theta_new = theta + v_new", "theta_new = theta - v_new"))
    with pytest.raises(CheckFailed) as caught:
        check_rule("momentum")
    assert "largest relative difference" in one_line(caught.value, "momentum", "generated code")


def test_a_tiny_relative_error_in_the_generated_code_is_named(monkeypatch):
    defective(monkeypatch, lambda text: text.replace("theta_new = theta + g * s0", "theta_new = theta + g * s0 * F(1.00000001)"))
    with pytest.raises(CheckFailed, match="rule sgd: generated code: "):
        check_rule("sgd")


def test_a_wrong_constant_in_the_lowering_is_named(monkeypatch):
    original = checks.constants_of
    monkeypatch.setattr(checks, "constants_of", lambda rule: [value * (1 + 1e-9) for value in original(rule)])
    with pytest.raises(CheckFailed, match=r"rule momentum: generated code: .*\(step \d+\); limit 1e-12"):
        check_rule("momentum")


def test_a_step_table_off_by_one_is_named(monkeypatch):
    original = checks.step_table
    monkeypatch.setattr(checks, "step_table", lambda rule, rates: np.roll(original(rule, rates), 1, axis=0))
    with pytest.raises(CheckFailed, match="rule adam: generated code: "):
        check_rule("adam")


def test_a_promotion_to_double_is_named(monkeypatch):
    defective(monkeypatch, lambda text: text.replace("return theta_new", "return 1.0 * theta_new"), "float32")
    with pytest.raises(CheckFailed) as caught:
        check_rule("sgd")
    assert "promoted to float64" in one_line(caught.value, "sgd", "float32")


def test_a_coarse_single_precision_is_named(monkeypatch):
    defective(monkeypatch, lambda text: text.replace("theta_new = theta + g * s0", "theta_new = theta + g * s0 * F(1.001)"), "float32")
    with pytest.raises(CheckFailed, match=r"rule sgd: float32: theta differs by .* limit 1e-4"):
        check_rule("sgd")


def test_bits_that_depend_on_threads_are_named(monkeypatch):
    original = checks.simulate

    def simulate(*arguments, threads=None, **options):
        run = original(*arguments, threads=threads, **options)
        return run if threads == 1 else run.assign(loss_mean=run.loss_mean * (1 + 3e-16))

    monkeypatch.setattr(checks, "simulate", simulate)
    with pytest.raises(CheckFailed, match="rule sgd: threads: bits differ in loss_mean"):
        check_rule("sgd")


def test_theory_that_does_not_match_is_named(monkeypatch):
    original = checks.predict
    monkeypatch.setattr(checks, "predict", lambda rule, problem, **options: original(rule, problem, **(options | {"batch": 5})))
    with pytest.raises(CheckFailed, match=r"rule sgd: theory: largest \|z\| .* limit"):
        check_rule("sgd")


def test_all_checks_are_returned_where_asked(monkeypatch):
    defective(monkeypatch, lambda text: text.replace("theta_new = theta + g * s0", "theta_new = theta - g * s0"), "float64")
    found = check_rule("sgd", raises=False)
    assert [check.name for check in found] == NAMES
    assert [check.passed for check in found[:3]] == [False, False, True]


def test_a_rule_of_ones_own_is_checked():
    beta, m = symbol("beta"), symbol("m")
    mine = Rule(
        name="momentum", parameters={beta: Parameter("9/10", within="[0, 1)")}, state={m: State()},
        equations=((m, beta * m - alpha * g), (theta, theta + m)),
    )  # fmt: skip
    assert [check.passed for check in check_rule(mine)] == [True, True, True, True, True, None]
    assert [check.passed for check in check_rule("momentum(beta=1/3)")] == [True, True, True, True, True, None]
    with pytest.raises(UnknownNameError):
        check_rule("momentun")


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_the_reference_that_rules_are_checked_against_is_the_hand_written_twin(name):
    """evaluate() is what the generated code is held against; here it is held against the twin itself."""
    rule, twin = rules.get(name), TWINS[name]
    gradients, rates = checks._drawn(4)
    options = as_options(rule)
    x, states = 1.0, twin.initial(options)
    for t, row in enumerate(checks.evaluate(rule, gradients, rates), 1):
        x, states = twin.step(x, states, float(gradients[t - 1]), t, float(rates[t - 1]), options)
        np.testing.assert_allclose([x, *states], row, rtol=1e-10, atol=1e-12)


def test_drawn_gradients_cover_zeros_and_all_sizes():
    for seed in range(5):
        gradients, rates = checks._drawn(seed)
        assert (gradients == 0).sum() >= 1
        sizes = np.abs(gradients[gradients != 0])
        assert sizes.min() < 1e-3
        assert sizes.max() > 1
        assert np.all((rates >= 1e-3) & (rates <= 0.1))
    assert not np.array_equal(checks._drawn(0)[0], checks._drawn(1)[0])


def test_the_learning_rate_of_the_theory_check_is_inside_the_stable_set():
    for name, limit in (("sgd", 2), ("momentum", sp.Rational(19, 5)), ("nesterov", sp.Rational(19, 14)), ("ema_momentum", 38)):
        assert checks._learning_rate(rules.get(name)) == pytest.approx(float(limit) / 4)
    assert checks._learning_rate(rules.get("adam")) == 0.01


def test_a_rule_that_climbs_is_named():
    from optlab.rules import Rule, alpha, g, theta

    climbing = Rule(name="climbing", equations=((theta, theta + alpha * g),))
    with pytest.raises(CheckFailed, match=r"descends: .* a sign may be wrong"):
        check_rule(climbing)
