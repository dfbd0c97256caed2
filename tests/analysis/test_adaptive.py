"""The statements about adaptive rules as a whole, Reddi, Kale and Kumar's example, and the proofs' tools."""

import pytest
import sympy as sp

import optlab as ol
from optlab import rules
from optlab.analysis.adaptive import TOPICS, analyze_adaptive
from optlab.analysis.adaptive.positivity import nonnegative
from optlab.analysis.adaptive.update import is_affine
from optlab.errors import UnknownNameError
from optlab.rules import alpha, g, symbol, t, theta
from optlab.symbols import lam, s2, z
from tests.analysis.adaptive_rules import ADAGRAD, AMSGRAD, BUILT, OTHERS, TWINS, label

beta1, beta2, eps, P, C = (symbol(name) for name in ("beta1", "beta2", "eps", "P", "C"))


def run_reddi(name, height, rate, steps=30000):
    """x after the steps, by the rule's twin."""
    rule = rules.get(name)
    options = {**rule.chosen, "beta1": 0.0, "beta2": 1 / (1 + height**2), "beta": 1 / (1 + height**2), "eps": 0.0}
    twin, x = TWINS[rule.name], 0.2
    states = twin.initial(options)
    for step in range(steps):
        x, states = twin.step(x, states, height if step % 3 == 0 else -1.0, step + 1, rate, options)
        x = min(1.0, max(-1.0, x))
    return x


@pytest.mark.parametrize(
    ("name", "rate", "end"),
    [("adam(bias_correction=off)", 1e-3, 1), ("rmsprop", 1e-3, 1), ("lion", 1e-3, 1), ("amsgrad", 1e-3, -1), ("adagrad", 0.1, -1)],
)
def test_reddis_example_ends_where_it_is_proved_to(name, rate, end):
    for height in (2.5, 6.0):
        assert run_reddi(name, height, rate) == pytest.approx(end, abs=0.02)
    stated = analyze_adaptive(name)["reddi_end"]
    assert (stated.expression, stated.status) == (end, "proved")


def test_the_scale_of_reddis_example_is_bounded_or_grows_slowly():
    assert "grows by at most C^2 a step" in analyze_adaptive(ADAGRAD)["reddi_end"].how
    assert "stays at most C^2" in analyze_adaptive(AMSGRAD)["reddi_end"].how
    assert analyze_adaptive("adam")["reddi_regret"].expression == 2 * C / 3 - sp.Rational(4, 3)


# --- the whole ---


@pytest.mark.parametrize("rule", [*BUILT, *OTHERS], ids=label)
def test_everything_reads_back_and_is_said_in_order(rule):
    found = analyze_adaptive(rule)
    assert found is analyze_adaptive(rule)
    assert len({s.name for s in found.statements}) == len(found.statements) > 5
    assert [s.name for s in found.statements] == [s.name for topic in TOPICS for s in found.topic(topic)]
    assert not found.items().keys() & found.reasons.keys()
    for name, value in found.items().items():
        assert ol.sympify(str(value)) == value, name
    for reason in found.reasons.values():
        assert "\n" not in reason
    shown = {alpha, g, t, theta, lam, s2, z, P, *rule.declared}
    for statement in found.statements:
        assert statement.expression.free_symbols <= shown | statement.symbols.keys(), statement.name


def test_unknown_names_are_named():
    with pytest.raises(UnknownNameError, match="did you mean 'sharpness_threshold'"):
        _ = analyze_adaptive("adam")["sharpnes_threshold"]
    with pytest.raises(UnknownNameError, match="topic"):
        analyze_adaptive("adam").topic("nothing")


def test_proofs_of_positivity_refuse_what_is_not_so():
    x = sp.Dummy("x", nonnegative=True)
    assert nonnegative(x**2 + 3 * x, {})
    assert not nonnegative(x - 1, {})
    assert not nonnegative(g, {})
    assert nonnegative(sp.Max(x, 2) - 1 - x / 2 + x / 2, {})
    y, b = sp.Dummy("y", nonnegative=True), symbol("b")
    fraction = (x + y + 16) / (1 + x)
    assert nonnegative(sp.Max(x, y, fraction) - sp.Max(y, fraction), {})  # one Max inside another's arguments
    assert not nonnegative(sp.Max(y, fraction) - sp.Max(x, y, fraction), {})
    assert nonnegative(b ** (t - 1) - b**t, {b: x / (1 + x)})
    assert not nonnegative(1 - sp.Max(x, 2), {})
    assert is_affine(theta + 2 * g, (theta, g))
